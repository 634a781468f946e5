"""A line plot as SVG: a title, two labelled axes, one colour a line, a legend. Nothing that needs a library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 64, 56
COLOURS: Final = ("#1f6feb", "#d1520f", "#2a7f3f", "#8250df", "#57606a")
TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one line, as (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn; `svg` is the picture."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]

    def svg(self) -> str:
        """The picture as text."""
        xs = [x for line in self.lines for x, _ in line.points] or [0.0, 1.0]
        ys = [y for line in self.lines for _, y in line.points] or [0.0, 1.0]
        across, up = _Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT), _Scale(0, max(ys), HEIGHT - BOTTOM, TOP)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            'font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            _text(LEFT, 24, self.title, size=16),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, self.x, anchor="middle"),
            _text(14, TOP - 10, self.y),
        ]
        parts += [_tick_across(across, value) for value in across.ticks]
        parts += [_tick_up(up, value) for value in up.ticks]
        for n, line in enumerate(self.lines):
            colour = COLOURS[n % len(COLOURS)]
            points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line.points)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts.append(_text(LEFT + 180 * n, 44, line.name, colour=colour))
        return "\n".join([*parts, "</svg>", ""])


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        step = 10 ** floor(log10(max(high - low, 1e-9) / TICKS))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= TICKS)
        self.low, self.high = floor(low / step) * step, ceil(high / step) * step
        self._start, self._end = start, end
        self.ticks = [self.low + n * step for n in range(round((self.high - self.low) / step) + 1)]

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self._start + share * (self._end - self._start)


def _tick_across(scale: _Scale, value: float) -> str:
    x = scale(value)
    return (
        f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#e5e7eb"/>'
        + _text(x, HEIGHT - BOTTOM + 18, f"{value:g}", anchor="middle")
    )  # fmt: skip


def _tick_up(scale: _Scale, value: float) -> str:
    y = scale(value)
    return (
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#e5e7eb"/>'
        + _text(LEFT - 8, y + 4, f"{value:g}", anchor="end")
    )  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 13, colour: str = "#24292f") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{colour}">{escape(text)}</text>'
