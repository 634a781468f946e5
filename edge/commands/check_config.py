"""`slagboom check-config`: the wiring as a table, or every mistake by its path in the file."""

from pathlib import Path

from edge import present
from edge.config import load_config, wiring
from gate_controller.errors import ConfigError, ListFileError
from sync.listfile import read_list


def check(path: Path, *, as_json: bool) -> int:
    """Print the wiring. Raises `ConfigError` with every mistake, those of the list file included."""
    config = load_config(path)
    if config.list is not None:
        try:
            read_list(config.path(config.list.file), config.tz())
        except ListFileError as error:
            raise ConfigError([f"{path}: list.file: {problem}" for problem in error.problems]) from None
    rows = wiring(config)
    if as_json:
        for row in rows:
            present.json_line(dict(zip(("lane", "what", "wired_to", "where"), row, strict=True)))
    else:
        present.table(f"{config.site.name}, {config.site.time_zone}", ("Lane", "What", "Wired to", "Where"), rows)
    return 0
