"""One lane against the clock: facts recorded, outputs driven, deadlines met."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from edge import clock
from edge.lane_task import LaneTask
from gate_controller.allowlist import Action, Allowlist, Permit, PermitPut, User, UserPut
from gate_controller.credentials import Badge, BadgeRead
from gate_controller.devices.codec import Drive, Level, Pulse
from gate_controller.facts import Direction, Fact, Granted, LaneId, LaneStarted, Refused, VehicleArrived
from gate_controller.lane import Command, Committed, Contact, ContactsLost, LaneSetup, Order, Presented, Role
from gate_controller.moment import Moment
from gate_controller.reasons import Reason
from gate_controller.site import Site

BADGE = Badge.parse("000414CD7E")
ANNA = User("u-anna", "anna", badges=(BADGE,))
LIST = Allowlist.empty("e").apply([UserPut(ANNA), PermitPut(Permit("p", Action.PARK, user_id=ANNA.id))], 1)
SETUP = LaneSetup(
    LaneId("entry"),
    Direction.IN,
    frozenset({Role.APPROACH, Role.SAFETY, Role.CLOSED_LIMIT, Role.OPEN_LIMIT}),
    arrive_after_s=0.05,
    stable_for_s=0.05,
    read_for_s=0.2,
)


class House:
    """Folds facts as the daemon does and keeps what was driven."""

    def __init__(self) -> None:
        self.site = Site(LIST, UTC)
        self.facts: list[Fact] = []
        self.driven: list[Drive] = []

    def record(self, facts: Sequence[Fact], now: Moment) -> None:
        self.facts += facts
        for fact in facts:
            self.site = replace(self.site, occupancy=self.site.occupancy.fold(fact, now.wall))

    def of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]


def lane(house: House, **channels: int) -> LaneTask:
    task = LaneTask(SETUP, "run", house, {"open": 2, **channels}, house.driven.extend)
    for role, on in (
        (Role.APPROACH, False),
        (Role.SAFETY, False),
        (Role.CLOSED_LIMIT, True),
        (Role.OPEN_LIMIT, False),
    ):
        task.put(Contact(role, on))
    return task


async def test_it_wakes_itself_at_its_deadlines() -> None:
    house = House()
    task = lane(house)
    assert isinstance(house.facts[0], LaneStarted)
    await asyncio.sleep(0.2)
    task.put(Contact(Role.APPROACH, True))
    assert not task.vehicle_waits
    await asyncio.sleep(0.15)
    assert task.vehicle_waits
    assert house.of(VehicleArrived)
    await asyncio.sleep(0.3)
    assert [fact.reason for fact in house.of(Refused)] == [Reason.UNREADABLE_PLATE]
    task.stop()


async def test_a_grant_drives_its_pulse_only_once_it_is_on_disk_and_names_its_channel() -> None:
    house = House()
    task = lane(house, green=5, red=6)
    await asyncio.sleep(0.15)
    task.put(Contact(Role.APPROACH, True))
    await asyncio.sleep(0.15)
    task.put(Presented(BadgeRead(BADGE.uid, BADGE.bits)))
    (granted,) = house.of(Granted)
    assert not any(isinstance(drive, Pulse) for drive in house.driven)
    task.put(Committed(granted.hold))
    pulses = {drive for drive in house.driven if isinstance(drive, Pulse)}
    assert {(pulse.channel, pulse.id) for pulse in pulses} == {(2, granted.hold)}
    assert Level(5, False) in house.driven
    assert Level(6, True) in house.driven
    assert not any(isinstance(drive, Level) and drive.channel not in (5, 6) for drive in house.driven)
    task.stop()


async def test_a_relay_that_must_stay_as_it_is_is_not_named() -> None:
    house = House()
    task = lane(house, hold=3, green=5)
    await asyncio.sleep(0.15)
    expires_s = clock.now().mono_s + 5.0
    task.put(Command("c", Order.HOLD_OPEN, "clerk", "delivery", expires_s))
    assert Level(3, True) in task.drives()
    house.driven.clear()
    task.put(ContactsLost())
    restarted = LaneTask(SETUP, "next", house, {"open": 2, "hold": 3, "green": 5}, house.driven.extend)
    restarted.put(Contact(Role.SAFETY, True))
    assert {drive.channel for drive in house.driven} == {5}
    task.stop()
    restarted.stop()


async def test_a_stopped_lane_wakes_no_more() -> None:
    house = House()
    task = lane(house)
    await asyncio.sleep(0.15)
    task.put(Contact(Role.APPROACH, True))
    task.stop()
    await asyncio.sleep(0.3)
    assert not house.of(VehicleArrived)
