from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.commands.when import instant, local_zone
from gate_controller.errors import BadInput

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def test_a_time_without_offset_is_the_sites_own_in_summer_and_winter() -> None:
    assert instant("2026-07-01T07:30", AMSTERDAM) == datetime(2026, 7, 1, 5, 30, tzinfo=UTC)
    assert instant("2026-01-05 07:30", AMSTERDAM) == datetime(2026, 1, 5, 6, 30, tzinfo=UTC)
    assert instant("2026-01-05", AMSTERDAM) == datetime(2026, 1, 4, 23, 0, tzinfo=UTC)


def test_an_offset_in_the_text_is_kept() -> None:
    at = instant("2026-01-05T07:30Z", AMSTERDAM)
    assert at == datetime(2026, 1, 5, 7, 30, tzinfo=UTC)
    assert at.hour == 8


def test_without_a_text_it_is_now() -> None:
    assert abs(instant(None, AMSTERDAM) - instant(None, UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "0001-01-01", "9999-12-31T23:59"])
def test_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=r'^--at: ".*" is no time; write it like 2026-01-05T07:30$'):
        instant(text, AMSTERDAM)


def test_the_zone_is_the_environments_where_it_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert datetime(2026, 1, 5, tzinfo=local_zone()).utcoffset() == timedelta(hours=9)
    monkeypatch.setenv("TZ", "nowhere/at all")
    assert datetime(2026, 1, 5, tzinfo=local_zone()).utcoffset() == timedelta(0)
    monkeypatch.delenv("TZ")
    assert datetime(2026, 1, 5, tzinfo=local_zone()).utcoffset() is not None
