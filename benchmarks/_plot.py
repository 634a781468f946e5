"""Line plots as SVG: panels above each other over one axis, one colour a line, stretches of it shaded and named.

Nothing that needs a library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

WIDTH, LEFT, RIGHT = 860, 72, 24
HEAD, FOOT = 66, 48
PANEL, LEGEND, BETWEEN = 210, 34, 22
COLOURS: Final = ("#1f6feb", "#d1520f", "#2a7f3f", "#8250df", "#57606a")
DARK, PALE, SHADE = "#24292f", "#e5e7eb", "#f4dfd8"
LETTER: Final = 7.2
"""Width of a letter of the legend."""


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one line, as (x, y); `steps` where a value holds until the next."""

    name: str
    points: Sequence[tuple[float, float]]
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the axis that has a name."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines with one scale, from 0 up to at least `top`; `unit` follows each of its numbers."""

    title: str
    lines: Sequence[Line]
    top: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn; `svg` is the picture."""

    title: str
    subtitle: str
    x: str
    panels: Sequence[Panel]
    bands: Sequence[Band] = ()

    def svg(self) -> str:
        """The picture as text."""
        xs = [x for panel in self.panels for line in panel.lines for x, _ in line.points] or [0.0, 1.0]
        across = _Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, 10)
        height = HEAD + len(self.panels) * (LEGEND + PANEL + BETWEEN) + FOOT - BETWEEN
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            'font-size="13">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            _text(LEFT, 28, self.title, size=18),
            _text(LEFT, 50, self.subtitle, colour="#57606a"),
            _text((LEFT + WIDTH - RIGHT) / 2, height - 10, self.x, anchor="middle"),
        ]
        for number, panel in enumerate(self.panels):
            top = HEAD + number * (LEGEND + PANEL + BETWEEN) + LEGEND
            parts += self._panel(panel, across, top, COLOURS[2 * number :] + COLOURS)
        return "\n".join([*parts, "</svg>", ""])

    def _panel(self, panel: Panel, across: "_Scale", top: float, colours: Sequence[str]) -> list[str]:
        bottom = top + PANEL
        up = _Scale(0, max([panel.top, *(y for line in panel.lines for _, y in line.points)]), bottom, top, 5)
        parts = []
        for band in self.bands:
            start, end = across(band.start), across(band.end)
            parts.append(
                f'<rect x="{start:.1f}" y="{top}" width="{end - start:.1f}" height="{PANEL}" fill="{SHADE}"/>'
            )
            parts.append(_text((start + end) / 2, top + 16, band.name, anchor="middle", colour="#a0400c"))
        parts += [_tick_across(across, value, top, bottom) for value in across.ticks]
        parts += [_tick_up(up, value, panel.unit) for value in up.ticks]
        x = LEFT + LETTER * len(panel.title) + 20
        parts.append(_text(LEFT, top - 12, panel.title))
        for line, colour in zip(panel.lines, colours, strict=False):
            points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in _corners(line))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
            parts.append(f'<rect x="{x:.1f}" y="{top - 20}" width="18" height="4" fill="{colour}"/>')
            parts.append(_text(x + 24, top - 12, line.name, colour=colour))
            x += LETTER * len(line.name) + 50
        return parts


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float, ticks: int) -> None:
        step = 10 ** floor(log10(max(high - low, 1e-9) / ticks))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= ticks)
        self.low, self.high = floor(low / step) * step, ceil(high / step) * step
        self._start, self._end = start, end
        self.ticks = [self.low + n * step for n in range(round((self.high - self.low) / step) + 1)]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self._start + share * (self._end - self._start)


def _corners(line: Line) -> list[tuple[float, float]]:
    if not line.steps:
        return [*line.points]
    corners = [*line.points[:1]]
    for (_, before), (x, y) in zip(line.points, line.points[1:], strict=False):
        corners += [(x, before), (x, y)]
    return corners


def _tick_across(scale: _Scale, value: float, top: float, bottom: float) -> str:
    x = scale(value)
    return (
        f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{PALE}"/>'
        + _text(x, bottom + 18, f"{value:g}", anchor="middle")
    )  # fmt: skip


def _tick_up(scale: _Scale, value: float, unit: str) -> str:
    y = scale(value)
    return (
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{PALE}"/>'
        + _text(LEFT - 8, y + 4, f"{value:,.10g}{unit}", anchor="end")
    )  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = DARK) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{colour}">{escape(text)}</text>'
