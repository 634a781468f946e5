"""The storm in one picture: above, how many edges are connected and done; below, what was busy."""

from pathlib import Path
from typing import Final

from benchmarks._plot import Band, Line, Panel, Plot
from benchmarks._storm_seen import History, Portal, Work

BEFORE_S: Final = 3.0
"""Seconds before the broker was killed that are shown."""
EVERY_S: Final = 0.5


def draw(
    file: Path, history: History, work: Work, portal: Portal, gone: float, back: float, edges: int, rows: int
) -> None:
    """Write the picture; the broker was away from `gone` to `back`, which is second 0."""
    since = gone - BEFORE_S

    def shown(points: list[tuple[float, float]], factor: float = 1.0) -> list[tuple[float, float]]:
        return [(at - back, factor * value) for at, value in points]

    def counted(what: str) -> list[tuple[float, float]]:
        line = [(at, float(count)) for at, count in history.counts(what)]
        before = [count for at, count in line if at < since] or [0.0]
        return shown(
            [(since, before[-1]), *((at, n) for at, n in line if at >= since), (history.until, line[-1][1])]
        )

    plot = Plot(
        f"A broker with {edges:,} edges is killed and comes back",
        f"each edge wrote {rows} rows meanwhile; one portal, one broker and all edges on one machine",
        "seconds since the broker came back",
        [
            Panel(
                "edges:",
                [
                    Line("connected", counted("connected"), steps=True),
                    Line("all their rows at the portal", counted("drained"), steps=True),
                ],
                top=edges,
            ),
            Panel(
                "busy:",
                [
                    Line("portal: a message in hand", shown(portal.line("line", since, EVERY_S), 100)),
                    Line("portal: its commits", shown(portal.line("commit", since, EVERY_S), 100)),
                    Line("broker, of a core", shown(work.line("broker", back), 100)),
                ],
                top=100,
                unit=" %",
            ),
        ],
        [Band("broker gone", gone - back, 0.0)],
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(plot.svg(), encoding="utf-8")
