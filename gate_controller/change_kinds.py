"""The kinds of change that a list knows: an entry is put, under its own id, or removed by it.

Adding a kind means adding a dataclass of one field and its place in `Change`; renaming one breaks the wire. What a
change does, and which are refused, is `changes`' business.
"""

from dataclasses import dataclass

from gate_controller.codes import ViewCode
from gate_controller.delegation import Device
from gate_controller.desk import Reservation
from gate_controller.users import Permit, User


@dataclass(frozen=True, slots=True)
class UserPut:
    """Add this user or replace the one with its id."""

    user: User


@dataclass(frozen=True, slots=True)
class UserRemoved:
    """Delete a user with its own permits and reservations. Removing one that is not there is no error."""

    user_id: str


@dataclass(frozen=True, slots=True)
class PermitPut:
    """Add this permit or replace the one with its id."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class PermitRemoved:
    """Delete a permit. Removing one that is not there is no error."""

    permit_id: str


@dataclass(frozen=True, slots=True)
class DevicePut:
    """Add this device or replace the one with its id."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """Forget a device: it is then active and belongs to nobody in particular."""

    device_id: str


@dataclass(frozen=True, slots=True)
class ReservationPut:
    """Add this reservation or replace the one with its id."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class ReservationRemoved:
    """Delete a reservation. Removing one that is not there is no error."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ViewCodePut:
    """Add this viewing code or replace the one with its id."""

    code: ViewCode


@dataclass(frozen=True, slots=True)
class ViewCodeRemoved:
    """Delete a viewing code. Removing one that is not there is no error."""

    code_id: str


Change = (
    UserPut
    | UserRemoved
    | PermitPut
    | PermitRemoved
    | DevicePut
    | DeviceRemoved
    | ReservationPut
    | ReservationRemoved
    | ViewCodePut
    | ViewCodeRemoved
)
