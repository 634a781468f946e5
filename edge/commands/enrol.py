"""`slagboom enrol`: claim an edge at its portal with serial and one-time code, and keep what makes it one.

Everything that can fail on this machine is tried before the code is used up. The key is made here; it waits in
`pending.key` for its certificate, so that an answer lost on the way is fetched by the same command again.
"""

import getpass
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge import present
from edge.config import PortalTable, StoreTable
from edge.enrolled import SETTINGS, settings_text
from edge.tables import read_toml, table
from gate_controller.errors import BadInput, ConfigError, EnrolmentRefused, PortalError
from sync.device_key import device_key
from sync.enrolment import Claim, Enrolled, Portal, claim, fetch_authority, plain_fingerprint
from sync.identity import (
    Key,
    first_certificate,
    identity_of,
    key_pem,
    load_key,
    new_key,
    refuse_foreign,
    signing_request,
    write_whole,
)
from sync.messages import Address

FOLDER: Final = "portal"
"""Beside the site's settings, unless they name another."""
PENDING: Final = "pending.key"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the enrolment goes; `addition` is what the site's settings lack; None if they name the folder."""

    config: Path
    folder: Path
    addition: str | None


def enrol(config: Path, address: str, serial: str, code: str, fingerprint: str) -> int:
    """Enrol. Raises BadInput, EnrolmentRefused and PortalError, and then has left nothing half done."""
    portal, wanted = Portal.parse(address), plain_fingerprint(fingerprint)
    place = _place(config)
    key, device = _prepared(place), _device(config)
    try:
        authority = fetch_authority(portal, wanted)
        enrolled = claim(portal, authority, Claim(serial, code, signing_request(key, serial), device))
    except (EnrolmentRefused, BadInput):
        _forget_key(place)
        raise
    name = Address(enrolled.tenant, enrolled.site, enrolled.edge).client_id
    refuse_foreign(enrolled.certificate, authority, key, name)
    changed = _keep(place, key, enrolled, authority, portal)
    until = identity_of(enrolled.certificate.encode(), "the certificate").ends
    present.say(f"enrolled as {name} at {portal}; the certificate holds until {until:%Y-%m-%d} and renews itself")
    if place.addition is not None:
        present.say(f"{config}: a table [portal] was added")
    if changed:
        present.say("start slagboom again: a running one does not know of this yet")
    return 0


def typed_code() -> str:
    """The one-time code as a person types it, unseen, or as a pipe brings it. Raises BadInput for none."""
    code = getpass.getpass("One-time code: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not code.strip():
        raise BadInput("--code: missing; the portal gave it when the edge was registered")
    return code.strip()


def _place(config: Path) -> _Place:
    """Raises ConfigError for settings that already say otherwise where the portal is."""
    data, config = read_toml(config), config.resolve()
    if "list" in data:
        raise ConfigError([f"{config}: list: the portal will bring the list; take the table [list] out first"])
    table = data.get("portal")
    if table is None:
        return _Place(config, config.parent / FOLDER, f'\n[portal]\nenrolled = "{FOLDER}"\n')
    name = table.get("enrolled") if isinstance(table, dict) else None
    if not isinstance(name, str):
        raise ConfigError(
            [f'{config}: portal: names a broker by hand; write enrolled = "{FOLDER}" instead of host and names']
        )
    return _Place(config, config.parent / name, None)


def _device(config: Path) -> str:
    """The public half of the key with which the daemon will sign. Raises StoreError where it cannot be kept."""
    data = read_toml(config)
    store = table(data, "store", StoreTable, []) or StoreTable()
    return device_key((config.parent / store.path).parent).public.hex()


def _prepared(place: _Place) -> Key:
    """The folder made and seen to be writable, and the key in it. Raises BadInput."""
    pending = place.folder / PENDING
    try:
        place.folder.mkdir(mode=0o700, exist_ok=True)
        if place.addition is not None:
            trial = place.config.with_name(f".{place.config.name}.trial")
            write_whole(trial, b"")
            trial.unlink()
        if pending.exists():
            return load_key(pending)
        key = new_key()
        write_whole(pending, key_pem(key))
    except OSError as error:
        where = error.filename or place.folder
        raise BadInput(f"{where}: {error.strerror}; use the daemon's account, where it may write") from error
    return key


def _keep(place: _Place, key: Key, enrolled: Enrolled, authority: str, portal: Portal) -> bool:
    """Write the files, the settings last; whether a running daemon must be started again. Raises BadInput."""
    print_of, _ = first_certificate(authority)
    ca, cert = f"{print_of[:8]}.ca.pem", f"{print_of[:8]}.{enrolled.tenant}.{enrolled.site}.{enrolled.edge}.pem"
    text = settings_text(enrolled, ca, cert, str(portal))
    _refuse_unusable(text)
    settings = place.folder / SETTINGS
    try:
        old = settings.read_text() if settings.exists() else ""
        write_whole(place.folder / ca, authority.encode(), 0o644)
        write_whole(place.folder / cert, key_pem(key) + enrolled.certificate.encode())
        write_whole(settings, text.encode())
        if place.addition is not None:
            found, mode = place.config.read_bytes(), place.config.stat().st_mode & 0o777
            write_whole(place.config, found + place.addition.encode(), mode)
        for former in _files_of(old) - {ca, cert}:
            (place.folder / former).unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}; mend it and enrol again with the same code") from error
    _forget_key(place)
    return text != old


def _refuse_unusable(text: str) -> None:
    """Raises PortalError for an answer that would make settings that no daemon starts with."""
    problems: list[str] = []
    table({"portal": tomllib.loads(text)}, "portal", PortalTable, problems)
    if problems:
        raise PortalError(f"the portal's answer: {problems[0]}; nothing was changed")


def _files_of(settings: str) -> set[str]:
    """The names of the files that an earlier enrolment wrote; none if its settings cannot be read."""
    with suppress(tomllib.TOMLDecodeError, AttributeError):
        names = tomllib.loads(settings).get("tls", {})
        return {name for key in ("ca", "cert") if (name := names.get(key)) and name == Path(name).name}
    return set()


def _forget_key(place: _Place) -> None:
    with suppress(OSError):
        (place.folder / PENDING).unlink()
