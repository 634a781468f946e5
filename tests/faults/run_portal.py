"""The reference portal as a process of its own: changes and orders come as JSON lines, and so do the answers."""

import asyncio
import json
import logging
import os
import random
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Any

from edge import clock
from gate_controller.errors import SlagboomError
from gate_controller.lane import Order
from gate_controller.users import UserStatus
from hardware_sim.portal.edges.service import Portal
from sync.orders import LaneOrder, SyncNow
from sync.portal import Surroundings
from tests.faults.run_daemon import QUICK

TENANT, SITE = "t", "s"


async def run(folder: Path, port: int) -> None:
    """Serve until stdin ends or a signal comes."""
    around = Surroundings(clock.now, random.random, partial(secrets.token_hex, 8))
    portal = await Portal.open(folder / "portal.db", TENANT, SITE, around)
    asked: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), lambda: asked.put_nowait(os.read(sys.stdin.fileno(), 1 << 16)))
    async with asyncio.TaskGroup() as group:
        group.create_task(portal.serve("127.0.0.1", port, QUICK))
        _say({"ready": True})
        rest = b""
        while data := await asked.get():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                group.create_task(_answer(portal, json.loads(line)))
        os._exit(0)


async def _answer(portal: Portal, request: dict[str, Any]) -> None:
    number = request.pop("id")
    try:
        await _do(portal, **request)
    except SlagboomError as error:
        logging.warning("%s", error)
        _say({"id": number, "error": str(error)})
    else:
        _say({"id": number, "error": None})


async def _do(portal: Portal, do: str, name: str, text: str = "") -> None:
    match do:
        case "add":
            await portal.add_user(name, badges=[text])
        case "badge":
            await portal.add_badge(name, text)
        case "on" | "off":
            await portal.set_status(name, UserStatus.ACTIVE if do == "on" else UserStatus.INACTIVE)
        case "remove":
            await portal.remove_user(name)
        case "order":
            lane, text = text.split()
            await portal.command(name, LaneOrder(lane, Order.OPEN, "portal", f"order {text}"))
        case "register":
            await portal.register(name, bytes.fromhex(text))
        case "sync":
            await portal.command(name, SyncNow())
        case _:
            raise ValueError(do)


def _say(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
