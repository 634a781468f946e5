"""`[displays.NAME]` of the settings: a screen at an entry that shows a code for people's phones."""

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from edge.tables import Place, Text

URL_LEN_MAX = 150
"""So that the code with what is behind it stays one that phones read from a small screen."""


class DisplayTable(Struct, forbid_unknown_fields=True):
    """`[displays.NAME]`: a screen on a serial port, the lane it stands at, and where the portal's pages are."""

    port: Place
    lane: Text
    pages: Annotated[str, Meta(min_length=1, max_length=URL_LEN_MAX)]


def problems(
    displays: Mapping[str, DisplayTable], entries: Collection[str], ports: Collection[str], *, portal: bool
) -> Iterator[str]:
    """What is wrong with displays, each problem by its path; `ports` are those of other devices."""
    taken = set(ports)
    for name, display in displays.items():
        at = f"displays.{name}"
        if not portal:
            yield f"{at}: only a portal can say who may pass; add [portal], or leave this out"
        if display.lane not in entries:
            yield f'{at}.lane: no lane {display.lane} with direction "in"; an exit asks nobody for a code'
        if not _is_address(display.pages):
            yield f"{at}.pages: is no address; write that of the portal's pages, like https://portal.example.net"
        if display.port in taken:
            yield f"{at}.port: {display.port} is another device's port; give each its own"
        taken.add(display.port)


def wiring(lane: str, displays: Mapping[str, DisplayTable]) -> list[tuple[str, str, str, str]]:
    """Rows of (lane, what, wired to, where) for the technician's table."""
    return [(lane, f"display {name}", one.pages, one.port) for name, one in displays.items() if one.lane == lane]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    plain = text.isascii() and not any(letter.isspace() for letter in text)
    return (
        plain and parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    )
