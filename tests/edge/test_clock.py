"""The one reading of the clock: wall time in UTC, monotonic seconds beside it."""

from datetime import UTC, datetime
from pathlib import Path

from edge import clock


def test_wall_time_is_now_and_in_utc(tmp_path: Path) -> None:
    file = tmp_path / "now"
    file.touch()
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    wall = clock.now().wall
    assert wall.utcoffset() == UTC.utcoffset(None)
    assert abs((wall - written).total_seconds()) < 5.0


def test_monotonic_seconds_never_go_back() -> None:
    readings = [clock.now().mono_s for _ in range(1000)]
    assert readings == sorted(readings)
    assert readings[-1] > readings[0]
