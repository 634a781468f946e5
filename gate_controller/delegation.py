"""Devices, who takes charge of them, and who is billed for a scan at any moment.

A partner is in charge of a device while two agreements hold at once: the partnership, which the customer accepts,
and the delegation of this device, which the partner accepts. Either side may end either of them at any time. All
of it is decided by moments and never by the order in which news arrives, so that an event which comes late is
billed as if it had come at once.

Not here: organisations and their credits, which are the portal's, and whether a device decides (`access`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Self

from gate_controller.credentials import checked_digest
from gate_controller.errors import BadInput


class DeviceKind(StrEnum):
    """What a device is for."""

    GATE = "gate"
    DESK = "desk"
    QR_TERMINAL = "qr_terminal"
    KEY_CABINET = "key_cabinet"


class DeviceState(StrEnum):
    """Only an active device decides anything."""

    UNCLAIMED = "unclaimed"
    INACTIVE = "inactive"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Delegated:
    """A partner is in charge from `since` on, until `until` if it has ended."""

    partner: str
    since: datetime
    until: datetime | None = None

    def at(self, moment: datetime) -> bool:
        """Whether the partner is in charge at this moment; the end is outside."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True)
class Device:
    """A device on the list; `id` is its lane's or desk's name and never changes, nor does what `token` is.

    `token` is the SHA-256 of the second secret on its inner label. A device that is not on the list is active and
    belongs to nobody in particular.
    """

    id: str
    kind: DeviceKind
    state: DeviceState = DeviceState.ACTIVE
    owner: str = ""
    site: str | None = None
    delegations: tuple[Delegated, ...] = ()
    token: str | None = None
    copied_from: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None:
            checked_digest(self.token, "token")


def billed_to(device: Device | None, at: datetime) -> str:
    """Who pays for a scan at this moment: the partner in charge, else the owner; "" for nobody in particular."""
    if device is None:
        return ""
    return next((one.partner for one in device.delegations if one.at(at)), device.owner)


def sees(organisation: str, device: Device, at: datetime) -> bool:
    """Whether an organisation sees what happens at a device at this moment: its owner always does."""
    return organisation == device.owner or any(d.partner == organisation and d.at(at) for d in device.delegations)


def copy_of(device: Device, new_id: str) -> Device:
    """A copy for another place: inactive, with no secret and nobody in charge. Raises BadInput for its own id."""
    if new_id == device.id:
        raise BadInput(f"device {device.id} cannot be a copy of itself; give the copy a name of its own")
    return replace(device, id=new_id, state=DeviceState.INACTIVE, delegations=(), token=None, copied_from=device.id)


def device_problem(old: Device | None, new: Device) -> tuple[str, str] | None:
    """The reason and the words for a device that may not become this, None if it may."""
    if any(d.since.tzinfo is None or (d.until is not None and d.until.tzinfo is None) for d in new.delegations):
        return "bad_device", f"device {new.id}: a delegation needs a time zone"
    spans = sorted((d for d in new.delegations if d.until is None or d.since < d.until), key=lambda d: d.since)
    for earlier, later in pairwise(spans):
        if earlier.until is None or later.since < earlier.until:
            return "delegation_overlap", f"device {new.id}: {earlier.partner} and {later.partner} at one moment"
    if old is None:
        return None
    if old.token is not None and old.token != new.token:
        return "immutable_id", f"device {new.id}: its token was made once and cannot be another"
    if (old.kind, old.copied_from) != (new.kind, new.copied_from):
        return "immutable_id", f"device {new.id}: what it is and what it was copied from cannot change"
    if old.state is DeviceState.RETIRED and new.state is not DeviceState.RETIRED:
        return "immutable_id", f"device {new.id} is retired and does not come back; give the new one a new name"
    return None


# ---- agreements ----


class Stage(StrEnum):
    """How far an agreement has come."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class _Agreement(ABC):
    """One side asks, the other answers, and either ends it at any time.

    The transitions raise BadInput for an organisation or a stage that does not fit.
    """

    id: str
    partner: str
    customer: str
    requested_at: datetime
    stage: Stage = Stage.REQUESTED
    accepted_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    @abstractmethod
    def answers(self) -> str:
        """The side that was asked."""

    def accepted(self, by: str, at: datetime) -> Self:
        """The side that was asked agrees: a partner pays from then on if the partnership stands."""
        self._answered(by)
        return replace(self, stage=Stage.ACCEPTED, accepted_at=at)

    def refused(self, by: str) -> Self:
        """The side that was asked does not agree."""
        self._answered(by)
        return replace(self, stage=Stage.REFUSED)

    def ended(self, by: str, at: datetime) -> Self:
        """Either side stops it, now."""
        if by not in (self.partner, self.customer):
            raise BadInput(f"{by!r} is no side of it; {self.partner!r} or {self.customer!r} may end it")
        if self.stage not in (Stage.REQUESTED, Stage.ACCEPTED):
            raise BadInput(f"it is {self.stage.value} already")
        return replace(self, stage=Stage.ENDED, ended_at=at)

    def _answered(self, by: str) -> None:
        if by != self.answers:
            raise BadInput(f"{self.answers!r} accepts or refuses it, and {by!r} is another")
        if self.stage is not Stage.REQUESTED:
            raise BadInput(f"it is {self.stage.value} already")


class Partnership(_Agreement):
    """A partner may be put in charge of devices of a customer, once the customer has accepted it."""

    __slots__ = ()

    @property
    def answers(self) -> str:
        return self.customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation(_Agreement):
    """A partner is asked to take charge of one device of a customer; made by `delegate`."""

    device: str
    partnership: str

    @property
    def answers(self) -> str:
        return self.partner


def delegate(
    delegation_id: str, device: Device, partnership: Partnership, by: str, at: datetime, known: Iterable[Delegation]
) -> Delegation:
    """The owner asks a partner to take charge of a device. Raises BadInput.

    `known` are the delegations there are: of one device, one at a time is under way or in force.
    """
    if by != device.owner or by != partnership.customer:
        raise BadInput(f"only its owner {device.owner!r} delegates device {device.id}")
    if partnership.stage is not Stage.ACCEPTED:
        raise BadInput(f"the partnership with {partnership.partner} is {partnership.stage.value}, not accepted")
    if any(one.device == device.id and one.stage in (Stage.REQUESTED, Stage.ACCEPTED) for one in known):
        raise BadInput(f"device {device.id} is delegated already, or asked about; end that first")
    return Delegation(delegation_id, partnership.partner, by, at, device=device.id, partnership=partnership.id)


def in_charge(
    device: str, delegations: Iterable[Delegation], partnerships: Sequence[Partnership]
) -> tuple[Delegated, ...]:
    """When whom the device was, or is, in the charge of, oldest first: what its list entry says."""
    by_id = {partnership.id: partnership for partnership in partnerships}
    spans = [_span(one, by_id.get(one.partnership)) for one in delegations if one.device == device]
    return tuple(sorted((span for span in spans if span is not None), key=lambda span: span.since))


def _span(delegation: Delegation, partnership: Partnership | None) -> Delegated | None:
    """Both agreements must hold, so the later acceptance begins it and the earlier end ends it."""
    if partnership is None or delegation.accepted_at is None or partnership.accepted_at is None:
        return None
    since = max(delegation.accepted_at, partnership.accepted_at)
    until = min((end for end in (delegation.ended_at, partnership.ended_at) if end is not None), default=None)
    return None if until is not None and until <= since else Delegated(delegation.partner, since, until)
