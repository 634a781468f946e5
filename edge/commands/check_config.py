"""`slagboom check-config`: the wiring as a table, or every mistake by its path in the file."""

from pathlib import Path

from edge import clock, present
from edge.config import IN_THE_CLEAR, Config, load_config, wiring
from gate_controller.errors import ConfigError, ListFileError, PortalError, RecognitionError
from sync.listfile import read_list


def check(path: Path, *, as_json: bool) -> int:
    """Print the wiring. Raises `ConfigError` with every mistake, those of the list file included."""
    config = load_config(path)
    if config.list is not None:
        try:
            read_list(config.path(config.list.file), config.tz())
        except ListFileError as error:
            raise ConfigError([f"{path}: list.file: {problem}" for problem in error.problems]) from None
    _check_link(path, config)
    _check_models(path, config)
    rows = wiring(config)
    if as_json:
        for row in rows:
            present.json_line(dict(zip(("lane", "what", "wired_to", "where"), row, strict=True)))
    else:
        present.table(f"{config.site.name}, {config.site.time_zone}", ("Lane", "What", "Wired to", "Where"), rows)
    return 0


def _check_link(path: Path, config: Config) -> None:
    """Warn of what a person should know of the link. Raises `ConfigError` for certificates that cannot be used."""
    portal, tls = config.portal, config.tls()
    if portal is None:
        return
    if tls is None:
        if portal.in_the_clear:
            present.warning(f"{path}: portal.tls: missing; {IN_THE_CLEAR}")
        return
    from edge.renewal import trouble

    try:
        tls.context()
        identity = tls.identity()
    except PortalError as error:
        raise ConfigError([f"{path}: portal.tls: {error}"]) from None
    if identity.name != portal.address().client_id:
        wrong = f"the certificate is for {identity.name}, not for {portal.address().client_id}"
        raise ConfigError([f"{path}: portal.tls.cert: {wrong}; mend the names or enrol again"])
    said = trouble(identity, clock.now().wall, renews=portal.tls is not None and portal.tls.renew is not None)
    if said is not None:
        present.warning(f"{path}: portal.tls.cert: {said}")


def _check_models(path: Path, config: Config) -> None:
    """Open the models that plates are read with. Raises `ConfigError` for one that cannot be used."""
    if all(lane.camera is None for lane in config.lanes.values()):
        return
    from recognition.choice import Models, load_recognizer

    chosen = config.recognition
    try:
        load_recognizer(Models(chosen.ocr, chosen.detector), config.folder)
    except RecognitionError as error:
        raise ConfigError([f"{path}: recognition: {error}"]) from None
