"""`slagboom check-config`: the wiring as a table, or every mistake by its path in the file."""

from pathlib import Path

from edge import present
from edge.config import load_config, wiring


def check(path: Path, *, as_json: bool) -> int:
    """Print the wiring. Raises `ConfigError` with every mistake."""
    config = load_config(path)
    rows = wiring(config)
    if as_json:
        for row in rows:
            present.json_line(dict(zip(("lane", "what", "wired_to", "where"), row, strict=True)))
        return 0
    present.table(f"{config.site.name}, {config.site.time_zone}", ("Lane", "What", "Wired to", "Where"), rows)
    return 0
