"""Quarantine: the newest first, named by a number, kept for a time and up to a number."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.journals import quarantine
from hardware_sim.portal.journals.quarantine import KEPT_FOR, Quarantine
from hardware_sim.portal.journals.reading import Quarantined, Why
from sync.database import Database

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


@pytest.fixture
async def kept(tmp_path: Path) -> Quarantine:
    database = await Database.open(tmp_path / "portal.db", PORTAL)
    await database.close()
    return Quarantine(sqlite3.connect(tmp_path / "portal.db", isolation_level=None))


def put(kept: Quarantine, *seqs: int, at: datetime = T0) -> None:
    for seq in seqs:
        kept.put("g", "L", Quarantined(seq, Why.UNREADABLE, f"row {seq}"), at)


def seqs(kept: Quarantine) -> list[int]:
    return [one.event.seq for one in kept.newest(100)]


async def test_each_is_there_once_and_is_dropped_by_its_number(kept: Quarantine) -> None:
    put(kept, 1, 2, 3, 2)
    assert seqs(kept) == [3, 2, 1]
    second = kept.newest(100)[1]
    assert kept.one(second.number).event.text == "row 2"
    kept.drop([second.number])
    assert seqs(kept) == [3, 1]
    with pytest.raises(BadInput, match=f"the number {second.number}; "):
        kept.drop([second.number])


async def test_what_is_older_than_a_month_is_forgotten(kept: Quarantine) -> None:
    put(kept, 1)
    put(kept, 2, at=T0 + timedelta(seconds=1))
    kept.forget(T0 + KEPT_FOR - timedelta(seconds=1))
    assert seqs(kept) == [2, 1]
    kept.forget(T0 + KEPT_FOR)
    assert seqs(kept) == [2]


async def test_the_oldest_give_way(kept: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "KEPT_LEN_MAX", 3)
    put(kept, *range(1, 7))
    assert seqs(kept) == [6, 5, 4]
