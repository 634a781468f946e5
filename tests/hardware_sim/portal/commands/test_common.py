"""How replies are printed: times as people at the site say them."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.commands.common import ago, local, moment
from hardware_sim.portal.operator.folder import PortalFolder

NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("2026-03-01T06:59:48+00:00", "12 s"),
        ("2026-03-01T08:00:01+01:00", "0 s"),
        ("2026-03-01T06:50:00+00:00", "10 min"),
        ("2026-02-28T07:00:00+00:00", "24 h"),
        ("2026-02-20T07:00:00+00:00", "9 d"),
        (None, "never"),
    ],
)
def test_how_long_ago(seen: str | None, said: str) -> None:
    assert ago(seen, NOW) == said


def test_times_are_the_site_s(tmp_path: Path) -> None:
    assert local("2026-03-01T06:59:48+00:00", ZoneInfo("Europe/Berlin")) == "2026-03-01 07:59:48"
    assert local(None, UTC) == ""
    folder = PortalFolder.create(tmp_path, "acme", "north", "Europe/Berlin").path
    assert moment("2026-07-01T12:00", folder, "--until") == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert moment(None, folder, "--until") is None
    with pytest.raises(BadInput, match="--until"):
        moment("noon", folder, "--until")
