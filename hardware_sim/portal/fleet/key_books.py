"""Keys as the desks tell of them: taken, back, late; reservations follow, and whoever waits for a late key is told.

What a desk tells may be hours old, and come after what happened later: the list follows the newest row of the
desk's journal, and each event counts once. Not here: who gets a key (`gate_controller.desk`).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from gate_controller.allowlist import Allowlist, Change, ReservationPut
from gate_controller.desk import Reservation, ReservationState, clash, drives
from gate_controller.errors import SlagboomError
from gate_controller.facts import KeyReturned, KeyTaken
from hardware_sim.portal.fleet.reservations import mail_to
from hardware_sim.portal.house import House
from hardware_sim.portal.journals.ledgers import PortalEvent
from sync.codec import FACT_KINDS

LOOK_EVERY_S: Final = 0.5
NEWS_LEN_MAX: Final = 100
"""Events of keys that are looked at in one go."""
NEXT_WITHIN: Final = timedelta(hours=24)
"""How long before a trip its driver is told that the key is still out."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeyOut:
    """A key that is out; `told` is the reservation whose driver was told that it is late."""

    reservation: str
    vehicle: str
    slot: int
    taken_at: datetime
    reminded: bool = False
    told: str = ""


class KeyBooks:
    """Keys of one open portal database; every method runs on its thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def through(self) -> int:
        """The last event that was followed."""
        return int(self._db.execute("SELECT through FROM keys_followed").fetchone()[0])

    def followed(self, number: int) -> None:
        """Every event up to this one was."""
        self._db.execute("UPDATE keys_followed SET through = ?", (number,))

    def news(self) -> tuple[list[int], int]:
        """Numbers of events of keys that were not followed yet, and through which event there are no others."""
        after = self.through()
        found = self._db.execute(
            "SELECT number FROM event WHERE number > ? AND kind IN (?, ?) ORDER BY number LIMIT ?",
            (after, FACT_KINDS[KeyTaken], FACT_KINDS[KeyReturned], NEWS_LEN_MAX),
        ).fetchall()
        numbers = [number for (number,) in found]
        newest = self._db.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0]
        return numbers, numbers[-1] if len(numbers) == NEWS_LEN_MAX else max(after, newest)

    def is_newest(self, reservation: str, event: PortalEvent) -> bool:
        """Whether the desk has told nothing of this key yet that happened later."""
        found = self._db.execute(
            "SELECT edge, ledger, seq FROM key_told WHERE reservation = ?", (reservation,)
        ).fetchone()
        return found is None or found[:2] != (event.edge, event.ledger) or found[2] < event.seq

    def told(self, reservation: str, event: PortalEvent) -> None:
        """This event is followed, and is the newest of its key."""
        self.followed(event.number)
        row = (reservation, event.edge, event.ledger, event.seq)
        self._db.execute("INSERT OR REPLACE INTO key_told VALUES (?, ?, ?, ?)", row)

    def out(self) -> list[KeyOut]:
        """Every key that is out, the longest first."""
        found = self._db.execute(
            "SELECT reservation, vehicle, slot, taken_at, reminded, told FROM key_out"
            " ORDER BY taken_at, reservation"
        )
        return [
            KeyOut(trip, vehicle, slot, datetime.fromisoformat(at), bool(reminded), told)
            for trip, vehicle, slot, at, reminded, told in found
        ]

    def put(self, key: KeyOut) -> None:
        """A key is out, or somebody was told of it."""
        row = (key.reservation, key.vehicle, key.slot, _text(key.taken_at), key.reminded, key.told)
        self._db.execute("INSERT OR REPLACE INTO key_out VALUES (?, ?, ?, ?, ?, ?)", row)

    def back(self, reservation: str) -> KeyOut | None:
        """The key is back; what was written of it."""
        found = [one for one in self.out() if one.reservation == reservation]
        self._db.execute("DELETE FROM key_out WHERE reservation = ?", (reservation,))
        return found[0] if found else None


def keys_of(house: House) -> KeyBooks:
    """The keys of this house."""
    return KeyBooks(house.portal.database.sql)


async def follow(house: House) -> None:
    """Follow the desks for ever."""
    while True:
        try:
            await look(house)
        except SlagboomError as error:
            log.warning("keys are not followed: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)


async def look(house: House) -> None:
    """Follow what is new, and tell who is late and who waits. Raises StoreError."""
    numbers, through = await house.run(keys_of(house).news)
    for number in numbers:
        for event in await house.portal.events(number - 1, 1):
            await _follow_one(house, event)
    if through > await house.run(keys_of(house).through):
        await house.write(keys_of(house).followed, through)
    await _tell_of_late_keys(house)


# ---- out and back ----


async def _follow_one(house: House, event: PortalEvent) -> None:
    fact = event.fact
    if not isinstance(fact, KeyTaken | KeyReturned):
        return
    if not await house.run(keys_of(house).is_newest, fact.reservation, event):
        await house.write(_told_late, house, event, fact)
    elif isinstance(fact, KeyTaken):
        await _taken(house, event, fact)
    else:
        await _returned(house, event, fact)


def _told_late(house: House, event: PortalEvent, fact: KeyTaken | KeyReturned) -> None:
    """What came of it is known already."""
    keys_of(house).followed(event.number)
    trip = house.portal.allowlist.reservation(fact.reservation)
    deed = "key.taken" if isinstance(fact, KeyTaken) else "key.back"
    about = trip.vehicle if trip is not None else f"slot {fact.slot}"
    house.audit.note(house.now(), "", deed, about, f"{fact.reservation}, told late")


async def _taken(house: House, event: PortalEvent, fact: KeyTaken) -> None:
    before = house.portal.allowlist.reservation(fact.reservation)

    def beside() -> None:
        keys_of(house).told(fact.reservation, event)
        if before is None:
            return
        # A desk that was cut off could not know of a cancellation: whoever has the vehicle now finds no key.
        waits = None if drives(before) else _displaced(house.portal.allowlist, before)
        told = waits.id if waits is not None else ""
        keys_of(house).put(KeyOut(before.id, before.vehicle, fact.slot, event.at, told=told))
        deed = "key.taken" if drives(before) else "key.taken_without_right"
        house.audit.note(house.now(), "", deed, before.vehicle, before.id)
        if waits is not None:
            _tell(house, waits, "Your vehicle is out", "Somebody took the key while the desk was cut off:")

    await _put(house, fact.reservation, ReservationState.OUT, beside)


def _displaced(listed: Allowlist, trip: Reservation) -> Reservation | None:
    others = (one for one in listed.reservations() if one.vehicle == trip.vehicle and one.user_id != trip.user_id)
    return clash(trip, others)


async def _returned(house: House, event: PortalEvent, fact: KeyReturned) -> None:
    trip = house.portal.allowlist.reservation(fact.reservation)

    def beside() -> None:
        keys_of(house).told(fact.reservation, event)
        key = keys_of(house).back(fact.reservation)
        about = trip.vehicle if trip is not None else f"slot {fact.slot}"
        deed = "key.back_late" if fact.late_s > 0 else "key.back"
        house.audit.note(house.now(), "", deed, about, fact.reservation)
        waits = house.portal.allowlist.reservation(key.told) if key is not None else None
        if waits is not None and drives(waits):
            _tell(house, waits, "Your vehicle is back", "The key hangs in its slot, and is yours:")

    await _put(house, fact.reservation, ReservationState.RETURNED, beside)


async def _put(house: House, reservation: str, state: ReservationState, beside: Callable[[], None]) -> None:
    """The reservation's state on the list, if there is one and it has another, and the rows, in one transaction."""
    found = house.portal.allowlist.reservation(reservation)
    if found is None or found.state is state:
        await house.write(beside)
        return

    def changes(listed: Allowlist) -> list[Change]:
        trip = listed.reservation(reservation)
        return [ReservationPut(replace(trip, state=state))] if trip is not None else []

    await house.portal.change(changes, beside)


