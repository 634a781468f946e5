"""`slagboom portal watch`: the edges and what happens there, as it comes. Plates are masked unless asked for.

On a terminal it is a picture that renews itself; elsewhere, and with `--json`, it is a line for each event and for
each change of an edge. It asks the running portal again and again, and says so when that no longer answers.
"""

import sys
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from edge import clock, present
from gate_controller.errors import PortalError
from hardware_sim.portal.commands.common import Column, Row, ago, local
from hardware_sim.portal.commands.edges import edge_columns, event_columns
from hardware_sim.portal.operator.asked import About, Edges, Events
from hardware_sim.portal.operator.counter import ask_running
from hardware_sim.portal.operator.folder import PortalFolder

if TYPE_CHECKING:
    from rich.console import RenderableType

LOOK_EVERY_S: Final = 0.5
SHOWN_MAX: Final = 15
"""Events in the picture."""
PAGE_MAX: Final = 500
STYLES: Final = {"online": "green", "offline": "bold red", "retired": "dim"}
TELLING: Final = ("online", "revision", "newest", "stale", "certificate_until", "retired", "software", "trouble")
"""What of an edge is worth a line when it changes; rows that wait come and go with every event."""


class Watch:
    """What was last seen of a portal; `look` asks again."""

    def __init__(self, folder: PortalFolder, *, clear: bool) -> None:
        """Raises PortalError when no portal runs there."""
        self.about = ask_running(folder, About()).rows[0]
        self.folder, self.clear = folder, clear
        self.edges: list[Row] = []
        self.events: deque[Row] = deque(maxlen=PAGE_MAX)
        self.lost_at: datetime | None = None
        """Since when the portal has not answered."""
        self._after: int | None = None

    def look(self) -> tuple[list[Row], list[Row]]:
        """What is new since the last look: edges that changed, and events."""
        try:
            edges = ask_running(self.folder, Edges()).rows
            events = ask_running(self.folder, Events(self._after, PAGE_MAX, self.clear)).rows
        except PortalError:
            self.lost_at = self.lost_at or clock.now().wall
            return [], []
        self.lost_at = None
        before = {row["edge"]: _telling(row) for row in self.edges}
        changed = [row for row in edges if before.get(row["edge"]) != _telling(row)]
        self.edges = edges
        self._after = events[-1]["number"] if events else self._after or 0
        self.events += events
        return changed, events


def watch(folder: PortalFolder, *, clear: bool, as_json: bool) -> None:
    """Show it until interrupted. Raises PortalError when no portal runs there."""
    seen = Watch(folder, clear=clear)
    if as_json or not sys.stdout.isatty():
        _lines(seen, as_json=as_json)
    else:
        _picture(seen)


def _lines(seen: Watch, *, as_json: bool) -> None:
    told_lost = False
    while True:
        edges, events = seen.look()
        for row in edges:
            _line({"type": "edge", **row}, edge_line(row), as_json=as_json)
        for row in events:
            plate = f" [{row['plate']}]" if row.get("plate") else ""
            text = f"{local(row['at'], seen.folder.tz)}  {row['edge']}  {row['text']}{plate}"
            _line({"type": "event", **row}, text, as_json=as_json)
        lost = seen.lost_at is not None
        if lost and not told_lost:
            present.warning("the portal does not answer; asking again")
        told_lost = lost
        time.sleep(LOOK_EVERY_S)


def edge_line(row: Row) -> str:
    """How an edge stands, in a line."""
    columns = edge_columns(UTC, clock.now().wall)
    return ", ".join(f"{head.lower()} {text}" for head, value in columns if (text := str(value(row) or "")))


def _line(row: Row, text: str, *, as_json: bool) -> None:
    if as_json:
        present.json_line(row)
    else:
        present.say(text)
        sys.stdout.flush()


def _picture(seen: Watch) -> None:
    from rich.live import Live

    with Live(picture(seen), auto_refresh=False, screen=True) as live:
        while True:
            seen.look()
            live.update(picture(seen), refresh=True)
            time.sleep(LOOK_EVERY_S)


def picture(seen: Watch) -> "RenderableType":
    """The edges, and below them the last events."""
    from rich.console import Group
    from rich.text import Text

    tz, now = seen.folder.tz, clock.now().wall
    newest = seen.edges[0]["newest"] if seen.edges else seen.about["revision"]
    applied = sum(row["applied"] for row in seen.edges)
    whose, edges = f"{seen.folder.tenant}/{seen.folder.site}", len(seen.edges)
    head = f"{whose}   list revision {newest}, in force on {applied} of {edges}"
    lost = f"   the portal has not answered for {ago(seen.lost_at.isoformat(), now)}" if seen.lost_at else ""
    return Group(
        Text.assemble((head, "bold"), (lost, "bold red")),
        _table(edge_columns(tz, now), seen.edges),
        _table(event_columns(tz, clear=seen.clear), [*seen.events][-SHOWN_MAX:]),
    )


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*(head for head, _ in columns), box=None, pad_edge=False)
    for row in rows:
        cells = [str(value(row) if value(row) is not None else "") for _, value in columns]
        drawn.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in cells))
    return drawn


def _telling(row: Row) -> tuple[object, ...]:
    return tuple(row.get(key) for key in TELLING)
