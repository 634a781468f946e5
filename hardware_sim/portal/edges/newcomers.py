"""New users, guests and permits as the portal lists them: values only. What makes them count is `Portal.change`."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from gate_controller.allowlist import Action, Permit, User
from gate_controller.credentials import CODE_ALPHABET, Badge, GuestCode, PlateCredential, QrPass
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule

GUEST_CODE_LEN: Final = 8
"""Characters of a guest code that the portal makes: 38 bits, which a lane's few tries do not find."""


def user(
    user_id: str,
    external_id: str,
    plates: Sequence[str],
    badges: Sequence[str],
    groups: Sequence[str],
    country: str | None,
    pool_size: int,
) -> User:
    """A user with plates and badges as people write them. Raises BadInput."""
    return User(
        user_id,
        external_id,
        groups=tuple(groups),
        pool_size=pool_size,
        plates=tuple(PlateCredential(Plate.parse(text, country)) for text in plates),
        badges=tuple(map(Badge.parse, badges)),
    )


def guest(user_id: str, external_id: str, qr_pass: str, code: str, valid_to: datetime | None) -> User:
    """A visitor with a QR pass or a guest code, as digests. Raises BadInput."""
    passes = (QrPass.of(qr_pass),) if qr_pass else ()
    codes = (GuestCode.parse(code),) if code else ()
    return User(
        user_id,
        external_id,
        passes=tuple(replace(one, valid_to=valid_to) for one in passes),
        codes=tuple(replace(one, valid_to=valid_to) for one in codes),
    )


def new_guest_code() -> str:
    """A guest code without characters that are taken for one another."""
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(GUEST_CODE_LEN))
    return f"{letters[:4]}-{letters[4:]}"


def parking(
    user_id: str | None = None, group_id: str | None = None, schedule: str | None = None, device: str | None = None
) -> Permit:
    """A permit to park for a user or a group, always or on a weekly schedule. Raises ScheduleError."""
    return Permit(
        f"park-{user_id or group_id}" + (f"-{device}" if device else ""),
        Action.PARK,
        user_id=user_id,
        group_id=group_id,
        device=device,
        schedule=Schedule(schedule) if schedule else None,
    )


def subscribing(user_id: str) -> list[Permit]:
    """Permits that come with a badge: to drive pool vehicles, and to ride along in them."""
    return [Permit(f"{action}-{user_id}", action, user_id=user_id) for action in (Action.DRIVE, Action.CARPOOL)]
