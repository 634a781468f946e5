"""A real list in the oracle's plain words, so that the two can be compared."""

from typing import Any

from gate_controller.allowlist import Allowlist, Permit, User
from gate_controller.contracts import ContractKind
from gate_controller.delegation import Device
from gate_controller.desk import Reservation

Thing = dict[str, Any]

SCHEDULES: dict[str | None, tuple[frozenset[int], tuple[int, int]] | None] = {
    None: None,
    "Mo-Fr 07:00-19:00": (frozenset(range(5)), (7, 19)),
    "Sa,So 08:00-12:00": (frozenset({5, 6}), (8, 12)),
    "Mo-So 06:00-22:00": (frozenset(range(7)), (6, 22)),
}
"""Weekly schedules as people write them, and the days and hours that they mean."""


def listed(allowlist: Allowlist) -> Thing:
    """Everything on it that the oracle speaks of."""
    return {
        "users": {user.id: _user(user) for user in allowlist.users()},
        "permits": {permit.id: _permit(permit) for permit in allowlist.permits()},
        "devices": {device.id: _device(device) for device in allowlist.devices()},
        "reservations": {one.id: _reservation(one) for one in allowlist.reservations()},
    }


def _user(user: User) -> Thing:
    licence = user.licence
    return {
        "id": user.id,
        "external": user.external_id,
        "customer": user.customer,
        "active": user.active,
        "groups": list(user.groups),
        "plates": {one.plate.key: one.state.value for one in user.plates},
        "badges": {one.uid: one.state.value for one in user.badges},
        "codes": {
            one.text: {"state": one.state.value, "from": one.valid_from, "to": one.valid_to} for one in user.codes
        },
        "contracts": [
            {"id": one.id, "kind": one.kind.value, "payable": one.payable or one.kind is ContractKind.BUSINESS}
            for one in user.contracts
        ],
        "default": user.default_contract,
        "app": user.app.value if user.app else None,
        "registration": user.registration.value if user.registration else None,
        "terms": user.terms_accepted_at is not None,
        "checked": licence is not None and licence.checked_at is not None,
        "licence": (licence.status.value, licence.valid_until) if licence else None,
        "number": user.number is not None,
    }


def _permit(permit: Permit) -> Thing:
    return new_permit(
        permit.user_id, permit.group_id, permit.action.value, permit.device,
        permit.schedule.text if permit.schedule else None, permit.valid_from, permit.valid_to,
    )  # fmt: skip


def new_permit(
    user: str | None = None, group: str | None = None, action: str = "park", device: str | None = None,
    schedule: str | None = None, from_: Any = None, to: Any = None,
) -> Thing:  # fmt: skip
    """A permit in the oracle's words."""
    spans = SCHEDULES[schedule]
    days, hours = spans if spans is not None else (None, None)
    return {
        "user": user, "group": group, "action": action, "device": device, "days": days, "hours": hours,
        "from": from_, "to": to,
    }  # fmt: skip


def _device(device: Device) -> Thing:
    spans = [(one.partner, one.since, one.until) for one in device.delegations]
    return {"state": device.state.value, "owner": device.owner, "spans": spans}


def _reservation(one: Reservation) -> Thing:
    return {
        "user": one.user_id, "vehicle": one.vehicle, "site": one.site, "start": one.start, "end": one.end,
        "contract": one.contract_id, "slot": one.slot, "state": one.state.value, "role": one.role.value,
    }  # fmt: skip
