"""Watching: what is new since the last look, a portal that goes away, and the picture that is drawn of it."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from gate_controller.errors import PortalError
from hardware_sim.portal.commands.watch import Watch, edge_line, picture
from hardware_sim.portal.operator.asked import AddEdge, AddUser
from hardware_sim.portal.operator.counter import ask, serve
from hardware_sim.portal.operator.folder import PortalFolder
from tests.running_site import ROOT

READ_WITHIN_S = 30.0


def drawn(seen: Watch) -> str:
    console = Console(width=140, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(picture(seen))
    return console.export_text()


@pytest.fixture
def folder(tmp_path: Path) -> PortalFolder:
    return PortalFolder.create(tmp_path / "p", "acme", "north", "UTC")


async def test_what_is_new_is_told_once_and_a_lost_portal_is_said_so(folder: PortalFolder) -> None:
    with pytest.raises(PortalError, match="does not run"):
        Watch(folder, clear=False)
    portal = await folder.open()
    task = asyncio.ensure_future(serve(folder, portal))
    try:
        await asyncio.sleep(0.1)
        seen = await asyncio.to_thread(lambda: Watch(folder, clear=False))
        await asyncio.to_thread(ask, folder, AddEdge("gatehouse", "SB-1"))
        (edge,), events = await asyncio.to_thread(seen.look)
        assert (edge["edge"], events) == ("gatehouse", [])
        assert edge_line(edge) == "edge gatehouse, link never seen, seen never"
        assert await asyncio.to_thread(seen.look) == ([], [])
        await asyncio.to_thread(ask, folder, AddUser("anna"))
        ((edge,), _) = await asyncio.to_thread(seen.look)
        assert edge["newest"] == 1
        assert "acme/north   list revision 1, in force on 0 of 1" in drawn(seen)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await portal.close()
    assert await asyncio.to_thread(seen.look) == ([], [])
    assert "the portal has not answered for 0 s" in drawn(seen)
    assert "gatehouse" in drawn(seen)


async def test_into_a_pipe_go_objects(folder: PortalFolder) -> None:
    portal = await folder.open()
    task = asyncio.ensure_future(serve(folder, portal))
    command = [sys.executable, "-m", "edge.cli", "portal", "watch", str(folder.path), "--json"]
    try:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(ask, folder, AddEdge("gatehouse", "SB-1"))
        child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        async with asyncio.timeout(READ_WITHIN_S):
            line = json.loads(await child.stdout.readline())
        assert (line["type"], line["edge"], line["online"]) == ("edge", "gatehouse", False)
        child.terminate()
        await child.wait()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await portal.close()
