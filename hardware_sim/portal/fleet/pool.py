"""Vehicles that subscribers share: name, plate, place of the key, seats, as a fleet manager keeps them.

A vehicle's plate is on the list like anybody's, so that it gets in by itself. Where a key hangs stands in each
reservation too; an edit changes those that are still to come in the same step. Not here: who drives when
(`reservations`).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gate_controller.allowlist import Allowlist, Change, PermitPut, ReservationPut, User, UserPut, UserRemoved
from gate_controller.credentials import PlateCredential
from gate_controller.desk import Reservation, ReservationState, Role
from gate_controller.errors import BadInput
from gate_controller.plates import Plate
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.house import House
from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.inputs import Overtaken, WrongField

NAME_LEN_MAX: Final = 40
SLOTS_MAX: Final = 64
SEATS_MAX: Final = 9
"""With the driver: what a driving licence of category B allows (Directive 2006/126/EC, Article 4)."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A shared vehicle. `name` is written once; its key hangs at `site` in `slot`, None where no cabinet has it."""

    name: str
    model: str
    site: str
    slot: int | None
    seats: int
    user_id: str = ""
    version: int = 1


class Pool:
    """The vehicles of one open portal database; every method runs on its thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> list[Vehicle]:
        """Every vehicle, by name."""
        return [_vehicle(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM pool_vehicle ORDER BY name")]

    def get(self, name: str) -> Vehicle:
        """The vehicle of this name. Raises BadInput."""
        row = self._db.execute(f"SELECT {_COLUMNS} FROM pool_vehicle WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise BadInput(f"no pool vehicle is called {name!r}")
        return _vehicle(row)

    def add(self, new: Vehicle) -> None:
        """Keep a new one, of a name that nobody on the list has. Raises WrongField for a slot that is taken."""
        self._refuse_taken_slot(new)
        self._db.execute(
            f"INSERT INTO pool_vehicle ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 1)",
            (new.name, new.user_id, new.model, new.site, new.slot, new.seats),
        )

    def put(self, edited: Vehicle) -> None:
        """Change one if `version` is the newest. Raises Overtaken, WrongField."""
        self._refuse_taken_slot(edited)
        done = self._db.execute(
            "UPDATE pool_vehicle SET model = ?, site = ?, slot = ?, seats = ?, version = version + 1"
            " WHERE name = ? AND version = ?",
            (edited.model, edited.site, edited.slot, edited.seats, edited.name, edited.version),
        )
        if not done.rowcount:
            raise Overtaken("Somebody else changed this vehicle meanwhile")

    def remove(self, vehicle: Vehicle) -> None:
        """Forget one if `version` is the newest. Raises Overtaken."""
        done = self._db.execute(
            "DELETE FROM pool_vehicle WHERE name = ? AND version = ?", (vehicle.name, vehicle.version)
        )
        if not done.rowcount:
            raise Overtaken("Somebody else changed this vehicle meanwhile")

    def _refuse_taken_slot(self, wanted: Vehicle) -> None:
        taken = self._db.execute(
            "SELECT name FROM pool_vehicle WHERE site = ? AND slot = ? AND name != ?",
            (wanted.site, wanted.slot, wanted.name),
        ).fetchone()
        if taken:
            raise WrongField("slot", f"has the key of {taken[0]}")


def pool_of(house: House) -> Pool:
    """The vehicles of this house."""
    return Pool(house.portal.database.sql)


def plate_of(house: House, vehicle: Vehicle) -> str:
    """The plate as it is shown; "" for a vehicle whose plate was taken off the list."""
    user = house.portal.allowlist.user(vehicle.user_id)
    return user.plates[0].plate.display() if user is not None and user.plates else ""


async def add(house: House, actor: str, wanted: Vehicle, plate: str) -> Vehicle:
    """A new vehicle, which may be reserved and gets in at once. Raises BadInput and then has changed nothing."""
    new = replace(await _clean(house, wanted), user_id=f"v-{house.new_id()}")
    user = User(new.user_id, new.name, name=new.model, plates=_plates(plate))

    def changes(listed: Allowlist) -> list[Change]:
        if listed.user_by_external(new.name) is not None:
            raise WrongField("name", "is that of another vehicle or user")
        return [UserPut(user), PermitPut(newcomers.parking(user_id=user.id))]

    def beside() -> None:
        pool_of(house).add(new)
        house.audit.note(house.now(), actor, "vehicle.added", new.name)

    await house.portal.change(changes, beside)
    return new


async def edit(house: House, actor: str, wanted: Vehicle, plate: str) -> None:
    """Change a vehicle if nobody else has meanwhile, and with it where its keys are. Raises BadInput, Overtaken."""
    old = await house.run(pool_of(house).get, wanted.name)
    new = replace(await _clean(house, wanted), user_id=old.user_id)
    (first,) = _plates(plate)

    def changes(listed: Allowlist) -> list[Change]:
        user = listed.user(new.user_id)
        if user is None:
            raise BadInput(f"{new.name} was deleted from the list; remove it here too")
        others = [one for one in user.plates[1:] if one.text != first.text]
        edited = replace(user, name=new.model, plates=(first, *others))
        moved = [replace(one, site=new.site, slot=new.slot) for one in coming(listed, new.name)]
        return [*([UserPut(edited)] if edited != user else []), *map(ReservationPut, moved)]

    def beside() -> None:
        pool_of(house).put(new)
        house.audit.note(house.now(), actor, "vehicle.edited", new.name)

    await house.portal.change(changes, beside)


async def remove(house: House, actor: str, name: str, version: int) -> None:
    """Take a vehicle out of the pool, unless it is still reserved. Raises BadInput, Overtaken."""
    vehicle = replace(await house.run(pool_of(house).get, name), version=version)

    def changes(listed: Allowlist) -> list[Change]:
        waiting = [one for one in coming(listed, name) if one.end > house.now() or _out(one)]
        if waiting:
            raise BadInput(f"{name} is reserved {len(waiting)} times still; cancel these reservations first")
        return [UserRemoved(vehicle.user_id)]

    def beside() -> None:
        pool_of(house).remove(vehicle)
        house.audit.note(house.now(), actor, "vehicle.removed", name)

    await house.portal.change(changes, beside)


def coming(listed: Allowlist, vehicle: str) -> list[Reservation]:
    """Drivers' reservations of a vehicle that still give its key."""
    mine = (one for one in listed.reservations() if one.vehicle == vehicle and one.role is Role.DRIVER)
    return [one for one in mine if one.state in (ReservationState.BOOKED, ReservationState.OUT)]


