"""Reservations: one driver a vehicle and time, edits that tell whoever comes second, rides, and what is refused."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gate_controller.allowlist import PermitRemoved, ReservationPut, UserPut, UserStatus
from gate_controller.desk import Licence, LicenceStatus, Reservation, ReservationState, Role
from gate_controller.errors import BadInput
from gate_controller.reasons import Reason
from hardware_sim.portal.fleet import reservations
from hardware_sim.portal.fleet.reservations import Taken, Wanted, mark_of
from hardware_sim.portal.house import House
from hardware_sim.portal.records.accounts import Role as AccountRole
from hardware_sim.portal.records.inputs import Overtaken, WrongField
from tests.hardware_sim.portal.house_rig import BEGIN, Clock, a_house
from tests.hardware_sim.portal.pool_rig import HOUR, a_pool, subscriber, wanted


async def reserve(house: House, name: str, want: Wanted | None = None) -> Reservation:
    return await reservations.reserve(house, name, f"u-{name}", want or wanted(name))


def now(house: House, trip: Reservation) -> Reservation:
    return reservations.by_id(house.portal.allowlist, trip.id)


async def put_state(house: House, trip: Reservation, state: ReservationState) -> Reservation:
    await house.portal.change([ReservationPut(replace(trip, state=state))])
    return now(house, trip)


async def test_a_reservation_is_on_the_list_at_once_with_slot_and_payer(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        trip = await reserve(house, "sofie")
        assert now(house, trip) == trip
        assert (trip.vehicle, trip.site, trip.slot, trip.contract_id) == ("DACIA-1", "north", 1, "u-sofie-b")
        deeds = await house.run(house.audit.deeds, "DACIA-1")
        assert [one.deed for one in deeds] == ["reservation.made", "vehicle.added"]


async def test_of_two_who_want_one_vehicle_at_once_one_has_it_and_the_other_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "lena")
        both = await asyncio.gather(reserve(house, "sofie"), reserve(house, "lena"), return_exceptions=True)
        (trip,) = [one for one in both if isinstance(one, Reservation)]
        (told,) = [one for one in both if isinstance(one, Taken)]
        assert told.by == trip
        assert not told.mine
        assert [*house.portal.allowlist.reservations()] == [trip]


async def test_a_driver_has_one_vehicle_at_a_time(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        await reserve(house, "sofie")
        with pytest.raises(Taken) as told:
            await reserve(house, "sofie", wanted("sofie", 1, 3, "ZOE-2"))
        assert told.value.mine
        await reserve(house, "sofie", wanted("sofie", 2, 3, "ZOE-2"))


@pytest.mark.parametrize(
    ("want", "field"),
    [
        (wanted("sofie", -1, 2), "start"),
        (wanted("sofie", 24 * 181, 24 * 181 + 1), "start"),
        (wanted("sofie", 2, 2), "end"),
        (wanted("sofie", 3, 2), "end"),
        (wanted("sofie", -0.2, -0.1), "end"),
        (wanted("sofie", 0, 24 * 14 + 1), "end"),
        (wanted("sofie", vehicle="NONE"), "vehicle"),
        (wanted("lena"), "contract"),
        (replace(wanted("sofie"), contract="u-sofie-p"), "contract"),
    ],
)
async def test_what_cannot_be_is_named_by_its_field(tmp_path: Path, want: Wanted, field: str) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "lena")
        revision = house.portal.allowlist.revision
        with pytest.raises(WrongField) as told:
            await reserve(house, "sofie", want)
        assert told.value.field == field
        assert house.portal.allowlist.revision == revision


async def test_without_badge_or_account_nothing_is_reserved(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        await house.portal.change([PermitRemoved("drive-u-sofie")])
        with pytest.raises(BadInput, match="comes with your badge"):
            await reserve(house, "sofie")
        await house.portal.change([UserPut(replace(subscriber("sofie"), status=UserStatus.INACTIVE))])
        with pytest.raises(BadInput, match="switched off"):
            await reserve(house, "sofie")
        with pytest.raises(BadInput, match="deleted"):
            await reserve(house, "nobody")


async def test_there_is_an_end_to_how_many(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        for n in range(reservations.COMING_LEN_MAX):
            await reserve(house, "sofie", wanted("sofie", n, n + 1))
        with pytest.raises(BadInput, match="cancel one"):
            await reserve(house, "sofie", wanted("sofie", 90, 91))


async def test_the_licence_is_told_beforehand_and_hinders_nothing(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        trip = await reserve(house, "sofie", wanted("sofie", 48, 49))
        user = subscriber("sofie")
        assert reservations.licence_problem(user, trip) is None
        ends = Licence(LicenceStatus.VALIDATED, BEGIN, BEGIN + 24 * HOUR)
        assert reservations.licence_problem(replace(user, licence=ends), trip) is Reason.LICENCE_EXPIRED
        assert reservations.licence_problem(replace(user, licence=None), trip) is Reason.LICENCE_NOT_VALIDATED


async def test_moved_and_the_second_of_two_windows_is_told(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "lena")
        trip, hers = await reserve(house, "sofie"), await reserve(house, "lena", wanted("lena", 4, 6))
        seen = mark_of(trip, False)
        moved = await reservations.move(house, "sofie", trip.id, seen, wanted("sofie", 2, 4, "ZOE-2"))
        assert (moved.id, moved.vehicle, moved.slot) == (trip.id, "ZOE-2", 2)
        for late in (
            reservations.move(house, "sofie", trip.id, seen, wanted("sofie", 7, 8)),
            reservations.cancel(house, "sofie", trip.id, seen),
        ):
            with pytest.raises(Overtaken, match="meanwhile"):
                await late
        with pytest.raises(Taken) as told:
            await reservations.move(house, "sofie", trip.id, mark_of(moved, False), wanted("sofie", 3, 5))
        assert told.value.by == hers
        assert now(house, trip) == moved


async def test_once_the_key_is_out_only_the_end_moves_and_nothing_is_cancelled(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie")
        out = await put_state(house, await reserve(house, "sofie"), ReservationState.OUT)
        seen = mark_of(out, False)
        with pytest.raises(BadInput, match="the key is out"):
            await reservations.move(house, "sofie", out.id, seen, wanted("sofie", 0, 2, "ZOE-2"))
        with pytest.raises(BadInput, match="hang it back"):
            await reservations.cancel(house, "sofie", out.id, seen)
        longer = await reservations.move(house, "sofie", out.id, seen, wanted("sofie", 0, 5))
        assert (longer.state, longer.end) == (ReservationState.OUT, BEGIN + 5 * HOUR)
        back = await put_state(house, longer, ReservationState.RETURNED)
        with pytest.raises(BadInput, match="returned"):
            await reservations.move(house, "sofie", out.id, mark_of(back, False), wanted("sofie", 0, 6))


async def test_a_trip_that_is_over_does_not_stay_on_the_list_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await a_pool(house, "sofie")
        old, out = await reserve(house, "sofie"), await reserve(house, "sofie", wanted("sofie", 3, 4))
        await put_state(house, out, ReservationState.OUT)
        clock.pass_(days=29)
        await reserve(house, "sofie", wanted("sofie", at=clock.at))
        assert house.portal.allowlist.reservation(old.id) is not None
        clock.pass_(days=2)
        await reserve(house, "sofie", wanted("sofie", at=clock.at))
        assert house.portal.allowlist.reservation(old.id) is None
        assert house.portal.allowlist.reservation(out.id) is not None, "its key is still out"


# ---- rides ----


async def account(house: House, name: str) -> None:
    await house.add_account(
        "test", name, "acme", [AccountRole.SUBSCRIBER], email=f"{name}@example.com", user_id=f"u-{name}"
    )


async def subjects(house: House, name: str) -> list[str]:
    return [one.subject or "" for one in await house.run(house.mailbox.letters, f"{name}@example.com")]


async def ride(house: House, name: str, trip: Reservation) -> Reservation:
    return await reservations.ride_along(house, name, f"u-{name}", trip.id)


async def test_a_ride_follows_its_driver(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "omar")
        await account(house, "sofie")
        await account(house, "omar")
        trip = await reserve(house, "sofie", wanted("sofie", shared=True))
        seat = await ride(house, "omar", trip)
        assert (seat.role, seat.start, seat.end, seat.slot) == (Role.PASSENGER, trip.start, trip.end, None)
        assert await subjects(house, "sofie") == ["Somebody rides along"]
        moved = await reservations.move(
            house, "sofie", trip.id, mark_of(trip, True), wanted("sofie", 5, 6, "ZOE-2", shared=True)
        )
        assert (now(house, seat).start, now(house, seat).vehicle) == (moved.start, "ZOE-2")
        await reservations.cancel(house, "sofie", trip.id, mark_of(moved, True))
        assert now(house, seat).state is ReservationState.CANCELLED
        assert await subjects(house, "omar") == ["Your ride is cancelled", "Your ride has moved"]
        with pytest.raises(BadInput, match="over or was cancelled"):
            await ride(house, "omar", trip)


async def test_a_rider_leaves_alone_and_cannot_move_the_trip(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "omar")
        trip = await reserve(house, "sofie", wanted("sofie", shared=True))
        seat = await ride(house, "omar", trip)
        with pytest.raises(BadInput, match="when its driver goes"):
            await reservations.move(house, "omar", seat.id, mark_of(seat, False), wanted("omar"))
        await reservations.cancel(house, "omar", seat.id, mark_of(seat, False))
        assert now(house, trip).state is ReservationState.BOOKED


async def test_a_seat_needs_a_shared_trip_room_and_a_permit_and_no_licence(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "omar", "lena")
        await house.portal.change([UserPut(replace(subscriber("omar"), licence=None))])
        alone = await reserve(house, "sofie", wanted("sofie", vehicle="ZOE-2"))
        with pytest.raises(BadInput, match="nobody rides along"):
            await ride(house, "omar", alone)
        shared = await reservations.move(
            house, "sofie", alone.id, mark_of(alone, False), wanted("sofie", vehicle="ZOE-2", shared=True)
        )
        with pytest.raises(BadInput, match="another trip"):
            await ride(house, "sofie", shared)
        await ride(house, "omar", shared)
        with pytest.raises(BadInput, match="another trip"):
            await ride(house, "omar", shared)
        with pytest.raises(BadInput, match="no seat left"):
            await ride(house, "lena", shared)
        await house.portal.change([PermitRemoved("carpool-u-lena")])
        with pytest.raises(BadInput, match="no permit"):
            await ride(house, "lena", shared)
        with pytest.raises(BadInput, match="no more"):
            await reservations.ride_along(house, "lena", "u-lena", "r-none")


async def test_a_trip_with_riders_needs_their_seats(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "omar", "lena")
        trip = await reserve(house, "sofie", wanted("sofie", shared=True))
        await ride(house, "omar", trip)
        await ride(house, "lena", trip)
        with pytest.raises(WrongField, match="too few seats"):
            await reservations.move(house, "sofie", trip.id, mark_of(trip, True), wanted("sofie", vehicle="ZOE-2"))


def test_a_mark_is_that_of_what_was_seen() -> None:
    trip = Reservation("r1", "u1", "DACIA-1", "north", BEGIN, BEGIN + timedelta(hours=1))
    marks = {mark_of(trip, False), mark_of(trip, True), mark_of(replace(trip, end=trip.end + HOUR), False)}
    assert len(marks) == 3


async def test_who_is_switched_off_takes_no_seat(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        await a_pool(house, "sofie", "omar")
        trip = await reserve(house, "sofie", wanted("sofie", shared=True))
        await house.portal.change([UserPut(replace(subscriber("omar"), status=UserStatus.INACTIVE))])
        with pytest.raises(BadInput, match="switched off"):
            await ride(house, "omar", trip)


async def test_of_a_trip_that_is_forgotten_nothing_is_left(tmp_path: Path) -> None:
    clock = Clock()
    async with a_house(tmp_path, clock) as house:
        await a_pool(house, "sofie")
        old = await reserve(house, "sofie", wanted("sofie", shared=True))
        clock.pass_(days=reservations.KEPT.days + 1)
        new = await reserve(house, "sofie", wanted("sofie", at=house.now(), shared=True))
        assert house.portal.allowlist.reservation(old.id) is None
        assert await house.run(reservations.shared_of(house).all) == {new.id}
