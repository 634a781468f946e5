"""Keys at the portal: reservations follow the desks, late keys are told of, once, to those whom it concerns."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from gate_controller.desk import Reservation, ReservationState
from gate_controller.errors import StoreError
from gate_controller.facts import HoldId, KeyReturned, KeyTaken, LaneId, LaneStarted
from hardware_sim.portal.fleet import key_books, reservations
from hardware_sim.portal.fleet.key_books import keys_of, look
from hardware_sim.portal.fleet.reservations import mark_of
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from hardware_sim.portal.records.accounts import Role
from sync.codec import encode_fact
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house
from tests.hardware_sim.portal.pool_rig import a_pool, wanted

DESK = LaneId("front")


async def arrives(
    house: House, *facts: KeyTaken | KeyReturned | LaneStarted, at: datetime = BEGIN, seq: int | None = None
) -> None:
    """Events as a desk delivered them; the first is row `seq` of its journal."""

    def deed() -> None:
        db = house.portal.database.sql
        (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()
        for row_seq, fact in enumerate(facts, seq or last + 1):
            said = encode_fact(fact)
            row = ("gatehouse", "l", row_seq, at.isoformat(), said.kind, said.body.decode())
            db.execute("INSERT INTO event (edge, ledger, seq, at, kind, body) VALUES (?, ?, ?, ?, ?, ?)", row)

    await house.write(deed)


def taken(trip: Reservation) -> KeyTaken:
    return KeyTaken(DESK, 1, HoldId("h"), trip.id, trip.user_id)


def back(trip: Reservation, late_s: float = 0.0) -> KeyReturned:
    return KeyReturned(DESK, 1, trip.id, trip.user_id, late_s)


def state(house: House, trip: Reservation) -> ReservationState:
    return reservations.by_id(house.portal.allowlist, trip.id).state


async def subjects(house: House, name: str) -> list[str]:
    return [one.subject or "" for one in await house.run(house.mailbox.letters, f"{name}@example.com")]


async def deeds(house: House) -> list[str]:
    return [one.deed for one in await house.run(house.audit.deeds, "DACIA-1")]


async def people(house: House, *names: str) -> None:
    await a_pool(house, *names)
    for name in names:
        await house.add_account(
            "test", name, "acme", [Role.SUBSCRIBER], email=f"{name}@example.com", user_id=f"u-{name}"
        )


async def test_a_reservation_follows_its_key_once(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await arrives(house, LaneStarted(DESK), taken(trip))
        await look(house)
        assert state(house, trip) is ReservationState.OUT
        assert [one.reservation for one in await house.run(keys_of(house).out)] == [trip.id]
        revision = house.portal.allowlist.revision
        await look(house)
        await arrives(house, LaneStarted(DESK))
        await look(house)
        assert house.portal.allowlist.revision == revision
        await arrives(house, back(trip))
        await look(house)
        assert state(house, trip) is ReservationState.RETURNED
        assert await house.run(keys_of(house).out) == []
        assert (await deeds(house))[:2] == ["key.back", "key.taken"]
        assert await subjects(house, "sofie") == []


async def test_many_keys_at_once_are_followed_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_books, "NEWS_LEN_MAX", 2)
    async with a_house(tmp_path) as house:
        await people(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await arrives(house, taken(trip), back(trip), LaneStarted(DESK), taken(trip), back(trip), taken(trip))
        for _ in range(3):
            await look(house)
        assert state(house, trip) is ReservationState.OUT


async def test_after_an_outage_what_happened_last_counts_and_not_what_came_last(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await arrives(house, back(trip), seq=9)
        await look(house)
        await arrives(house, taken(trip), seq=4)
        await look(house)
        assert state(house, trip) is ReservationState.RETURNED
        assert await house.run(keys_of(house).out) == []
        assert (await deeds(house))[0] == "key.taken"
        await arrives(house, taken(trip), seq=11)
        await look(house)
        assert state(house, trip) is ReservationState.OUT


async def test_a_late_key_is_told_to_who_has_it_and_to_who_waits_and_so_is_its_return(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await people(house, "sofie", "lena", "omar")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie", 0, 2))
        await reservations.reserve(house, "omar", "u-omar", wanted("omar", 5, 6))
        await arrives(house, taken(trip))
        clock.pass_(hours=1)
        await look(house)
        assert await subjects(house, "sofie") == []
        clock.pass_(hours=1)
        for _ in range(2):
            await look(house)
        assert await subjects(house, "sofie") == ["The key is late"]
        assert await subjects(house, "omar") == ["Your vehicle is late"], "hers begins in three hours"
        await reservations.reserve(house, "lena", "u-lena", wanted("lena", 2, 4))
        for _ in range(2):
            await look(house)
        assert await subjects(house, "lena") == ["Your vehicle is late"]
        assert await subjects(house, "sofie") == ["The key is late"]
        clock.pass_(minutes=5)
        await arrives(house, back(trip, 300.0))
        await look(house)
        assert await subjects(house, "lena") == ["Your vehicle is back", "Your vehicle is late"]
        assert (await deeds(house))[0] == "key.back_late"


async def test_who_drives_in_days_is_not_told_today(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await people(house, "sofie", "lena")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await reservations.reserve(house, "lena", "u-lena", wanted("lena", 30, 31))
        await arrives(house, taken(trip))
        clock.pass_(hours=2)
        await look(house)
        assert (await subjects(house, "sofie"), await subjects(house, "lena")) == (["The key is late"], [])
        clock.pass_(hours=5)
        await look(house)
        assert await subjects(house, "lena") == ["Your vehicle is late"]


async def test_a_key_that_a_cut_off_desk_gave_without_right_is_told_to_who_has_the_vehicle(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people(house, "sofie", "lena")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await reservations.cancel(house, "sofie", trip.id, mark_of(trip, False))
        hers = await reservations.reserve(house, "lena", "u-lena", wanted("lena"))
        await arrives(house, taken(trip))
        await look(house)
        assert state(house, trip) is ReservationState.OUT
        assert state(house, hers) is ReservationState.BOOKED
        assert await subjects(house, "lena") == ["Your vehicle is out"]
        assert (await deeds(house))[0] == "key.taken_without_right"
        await arrives(house, back(trip))
        await look(house)
        assert await subjects(house, "lena") == ["Your vehicle is back", "Your vehicle is out"]


async def test_a_key_of_nobody_knows_what_hurts_nobody(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await people(house, "sofie")
        gone = Reservation("r-gone", "u-sofie", "DACIA-1", "north", BEGIN, BEGIN)
        await arrives(house, taken(gone), back(gone), KeyReturned(DESK, 3, "", ""))
        await look(house)
        assert await house.run(keys_of(house).out) == []


async def test_what_was_taken_is_told_again_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_house(tmp_path) as house:
        await people(house, "sofie")
        trip = await reservations.reserve(house, "sofie", "u-sofie", wanted("sofie"))
        await arrives(house, taken(trip))
        monkeypatch.setattr(key_books, "LOOK_EVERY_S", 0.0)
        failures, events = [StoreError("full"), StoreError("full")], house.portal.events

        async def sometimes(*args: int) -> Sequence[PortalEvent]:
            if failures:
                raise failures.pop()
            return await events(*args)

        monkeypatch.setattr(house.portal, "events", sometimes)
        task = asyncio.ensure_future(key_books.follow(house))
        async with asyncio.timeout(30):
            while state(house, trip) is not ReservationState.OUT:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_marks_of_two_states_differ() -> None:
    trip = Reservation("r", "u", "v", "s", BEGIN, BEGIN)
    assert mark_of(trip, False) != mark_of(replace(trip, state=ReservationState.OUT), False)
