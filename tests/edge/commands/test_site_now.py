from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge import clock
from edge.commands.site_now import site_now
from edge.config import Config, load_config
from gate_controller.changes import UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.errors import ListFileError, StoreError
from gate_controller.facts import Basis, Direction, Granted, HoldId, LaneId, Matched, Passed
from gate_controller.moment import Moment
from gate_controller.plates import Plate
from gate_controller.standing_orders import Switched, Void
from gate_controller.users import User
from sync.listfile import read_list
from sync.store import Store

AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
PORTAL = '[portal]\nhost = "x"\nroot_key = "' + "0" * 64 + '"\n'

SITE = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
capacity = 3
[boards.main]
kind = "modbus_relay8"
port = "x"
[lanes.entry]
direction = "in"
board = "main"
camera = "x.mp4"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
"""


def settings(tmp_path: Path, more: str) -> Config:
    (tmp_path / "site.toml").write_text(SITE + more)
    (tmp_path / "users.csv").write_text("external_id,plate\n1,B-NO 1234\n")
    return load_config(tmp_path / "site.toml")


async def filled(path: Path, epoch: str = "e") -> None:
    store = await Store.open(path, lambda: "ledger")
    await store.replace_list(epoch, 7, [UserPut(User("u1", "4711", plates=(PlateCredential(Plate("AB1")),)))], AT)
    basis = Basis(epoch, 7, Matched.EXACT, as_matched="AB1")
    grant = Granted(LaneId("entry"), Direction.IN, HoldId("h"), "u1", "4711", "AB1", basis)
    await store.append([(AT, grant), (AT, Passed(LaneId("entry"), Direction.IN, HoldId("h")))])
    await store.close()


def test_before_the_first_run_the_list_file_counts(tmp_path: Path) -> None:
    site = site_now(settings(tmp_path, '[list]\nfile = "users.csv"\n'))
    assert site.allowlist.find_plate(Plate("BNO1234")).user is not None
    assert str(site.tz) == "Europe/Amsterdam"
    assert site.rules.capacity == 3
    assert site.list_confirmed_at is None
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".db"] == []


async def test_a_portals_site_is_what_its_database_holds(tmp_path: Path) -> None:
    await filled(tmp_path / "slagboom.db")
    site = site_now(settings(tmp_path, PORTAL))
    assert site.allowlist.revision == 7
    assert site.list_confirmed_at == AT
    store = await Store.open(tmp_path / "slagboom.db", lambda: "ledger")
    await store.note_list_age(AT, 7200.0)
    void = Void("4711", "", "e", 8, "e")
    await store.make_void(void)
    await store.switch_lane(Switched(LaneId("entry"), active=False, setting=True))
    await store.close()
    # As if somebody had set the clock back to the very moment.
    age = site_now(settings(tmp_path, PORTAL)).list_age(Moment(AT, clock.now().wall.timestamp()))
    assert age is not None
    assert 7199 < age.total_seconds() < 7300
    assert [session.plate for session in site.occupancy.inside()] == ["AB1"]
    now = site_now(settings(tmp_path, PORTAL))
    assert (now.inactive, now.voids) == ({"entry"}, {void})


async def test_a_list_file_changed_since_then_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(tmp_path, '[list]\nfile = "users.csv"\n')
    await filled(tmp_path / "slagboom.db")
    assert site_now(config).allowlist.revision == 7
    assert capsys.readouterr().err == (
        f"warning: {tmp_path / 'users.csv'}: changed since the site read it; "
        "while it runs it takes a good list over within seconds\n"
    )


async def test_an_unchanged_list_file_is_not_spoken_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = settings(tmp_path, '[list]\nfile = "users.csv"\n')
    await filled(tmp_path / "slagboom.db", read_list(tmp_path / "users.csv", UTC).allowlist.epoch)
    site_now(config)
    assert capsys.readouterr().err == ""


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such database"):
        site_now(settings(tmp_path, PORTAL))
    config = settings(tmp_path, '[list]\nfile = "users.csv"\n')
    (tmp_path / "users.csv").write_text("nonsense")
    with pytest.raises(ListFileError):
        site_now(config)
