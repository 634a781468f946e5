"""`slagboom operate` against a listening site, and against none."""

import asyncio
import getpass
from pathlib import Path

import pytest

from edge.commands.operate import clear, enrol, order, switch
from edge.control import serve
from gate_controller.errors import ControlError
from gate_controller.lane import Order
from sync.orders import Answer, ClearUser, EnrolBadge, LaneOrder, Request, SwitchLane

SITE = """\
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
[boards.main]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"
[lanes.entry]
direction = "in"
board = "main"
camera = "rtsp://camera/1"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


async def test_orders_carry_who_and_why(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Request] = []

    async def handle(request: Request) -> Answer:
        heard.append(request)
        return Answer(isinstance(request, LaneOrder), "under way" if isinstance(request, LaneOrder) else "nobody")

    task = asyncio.ensure_future(serve(config.with_name("slagboom.db.control"), handle))
    await asyncio.sleep(0.05)
    assert await asyncio.to_thread(order, config, "entry", Order.ACKNOWLEDGE, "reset") == 0
    with pytest.raises(ControlError, match="refused: nobody"):
        await asyncio.to_thread(clear, config, "A-1", "gone")
    with pytest.raises(ControlError, match="refused: nobody"):
        await asyncio.to_thread(switch, config, "entry", "rebuilt", active=False)
    with pytest.raises(ControlError, match="refused: nobody"):
        await asyncio.to_thread(enrol, config, "front", "A-1", "acme")
    task.cancel()
    me = getpass.getuser()
    assert heard == [
        LaneOrder("entry", Order.ACKNOWLEDGE, me, "reset"),
        ClearUser("A-1", me, "gone"),
        SwitchLane("entry", False, me, "rebuilt"),
        EnrolBadge("front", "A-1", me, "acme"),
    ]
    assert "under way" in capsys.readouterr().out


def test_without_a_daemon_the_fix_is_told(config: Path) -> None:
    with pytest.raises(ControlError, match="slagboom run"):
        order(config, "entry", Order.OPEN, "why not")