def _out(one: Reservation) -> bool:
    return one.state is ReservationState.OUT


async def _clean(house: House, wanted: Vehicle) -> Vehicle:
    name = inputs.line(wanted.name, "name", NAME_LEN_MAX)
    model = inputs.line(wanted.model, "model")
    if wanted.slot is not None and not 1 <= wanted.slot <= SLOTS_MAX:
        raise WrongField("slot", f"is a number from 1 to {SLOTS_MAX}")
    if not 1 <= wanted.seats <= SEATS_MAX:
        raise WrongField("seats", f"is a number from 1 to {SEATS_MAX}")
    if wanted.site not in {one.id for one in await house.run(house.organisations.sites)}:
        raise WrongField("site", "is none of the sites")
    return replace(wanted, name=name, model=model)


def _plates(text: str) -> tuple[PlateCredential, ...]:
    return (PlateCredential(Plate.parse(text)),)


_COLUMNS: Final = "name, user_id, model, site, slot, seats, version"


def _vehicle(row: Sequence[object]) -> Vehicle:
    name, user_id, model, site, slot, seats, version = row
    assert isinstance(seats, int)
    assert isinstance(version, int)
    at = slot if isinstance(slot, int) else None
    return Vehicle(str(name), str(model), str(site), at, seats, str(user_id), version)
