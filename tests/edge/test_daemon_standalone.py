"""A site on its own that joins a portal later: same database, same people, and no row of its history is lost."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge import clock
from gate_controller.facts import Granted, Opened, Refused
from gate_controller.reasons import Reason
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.operator.asked import Import
from hardware_sim.portal.operator.importing import import_list
from sync.device_key import device_key
from sync.onlooker import journal_of, look_in
from sync.portal import Surroundings
from tests.edge.test_daemon import ANNAS_BADGE, SITE, Gate, running

OTHER_BADGE = "000414CD7F"


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "list.csv").write_text(f"external_id,plate,badge\nanna,98-THD-4,{ANNAS_BADGE}\n")
    gate = Gate(tmp_path)
    with gate.board, gate.reader, gate.scanner:
        yield gate


async def test_who_is_added_to_the_file_gets_in_without_a_restart(gate: Gate) -> None:
    async with running(gate):
        await gate.drives_up()
        gate.reader.present(OTHER_BADGE)
        await gate.facts(Refused)
        with (gate.folder / "list.csv").open("a") as file:
            file.write(f"bert,AB-123-CD,{OTHER_BADGE}\n")
        async with asyncio.timeout(60):
            while look_in(gate.folder / "slagboom.db").allowlist.user_by_external("bert") is None:
                await asyncio.sleep(0.1)
        await gate.seen(0.7)
        gate.reader.present(OTHER_BADGE)
        (granted,) = await gate.facts(Granted)
        assert isinstance(granted, Granted)
        assert granted.external_id == "bert"


async def test_joining_a_portal_keeps_the_journal_and_whoever_is_inside(gate: Gate, mosquitto: Any) -> None:
    async with running(gate):
        await gate.drives_up()
        gate.reader.present(ANNAS_BADGE)
        await gate.facts(Opened)
        await gate.passes()
    before = journal_of(gate.folder / "slagboom.db")
    around = Surroundings(clock.now, lambda: 0.5, lambda: secrets.token_hex(8))
    portal = await Portal.open(gate.folder / "portal.db", "default", "site", around)
    await import_list(portal, Import(str(gate.folder / "list.csv")), ZoneInfo("Europe/Amsterdam"))
    await portal.register("edge", device_key(gate.folder).public)
    link = f'[portal]\nhost = "127.0.0.1"\nport = {mosquitto.port}\nroot_key = "{portal.keys.root_key.hex()}"'
    settings = gate.folder / "site.toml"
    settings.write_text(SITE.replace('[list]\nfile = "list.csv"', link))
    serving = asyncio.ensure_future(portal.serve("127.0.0.1", mosquitto.port))
    async with running(gate):
        async with asyncio.timeout(60):
            while await portal.applied() != (1, 1):
                await asyncio.sleep(0.05)
        gate.contacts["approach"] = True
        await gate.seen(0.7)
        gate.reader.present(ANNAS_BADGE)
        (refused,) = await gate.facts(Refused)
        assert isinstance(refused, Refused)
        assert refused.reason is Reason.ALREADY_INSIDE
        rows = journal_of(gate.folder / "slagboom.db")
        async with asyncio.timeout(60):
            while len(await portal.events(limit=1000)) < len(rows):
                await asyncio.sleep(0.05)
    events = await portal.events(limit=1000)
    assert [row.seq for row in rows[: len(before)]] == [row.seq for row in before]
    assert [event.seq for event in events][: len(rows)] == [row.seq for row in rows]
    (edge,) = await portal.edges()
    assert {event.ledger for event in events} == {edge.ledger}
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await portal.close()
