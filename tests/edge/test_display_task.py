"""What a screen shows: a code that changes with time, and only while somebody can be asked about it."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.config import load_config
from edge.display_table import DisplayTable
from edge.display_task import CUT_OFF, SHOWN_FOR_S, DisplayTask, displays
from gate_controller.allowlist import Allowlist, DevicePut
from gate_controller.delegation import Device, DeviceKind, DeviceState
from gate_controller.facts import LaneId
from gate_controller.moment import Moment
from gate_controller.reasons import DRIVER, Reason
from gate_controller.site import Site
from hardware_sim.screen import SimulatedScreen
from sync import shown
from sync.device_key import device_key
from sync.shown import Shown
from sync.signing import Signer
from tests.edge.test_display_table import PORTAL, SCREEN, written

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TABLE = DisplayTable("/dev/null", "entry", "https://portal.example.net/")
KEY = Signer.of(bytes(32))


@dataclass
class Rig:
    """The daemon as far as a screen looks, and the portal."""

    site: Site
    connected: bool = True


def at(seconds: float) -> Moment:
    return Moment(BEGIN + timedelta(seconds=seconds), 1000.0 + seconds)


def a_rig() -> Rig:
    return Rig(Site(Allowlist.empty("e"), ZoneInfo("Europe/Amsterdam")))


def task(rig: Rig, port: str = "/dev/null") -> DisplayTask:
    return DisplayTask(TABLE, port, rig, lambda: rig.connected, KEY, "acme/north/gatehouse")


def code_of(address: str) -> Shown:
    begin = "https://portal.example.net/open/"
    assert address.startswith(begin), address
    code = shown.read(address.removeprefix(begin))
    assert code is not None
    assert code.is_by(KEY.public)
    return code


def test_the_code_changes_with_time_and_says_when_it_was_made() -> None:
    screen = task(a_rig())
    first = screen.sheet(at(0))
    assert screen.sheet(at(SHOWN_FOR_S - 0.1)) == first
    second = screen.sheet(at(SHOWN_FOR_S))
    assert second != first
    assert [code_of(one.qr).at for one in (first, second)] == [BEGIN, BEGIN + timedelta(seconds=SHOWN_FOR_S)]
    assert (code_of(first.qr).audience, code_of(first.qr).lane) == ("acme/north/gatehouse", "entry")


def test_cut_off_it_shows_no_code_and_afterwards_a_new_one() -> None:
    rig = a_rig()
    screen = task(rig)
    first = screen.sheet(at(0))
    rig.connected = False
    assert screen.sheet(at(1)) == CUT_OFF
    assert not CUT_OFF.qr
    rig.connected = True
    assert code_of(screen.sheet(at(2)).qr).at == BEGIN + timedelta(seconds=2)
    assert screen.sheet(at(3)) != first


def test_a_lane_that_decides_nothing_shows_no_code() -> None:
    rig = a_rig()
    screen, rig.site = task(rig), replace(rig.site, inactive=frozenset({LaneId("entry")}))
    assert (screen.sheet(at(0)).qr, screen.sheet(at(0)).lines) == ("", (DRIVER[Reason.DEVICE_INACTIVE],))
    unclaimed = DevicePut(Device("entry", DeviceKind.GATE, DeviceState.UNCLAIMED))
    rig.site = Site(Allowlist.empty("e").apply([unclaimed], 1), ZoneInfo("Europe/Amsterdam"))
    assert screen.sheet(at(0)).lines == (DRIVER[Reason.DEVICE_UNCLAIMED],)


def test_a_clock_set_back_does_not_stop_it() -> None:
    screen = task(a_rig())
    screen.sheet(at(0))
    back = Moment(BEGIN - timedelta(days=1), 1000.0 + SHOWN_FOR_S)
    assert code_of(screen.sheet(back).qr).at == back.wall


async def test_it_is_written_to_the_screen_and_again_when_that_was_unplugged(tmp_path: Path) -> None:
    rig = a_rig()
    with SimulatedScreen(tmp_path / "screen") as peer:
        async with asyncio.TaskGroup() as group, asyncio.timeout(30):
            running = group.create_task(task(rig, str(peer.path)).run())
            while not peer.qr:
                await asyncio.sleep(0.01)
            assert peer.text == ["Scan this with your phone", "to open entry."]
            peer.unplug()
            peer.qr = ""
            peer.plug()
            while not peer.qr:
                await asyncio.sleep(0.01)
            code_of(peer.qr)
            rig.connected = False
            while peer.qr:
                await asyncio.sleep(0.01)
            while peer.text != [*CUT_OFF.lines]:
                await asyncio.sleep(0.01)
            running.cancel()


def test_the_settings_name_screens_and_the_edges_own_key_signs(tmp_path: Path) -> None:
    rig, config = a_rig(), load_config(written(tmp_path, PORTAL + SCREEN))
    (screen,) = displays(config, rig, rig)
    code = shown.read(screen.sheet(at(0)).qr.rpartition("/")[2])
    assert code is not None
    assert code.is_by(device_key(tmp_path).public)
    assert code.audience == "default/site/edge"
    assert displays(config, rig, None) == []
    assert displays(load_config(written(tmp_path, PORTAL)), rig, rig) == []
