"""The way up of one connection on a real store: births, batches that fit, journals that were cut or restored."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import MessageRefused
from gate_controller.facts import LaneId, VehicleLeft
from sync import uplink
from sync.messages import EventAck, EventBatch, Rows, Tail
from sync.store import Store
from sync.uplink import HISTORY_AFTER, Uplink
from tests.sync.portal_side import DEVICE, EDGE, said
from tests.sync.samples import T0, at, open_store

LEFT = VehicleLeft(LaneId("in"))


class Gate:
    """An edge's store and rows, and what it has sent."""

    def __init__(self, store: Store) -> None:
        self.store, self.wall = store, T0
        self.names = iter(f"L{number}" for number in range(2, 100))
        self.rows = Uplink(store, DEVICE, EDGE, lambda: self.wall, lambda: 0.0, lambda: next(self.names))

    async def connects(self, conn: int, **answer: Any) -> None:
        """A new connection, and the portal's answer to its birth."""
        self.rows.begin(conn)
        assert self.rows.birth_due()
        assert await self.sends() == []
        await self.hears(**answer)

    async def hears(self, through: int = 0, **other: Any) -> None:
        fields = {"aud": EDGE.audience, "ledger": self.store.ledger, "through": through} | other
        await self.rows.on_ack(EventAck(**fields))

    async def sends(self) -> list[EventBatch]:
        sent: list[bytes] = []
        await self.rows.send(sent.append)
        return [said(EventBatch, payload) for payload in sent]

    async def tail(self, seq: int) -> Tail:
        (row,) = await self.store.rows(seq - 1, 1)
        return Tail(seq, row.sum)


@pytest.fixture
async def gate(store: Store) -> Gate:
    return Gate(store)


async def test_nothing_is_sent_before_the_portal_has_answered_the_birth(gate: Gate) -> None:
    await gate.store.append(at(LEFT))
    gate.rows.begin(7)
    assert gate.rows.birth_due()
    assert not gate.rows.birth_due(), "told, and for a while not again"
    assert await gate.sends() == []
    deadline = gate.rows.deadline_s()
    assert deadline is not None
    await gate.hears(0)
    (batch,) = await gate.sends()
    assert (batch.conn, batch.ledger, batch.first, batch.last, batch.aud) == (7, "L1", 1, 1, "t/s/e1")


async def test_news_go_first_and_what_is_late_says_so(gate: Gate) -> None:
    await gate.store.append(at(LEFT, LEFT))
    gate.wall = T0 + HISTORY_AFTER + timedelta(seconds=1)
    gate.rows.begin(1)
    await gate.store.append([(gate.wall, LEFT)])
    await gate.hears(0)
    news, history = await gate.sends()
    assert [(event.seq, event.hist) for event in news.events] == [(3, False)]
    assert [(event.seq, event.hist) for event in history.events] == [(1, True), (2, True)]


async def test_only_what_the_portal_has_without_a_gap_is_marked_on_disk(gate: Gate) -> None:
    await gate.store.append(at(*[LEFT] * 300))
    await gate.connects(1)
    assert [(batch.first, batch.last) for batch in await gate.sends()] == [(1, 100), (101, 200), (201, 300)]
    await gate.hears(0, upto=300, missing=[Rows(1, 100)], batch=Rows(201, 300), tail=await gate.tail(300))
    assert gate.store.acked_through == 0
    await gate.hears(300, upto=300, tail=await gate.tail(300))
    assert gate.store.acked_through == 300
    assert gate.rows.deadline_s() is None


async def test_long_rows_go_in_short_batches_and_one_too_long_as_a_stub(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "BATCH_BYTES_MAX", 1000)
    monkeypatch.setattr(uplink, "BODY_LEN_MAX", 2000)
    long = [VehicleLeft(LaneId("x" * size)) for size in (10, 500, 500, 1500, 2500, 10)]
    await gate.store.append(at(*long))
    await gate.connects(1, window=16)
    batches = await gate.sends()
    assert [(batch.first, batch.last) for batch in batches] == [(1, 2), (3, 3), (4, 4), (5, 5), (6, 6)]
    bodies = [bytes(event.body) for batch in batches for event in batch.events]
    assert [len(body) > 1000 for body in bodies] == [False, False, False, True, False, False]
    assert bodies[4] == b"null"