# ---- late ----


async def _tell_of_late_keys(house: House) -> None:
    now, listed = house.now(), house.portal.allowlist
    for key in await house.run(keys_of(house).out):
        trip = listed.reservation(key.reservation)
        if trip is None or trip.end > now:
            continue
        waits = _next(listed.reservations(), trip, now)
        news = waits.id if waits is not None else key.told
        if not key.reminded or news != key.told:
            await house.write(_remind, house, key, trip, waits)


def _remind(house: House, key: KeyOut, trip: Reservation, waits: Reservation | None) -> None:
    if not key.reminded:
        _tell(house, trip, "The key is late", f"Your time with {trip.vehicle} is over. Hang the key back, please:")
        house.audit.note(house.now(), "", "key.late", trip.vehicle, trip.id)
    if waits is not None and waits.id != key.told:
        _tell(house, waits, "Your vehicle is late", f"{trip.vehicle} is not back yet; you are told when it is:")
    keys_of(house).put(replace(key, reminded=True, told=waits.id if waits is not None else key.told))


def _next(trips: Iterable[Reservation], trip: Reservation, now: datetime) -> Reservation | None:
    """Whose the vehicle is next, if it is soon."""
    waiting = [
        one
        for one in trips
        if one.vehicle == trip.vehicle
        and drives(one)
        and one.id != trip.id
        and now < one.end
        and one.start < now + NEXT_WITHIN
    ]
    return min(waiting, key=lambda one: one.start, default=None)


def _tell(house: House, trip: Reservation, subject: str, text: str) -> None:
    mail_to(house, trip.user_id, subject, f"{text}\n{house.url}/reservations/{trip.id}")


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
