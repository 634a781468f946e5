"""Weekly schedules as people write them: `Mo-Fr 06:00-20:00`, `Sa,So 08:00-12:00; Mo 22:00-06:00`.

A schedule is read in local wall time, so it follows the site's clock through both changes of daylight saving
time by itself: the caller hands in a local time. Not here: holidays, dates, validity (`users.Permit`).
"""

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from gate_controller.errors import ScheduleError

_DAY = 24 * 60
_WEEK = 7 * _DAY
_TEXT_LEN_MAX = 500
_DAYS = {
    name: day
    for day, names in enumerate(
        ("mo mon monday montag", "di tu tue tuesday dienstag", "mi we wed wednesday mittwoch",
         "do th thu thursday donnerstag", "fr fri friday freitag", "sa sat saturday samstag",
         "so su sun sunday sonntag")
    )
    for name in names.split(" ")
}  # fmt: skip
_SPAN = re.compile(r"(?P<from>\d{1,2}:\d\d)\s*[-–]\s*(?P<to>\d{1,2}:\d\d)")
_EXAMPLE = "write it like 'Mo-Fr 06:00-20:00; Sa,So 08:00-12:00'"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A weekly schedule; `text` is as written. Raises `ScheduleError` when the text is none."""

    text: str

    def __post_init__(self) -> None:
        _spans(self.text)

    def allows(self, local: datetime) -> bool:
        """Whether the schedule covers this local wall time; a span's end is outside it."""
        starts, ends = _spans(self.text)
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        at = bisect_right(starts, minute) - 1
        return at >= 0 and minute < ends[at]


@lru_cache(maxsize=1024)  # a site has few schedules and asks them often
def _spans(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Starts and ends of the covered stretches in minutes of the week, merged and in order."""
    if len(text) > _TEXT_LEN_MAX:
        raise ScheduleError(f"schedule: {len(text)} characters; at most {_TEXT_LEN_MAX}, {_EXAMPLE}")
    found: list[tuple[int, int]] = []
    for part in text.split(";"):
        if part.strip():
            found += _part(part.strip(), text)
    if not found:
        raise ScheduleError(f"schedule {text!r}: empty; {_EXAMPLE}, or leave it out to allow any time")
    merged: list[list[int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return tuple(start for start, _ in merged), tuple(end for _, end in merged)


def _part(part: str, text: str) -> list[tuple[int, int]]:
    """The stretches of one part, `Mo-Fr 06:00-12:00, 13:00-17:00`."""
    begin = re.search(r"\d", part)
    days = _days(part[: begin.start()] if begin else part, text)
    spans = _times(part[begin.start() :], text) if begin else [(0, _DAY)]
    found: list[tuple[int, int]] = []
    for day in days:
        for start, end in spans:
            whole = (day * _DAY + start, day * _DAY + (end if end > start else end + _DAY))
            found.append((whole[0], min(whole[1], _WEEK)))
            if whole[1] > _WEEK:  # Sunday night reaches into Monday
                found.append((0, whole[1] - _WEEK))
    return found


def _days(words: str, text: str) -> list[int]:
    if not words.strip():
        return list(range(7))
    found: list[int] = []
    for word in words.replace("–", "-").split(","):
        if not word.strip():
            continue
        first, _, last = word.partition("-")
        start = _day(first, text)
        end = _day(last, text) if last.strip() else start
        found += [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    return found


def _day(word: str, text: str) -> int:
    day = _DAYS.get(word.strip().rstrip(".").lower())
    if day is None:
        raise ScheduleError(f"schedule {text!r}: {word.strip()!r} is no weekday (Mo Di Mi Do Fr Sa So); {_EXAMPLE}")
    return day


def _times(words: str, text: str) -> list[tuple[int, int]]:
    found = []
    for word in words.split(","):
        span = _SPAN.fullmatch(word.strip())
        if span is None:
            raise ScheduleError(f"schedule {text!r}: {word.strip()!r} is no span of times; {_EXAMPLE}")
        found.append((_minute(span["from"], text), _minute(span["to"], text)))
    return found


def _minute(clock: str, text: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise ScheduleError(f"schedule {text!r}: {clock} is no time of day; use 00:00 to 24:00")
    return hour * 60 + minute
