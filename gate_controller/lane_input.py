"""Everything that can reach a lane: contacts, credentials, words of the disk, the portal and the board, orders.

Only frozen values; what each changes is told in `lane_absorb`.
"""

from dataclasses import dataclass

from gate_controller.devices.codec import PulseId
from gate_controller.facts import HoldId
from gate_controller.lane_state import Credential, Order, Role


@dataclass(frozen=True, slots=True)
class Contact:
    """An input is now on or off, debounced (50 ms) by the board's codec."""

    role: Role
    on: bool


@dataclass(frozen=True, slots=True)
class ContactsLost:
    """The board is silent: nothing it said before may be believed, the safety loop counts as occupied."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A plate was read, a badge or pass shown, or a code typed."""

    credential: Credential


@dataclass(frozen=True, slots=True)
class Committed:
    """The grant of this hold is on disk."""

    hold: HoldId


@dataclass(frozen=True, slots=True)
class CommitFailed:
    """The grant of this hold cannot be written."""

    hold: HoldId
    why: str


@dataclass(frozen=True, slots=True)
class ClaimAnswered:
    """The portal's word on this hold: its user's place under `fence`, or None because `holder` has it."""

    hold: HoldId
    fence: int | None
    holder: str = ""


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """Nobody can be asked about the place of this hold's user."""

    hold: HoldId
    why: str


@dataclass(frozen=True, slots=True)
class PulseSent:
    """The device confirmed this pulse."""

    pulse: PulseId


@dataclass(frozen=True, slots=True)
class PulseUncertain:
    """Nobody knows whether this pulse reached the device; it is not tried again."""

    pulse: PulseId
    why: str


@dataclass(frozen=True, slots=True)
class Command:
    """An order by a person or the portal; `id` is unique, and at `expires_mono_s` it is void."""

    id: str
    kind: Order
    by: str
    reason: str
    expires_mono_s: float


@dataclass(frozen=True, slots=True)
class ClearHold:
    """A person ends a hold that nothing else ends: no vehicle is on its way on it any more."""

    hold: HoldId
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline came."""


Input = (
    Contact
    | ContactsLost
    | Presented
    | Committed
    | CommitFailed
    | ClaimAnswered
    | ClaimFailed
    | PulseSent
    | PulseUncertain
    | Command
    | ClearHold
    | Tick
)
