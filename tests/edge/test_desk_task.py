"""Desks against the clock and the wires: taps in, slots out, questions on their way, and a word for every order."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

from edge import clock
from edge.config import load_config
from edge.desk_task import QUEUE_LEN_MAX, Desks
from gate_controller.allowlist import Action, Allowlist, Change, Permit, PermitPut, ReservationPut, User, UserPut
from gate_controller.credentials import Badge
from gate_controller.desk import Licence, LicenceStatus, Registration, Reservation
from gate_controller.devices.codec import (
    CardRead,
    ContactChanged,
    DeviceOnline,
    DeviceSilent,
    Drive,
    LineRead,
    Pulse,
    PulseId,
    PulseUncertain,
)
from gate_controller.errors import StoreError
from gate_controller.facts import AlarmRaised, DeskGranted, EnrolAnswered, EnrolAsked, Fact, KeyTaken, Refused
from gate_controller.moment import Moment
from gate_controller.reasons import Reason
from gate_controller.site import Site
from sync.messages import Enrol, EnrolReply
from sync.orders import EnrolBadge

NOW = clock.now().wall
BADGE, FRESH = Badge.parse("000414CD7E"), Badge.parse("000414CD7F")
DRIVER = User("u1", "ann", "acme", badges=(BADGE,), licence=Licence(LicenceStatus.VALIDATED, NOW))
NEW = User(
    "u2",
    "new",
    "acme",
    registration=Registration.PRE_REGISTERED,
    terms_accepted_at=NOW,
    licence=Licence(LicenceStatus.REJECTED, NOW),
)
TRIP = Reservation("r1", "u1", "DACIA-1", "north", NOW - timedelta(hours=1), NOW + timedelta(hours=9), slot=2)
LISTED: list[Change] = [UserPut(DRIVER), UserPut(NEW), ReservationPut(TRIP)]
SETTINGS = """
[site]
name = "Depot"
time_zone = "Europe/Amsterdam"
[boards.keys]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"
[readers.tap]
kind = "rdm6300"
port = "/dev/ttyUSB1"
lane = "front"
[desks.front]
board = "keys"
slots = [5, 6]
contacts = [1, 2]
"""


class House:
    """Keeps what was recorded and driven."""

    def __init__(self) -> None:
        drive = PermitPut(Permit("p1", Action.DRIVE, user_id="u1"))
        self.site = Site(Allowlist.empty("e").apply([*LISTED, drive], 1), UTC, name="north")
        self.facts: list[Fact] = []
        self.driven: list[Drive] = []

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        self.facts += facts

    def last(self) -> Fact:
        return self.facts[-1]


class Link:
    """A portal that hears what is asked; `full` refuses as a disk does."""

    def __init__(self, *, connected: bool = True, full: bool = False) -> None:
        self.connected, self.full = connected, full
        self.asked: list[Enrol] = []
        self.heard = asyncio.Event()

    async def enrol(self, asked: Enrol) -> bool:
        self.asked.append(asked)
        self.heard.set()
        if self.full:
            raise StoreError("256 badges wait")
        return self.connected


def card(badge: Badge) -> CardRead:
    return CardRead(badge.bits, int(badge.uid, 16), badge.uid)


def desks(folder: Path, house: House, link: Link | None) -> Desks:
    path = folder / "site.toml"
    path.write_text(SETTINGS)
    return Desks(load_config(path), "run", house, {"keys": house.driven.extend}, link)


async def test_a_tap_frees_the_slot_of_the_reservation_once_it_is_on_disk(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    front.from_board("keys", ContactChanged(1, True))
    assert front.from_reader("tap", card(BADGE))
    granted = house.last()
    assert isinstance(granted, DeskGranted)
    assert house.driven == []
    front.committed(granted.lane, granted.hold)
    (pulse,) = house.driven
    assert isinstance(pulse, Pulse)
    assert (pulse.channel, pulse.id) == (5, granted.hold), "slot 2 is output 6"
    front.from_board("keys", ContactChanged(1, False))
    assert isinstance(house.last(), KeyTaken)
    front.stop()


async def test_a_grant_that_the_disk_refuses_is_refused(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    front.from_reader("tap", card(BADGE))
    granted = house.last()
    assert isinstance(granted, DeskGranted)
    front.commit_failed(granted.lane, granted.hold)
    refused = house.last()
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.STORE_UNAVAILABLE
    assert house.driven == []
    front.stop()


async def test_it_wakes_itself_at_its_deadlines(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    front.from_reader("tap", card(BADGE))
    async with asyncio.timeout(60):
        while not isinstance(house.last(), Refused):
            await asyncio.sleep(0.02)
    front.stop()


async def test_other_readers_and_other_boards_are_not_its_business(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    before = len(house.facts)
    assert not front.from_reader("elsewhere", card(BADGE))
    assert not front.from_reader("tap", DeviceOnline())
    assert front.from_reader("tap", LineRead("K7M2-PX94")), "heard, and no use here"
    front.from_board("other", ContactChanged(1, True))
    front.from_board("other", ContactChanged(1, False))
    front.from_board("keys", ContactChanged(7, False))
    assert len(house.facts) == before


async def test_a_silent_cabinet_and_an_unsure_slot_are_alarms(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    front.from_board("keys", DeviceSilent("no answer"))
    front.from_board("keys", PulseUncertain(5, PulseId("front-run-1"), "no echo"))
    front.from_board("keys", PulseUncertain(0, PulseId("entry-run-1"), "a lane's"))
    assert [fact.alarm for fact in house.facts if isinstance(fact, AlarmRaised)] == [
        "board_silent",
        "slot_uncertain",
    ]


async def test_a_chosen_user_s_badge_is_asked_for_and_the_answer_is_recorded(tmp_path: Path) -> None:
    house, link = House(), Link()
    front = desks(tmp_path, house, link)
    running = asyncio.ensure_future(front.run())
    answer = front.choose(EnrolBadge("front", "new", "mia", "acme"))
    assert answer.done
    assert "30 s" in answer.text
    front.from_reader("tap", card(FRESH))
    async with asyncio.timeout(60):
        await link.heard.wait()
    (asked,) = link.asked
    assert (asked.user, asked.badge, asked.bits, asked.clerk, asked.desk) == (
        "u2",
        FRESH.uid,
        FRESH.bits,
        "mia",
        "front",
    )
    reply = EnrolReply(aud="", iat=NOW, exp=NOW, enrol_id=asked.enrol_id, user_number="10042")
    front.answered(asked, reply)
    told = house.last()
    assert isinstance(told, EnrolAnswered)
    assert (told.user_number, told.user_id, told.clerk) == ("10042", "u2", "mia")
    later = desks(tmp_path, house, link)
    later.answered(asked, reply)
    assert isinstance(house.last(), EnrolAnswered), "an answer that comes after a restart is recorded too"
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_an_order_that_cannot_be_is_told_why(tmp_path: Path) -> None:
    house = House()
    front = desks(tmp_path, house, Link())
    for order, words in (
        (EnrolBadge("back", "new", "mia", "acme"), "no desk back; there are front"),
        (EnrolBadge("front", "nobody", "mia", "acme"), "not_pre_registered"),
        (EnrolBadge("front", "ann", "mia", "acme"), "not_pre_registered"),
    ):
        answer = front.choose(order)
        assert not answer.done
        assert words in answer.text
    alone = desks(tmp_path, house, None)
    assert "portal" in alone.choose(EnrolBadge("front", "new", "mia", "acme")).text


async def test_what_cannot_be_asked_is_an_alarm_and_stops_nothing(tmp_path: Path) -> None:
    house, link = House(), Link(full=True)
    front = desks(tmp_path, house, link)
    for number in range(QUEUE_LEN_MAX + 1):
        fresh = User(
            f"n{number}",
            f"n{number}",
            registration=Registration.PRE_REGISTERED,
            terms_accepted_at=NOW,
            licence=Licence(LicenceStatus.REJECTED, NOW),
        )
        house.site = replace(house.site, allowlist=house.site.allowlist.apply([UserPut(fresh)], number + 2))
        assert front.choose(EnrolBadge("front", f"n{number}", "mia")).done
        front.from_reader("tap", card(Badge(f"{number + 1:08X}", 32)))
    assert sum(isinstance(fact, EnrolAsked) for fact in house.facts) == QUEUE_LEN_MAX + 1
    lost = [fact for fact in house.facts if isinstance(fact, AlarmRaised)]
    assert [fact.alarm for fact in lost] == ["enrol_lost"]
    running = asyncio.ensure_future(front.run())
    async with asyncio.timeout(60):
        while len(link.asked) < QUEUE_LEN_MAX:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len([fact for fact in house.facts if isinstance(fact, AlarmRaised)]) == 1 + QUEUE_LEN_MAX
    front.stop()
