"""The time that a command decides as of, and the zone it is meant in where no site says so."""

import os
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from edge import clock
from gate_controller.errors import BadInput

_MACHINE_ZONE: Final = Path("/etc/localtime")
_YEARS: Final = range(1970, 3000)


def local_zone() -> tzinfo:
    """The machine's own time zone with its rules for summer time; UTC where it names none."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with _MACHINE_ZONE.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (OSError, ValueError, KeyError):
        return ZoneInfo("UTC")


def instant(text: str | None, tz: tzinfo, option: str = "--at") -> datetime:
    """The time of an option, in `tz` unless it says otherwise; now where it is left out. Raises `BadInput`."""
    if text is None:
        return clock.now().wall.astimezone(tz)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.year not in _YEARS:
        raise BadInput(f'{option}: "{text}" is no time; write it like 2026-01-05T07:30')
    return at.astimezone(tz) if at.tzinfo else at.replace(tzinfo=tz)