async def test_acknowledgements_that_cannot_be_change_nothing(gate: Gate) -> None:
    await gate.store.append(at(LEFT, LEFT))
    await gate.connects(1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"ledger": "another", "through": 1}, "another_ledger"),
        ({"through": 3}, "impossible_ack"),
        ({"through": 1, "upto": 3}, "impossible_ack"),
        ({"through": 1, "batch": Rows(1, 3)}, "impossible_ack"),
    ]
    for fields, reason in wrong:
        with pytest.raises(MessageRefused, match=reason):
            await gate.hears(**fields)
    assert (gate.store.acked_through, gate.store.ledger) == (0, "L1")
    assert len(await gate.sends()) == 1


async def test_a_restored_journal_goes_on_under_a_new_name(tmp_path: Path) -> None:
    """Backed up with six rows, four of them acknowledged; then two more, which the portal has."""
    store = await open_store(tmp_path / "gate.db")
    await store.append(at(*[LEFT] * 6))
    await store.acked(4)
    await store.close()
    shutil.copy(tmp_path / "gate.db", tmp_path / "backup.db")
    store = await open_store(tmp_path / "gate.db")
    await store.append(at(LEFT, LEFT, minute=1))
    (_, lost) = await store.rows(6, 2)
    await store.close()

    gate = Gate(await open_store(tmp_path / "backup.db"))
    # It works on without a network before it comes back, so that its numbers do not tell.
    await gate.store.append(at(*[LEFT] * 5, minute=2))
    gate.rows.begin(1)
    await gate.hears(8, upto=8, tail=Tail(8, lost.sum))
    assert (gate.store.ledger, gate.store.ledger_after, gate.store.ledger_follows) == ("L2", 4, "L1")
    assert gate.store.acked_through == 4
    assert gate.rows.birth_due(), "the portal is told of the new name"
    assert await gate.sends() == []
    await gate.hears(4)
    (batch,) = await gate.sends()
    assert (batch.ledger, batch.after, batch.follows, batch.first, batch.last) == ("L2", 4, "L1", 5, 11)
    with pytest.raises(MessageRefused, match="another_ledger"):
        await gate.hears(8, ledger="L1")
    await gate.hears(11, upto=11, tail=await gate.tail(11))
    await gate.store.close()
    again = await open_store(tmp_path / "backup.db")
    assert (again.ledger, again.ledger_after, again.ledger_follows, again.acked_through) == ("L2", 4, "L1", 11)
    await again.close()


async def test_a_last_row_that_was_found_to_be_the_same_is_not_read_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gate.store.append(at(LEFT, LEFT))
    first, last = await gate.tail(1), await gate.tail(2)
    await gate.connects(1, through=1, upto=1, tail=first)
    read: list[int] = []
    rows = gate.store.rows

    async def counted(after_seq: int, limit: int) -> Any:
        read.append(after_seq + 1)
        return await rows(after_seq, limit)

    monkeypatch.setattr(gate.store, "rows", counted)
    await gate.hears(1, upto=1, tail=first)
    await gate.hears(2, upto=2, tail=last)
    await gate.hears(2, upto=2, tail=last)
    assert read == [2], "the new last row, once"
    await gate.hears(2, upto=2, tail=Tail(2, "0" * 32))
    assert gate.store.ledger != "L1", "another row under a number that was looked at"


async def test_a_journal_whose_end_is_gone_goes_on_under_a_new_name(gate: Gate) -> None:
    """The disk said that rows were written, and they were not."""
    await gate.store.append(at(*[LEFT] * 3))
    await gate.store.acked(3)
    await gate.connects(1, through=5, upto=5, tail=Tail(5, "0" * 32))
    assert (gate.store.ledger, gate.store.ledger_after) == ("L2", 3)
    await gate.hears(3)
    assert await gate.sends() == []
    await gate.store.append(at(LEFT))
    (batch,) = await gate.sends()
    assert (batch.ledger, batch.first) == ("L2", 4)
