"""Weekly schedules in local time, over midnight, over the week's end and over both changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import ScheduleError
from gate_controller.schedule import Schedule

MONDAY = datetime(2026, 1, 5)
BERLIN = ZoneInfo("Europe/Berlin")


def at(day: int, clock: str) -> datetime:
    """Local time on a day of that week, 0 for Monday."""
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("text", "day", "clock", "allowed"),
    [
        ("Mo-Fr 06:00-20:00", 0, "06:00", True),
        ("Mo-Fr 06:00-20:00", 0, "05:59", False),
        ("Mo-Fr 06:00-20:00", 4, "19:59", True),
        ("Mo-Fr 06:00-20:00", 4, "20:00", False),
        ("Mo-Fr 06:00-20:00", 5, "12:00", False),
        ("Sa,So 08:00-12:00; Mo 22:00-06:00", 6, "08:00", True),
        ("Sa,So 08:00-12:00; Mo 22:00-06:00", 0, "23:00", True),
        ("Sa,So 08:00-12:00; Mo 22:00-06:00", 1, "05:59", True),
        ("Sa,So 08:00-12:00; Mo 22:00-06:00", 1, "06:00", False),
        ("Sa,So 08:00-12:00; Mo 22:00-06:00", 0, "05:00", False),
        ("So 22:00-06:00", 0, "05:00", True),
        ("So 22:00-06:00", 6, "21:00", False),
        ("Fr-Mo 10:00-11:00", 0, "10:30", True),
        ("Fr-Mo 10:00-11:00", 3, "10:30", False),
        ("07:00-09:00", 5, "08:00", True),
        ("Sa", 5, "23:59", True),
        ("Sa", 6, "00:00", False),
        ("Mo-So 00:00-24:00", 6, "23:59", True),
        ("Mon-Wed 8:00-12:00, 13:00-17:00", 2, "13:00", True),
        ("Mon-Wed 8:00-12:00, 13:00-17:00", 2, "12:30", False),
        ("mo–fr 06:00 – 20:00", 1, "07:00", True),
    ],
)
def test_a_schedule_means_what_it_says(text: str, day: int, clock: str, allowed: bool) -> None:
    assert Schedule(text).allows(at(day, clock)) is allowed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"),
        (" ; ", "empty"),
        ("Mo-Xx 06:00-20:00", "'Xx' is no weekday"),
        ("Mo 6-20", "no span of times"),
        ("Mo 25:00-26:00", "no time of day"),
        ("Mo 24:30-25:00", "no time of day"),
        ("Mo 06:60-07:00", "no time of day"),
        ("whenever", "no weekday"),
        ("Mo 06:00-20:00 or so", "no span of times"),
        ("Mo " * 1000, "characters"),
    ],
)
def test_text_that_is_no_schedule_is_told_with_an_example(text: str, told: str) -> None:
    with pytest.raises(ScheduleError, match="schedule") as error:
        Schedule(text)
    assert told in str(error.value)
    assert "Mo-Fr 06:00-20:00" in str(error.value) or "time of day" in told
    assert len(str(error.value)) < 700


@given(st.text(max_size=40))
def test_any_text_is_a_schedule_or_a_schedule_error(text: str) -> None:
    try:
        Schedule(text).allows(MONDAY)
    except ScheduleError:
        return


def test_local_wall_time_counts_when_clocks_change() -> None:
    schedule = Schedule("So 02:30-03:30")
    spring = [
        datetime(2026, 3, 29, 0, 59, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
    ]  # 01:59, then 03:00
    assert [schedule.allows(moment.astimezone(BERLIN)) for moment in spring] == [False, True]
    assert not schedule.allows(datetime(2026, 3, 29, 1, 30, tzinfo=UTC).astimezone(BERLIN)), "03:30 is outside"
    autumn = [datetime(2026, 10, 25, hour, 45, tzinfo=UTC) for hour in (0, 1)]  # 02:45 twice
    assert [schedule.allows(moment.astimezone(BERLIN)) for moment in autumn] == [True, True]


def test_a_working_day_is_eight_hours_of_wall_time_on_either_side_of_the_change() -> None:
    schedule = Schedule("Mo-So 09:00-17:00")
    for day in (datetime(2026, 3, 28), datetime(2026, 3, 29), datetime(2026, 10, 25)):
        allowed = sum(schedule.allows(day + timedelta(minutes=minute)) for minute in range(24 * 60))
        assert allowed == 8 * 60
