"""The folder that `slagboom enrol` writes and `[portal] enrolled` names: where the portal is, key and certificate.

One file, `portal.toml`, says where the others lie, so that writing it is the moment at which an enrolment counts.
Nobody needs to edit it: enrolling again writes it anew.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.tables import read_toml
from gate_controller.errors import ConfigError

if TYPE_CHECKING:
    from sync.enrolment import Enrolled

SETTINGS: Final = "portal.toml"
TLS_PATHS: Final = ("ca", "cert", "key")


def with_enrolment(data: Mapping[str, Any], folder: Path, problems: list[str]) -> Mapping[str, Any]:
    """The site's tables, with the enrolment's keys in `[portal]` where that names one; problems are added."""
    portal = data.get("portal")
    name = portal.get("enrolled") if isinstance(portal, dict) else None
    if not isinstance(portal, dict) or not isinstance(name, str):
        return data
    try:
        written = read_toml(folder / name / SETTINGS)
    except ConfigError as error:
        problems += [f"portal.enrolled: {problem}; `slagboom enrol` writes it" for problem in error.problems]
        return {key: value for key, value in data.items() if key != "portal"}
    problems += [f"portal.{key}: the enrolment in {name} says it; leave it out" for key in portal if key in written]
    if isinstance(tls := written.get("tls"), dict):
        written["tls"] = {key: _inside(name, value) if key in TLS_PATHS else value for key, value in tls.items()}
    return {**data, "portal": {**portal, **written}}


def settings_text(enrolled: "Enrolled", ca: str, cert: str, renew: str) -> str:
    """The text of `portal.toml`; `ca` and `cert` are names of files beside it, the key is in the latter."""
    values = {name: getattr(enrolled, name) for name in ("host", "port", "root_key", "tenant", "site", "edge")}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    tls = [f"{key} = {json.dumps(value)}" for key, value in {"ca": ca, "cert": cert, "renew": renew}.items()]
    return "\n".join(["# Written by slagboom enrol, which writes it anew.", *lines, "", "[tls]", *tls, ""])


def _inside(folder: str, value: Any) -> Any:
    return str(Path(folder) / value) if isinstance(value, str) else value
