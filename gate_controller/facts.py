"""What happened: the journal's vocabulary, and the only thing that changes occupancy.

A fact says nothing about when; the journal's row does. Fields that name a person or a vehicle are listed in
`PERSONAL`: the store keeps them in an erasable side table, so that a row is never rewritten.
Adding a kind means adding a dataclass and its place in `Fact`; renaming one breaks every journal on disk.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from gate_controller.reasons import Note, Reason

HoldId = NewType("HoldId", str)
LaneId = NewType("LaneId", str)


class Direction(StrEnum):
    """Which way a vehicle goes through a lane."""

    IN = "in"
    OUT = "out"


class Matched(StrEnum):
    """How a credential found its user."""

    EXACT = "exact"
    LOOK_ALIKE = "look_alike"
    NEAREST = "nearest"
    BADGE = "badge"
    QR_PASS = "qr_pass"
    GUEST_CODE = "guest_code"
    SIGNED_PASS = "signed_pass"
    NONE = "none"


class Released(StrEnum):
    """Why a hold ended without a passage."""

    NO_ENTRY = "no_entry"
    BACK_OUT = "back_out"
    UNCONFIRMED = "unconfirmed"
    EXPIRED = "expired"
    FAULT = "fault"
    FIRE = "fire"
    STORE_UNAVAILABLE = "store_unavailable"
    HELD_ELSEWHERE = "held_elsewhere"
    PORTAL_UNREACHABLE = "portal_unreachable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    OPERATOR = "operator"


class Ungranted(StrEnum):
    """In what way a vehicle passed without a grant."""

    TAILGATE = "tailgate"
    HELD_OPEN = "held_open"
    FIRE = "fire"
    FORCED = "forced"
    MANUAL = "manual"


class Closed(StrEnum):
    """Why a parking session ended without its own passage."""

    EXIT_MISSED = "exit_missed"
    EXPIRED = "expired"
    OPERATOR = "operator"
    LEFT_ELSEWHERE = "left_elsewhere"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a decision was made on: enough to explain it a month later.

    `as_read` is the credential as the reader gave it, `as_matched` the one on the list; of a QR pass or guest code
    both are digests, which are as personal as the rest.
    `weakest` is the lowest probability of any character, `confidence` that of the whole text, both 0 to 1;
    what is shown or typed has 1 for both. `votes` counts the frames behind the read.
    """

    epoch: str
    revision: int
    matched: Matched
    as_read: str = ""
    as_matched: str = ""
    confidence: float = 1.0
    weakest: float = 1.0
    votes: int = 1
    evidence: str | None = None


@dataclass(frozen=True, slots=True)
class LaneStarted:
    """The lane's program began: nothing before this moment can still move the boom."""

    lane: LaneId


@dataclass(frozen=True, slots=True)
class VehicleArrived:
    """A vehicle has stood on the approach loop long enough to be asked for a credential."""

    lane: LaneId
    direction: Direction


@dataclass(frozen=True, slots=True)
class VehicleLeft:
    """The vehicle on the approach loop went away without passing."""

    lane: LaneId


@dataclass(frozen=True, slots=True)
class Granted:
    """The intent to open for one vehicle; at an entry it holds the user's place until passage or release.

    `hold` also names the opening pulse. `user_id` is None only at an exit that opens for anyone. `plate` is the
    canonical key of the vehicle, "" when only a badge is known. When it passes, the sessions in `closes` end: at an
    entry as missed exits, at an exit because this is their exit. `contract` and `payer` are fixed at the entry and
    said again at the exit; `billed_to` pays for the scan; `group` is whose quota the vehicle counts to. Until
    `spends` the credential lets nobody in again, once the vehicle has passed.
    """

    lane: LaneId
    direction: Direction
    hold: HoldId
    user_id: str | None
    external_id: str
    plate: str
    basis: Basis
    notes: tuple[Note, ...] = ()
    closes: tuple[HoldId, ...] = ()
    contract: str = ""
    payer: str = ""
    billed_to: str = ""
    group: str = ""
    spends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A credential was refused, for exactly one reason.

    `holder` names the edge that has the user's place, where it was the portal that refused. `payer` is who would
    have paid, so that what is private stays so. A desk notes when the portal may know better by now, and which
    `clerk` wanted to hand out a badge.
    """

    lane: LaneId
    direction: Direction
    reason: Reason
    user_id: str | None
    external_id: str
    plate: str
    basis: Basis
    holder: str = ""
    payer: str = ""
    notes: tuple[Note, ...] = ()
    clerk: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """The boom was seen open, or its opening time elapsed where no limit switch is fitted (`assumed`)."""

    lane: LaneId
    hold: HoldId | None
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class Passed:
    """A granted vehicle went through; `assumed` where no far loop is fitted to confirm it."""

    lane: LaneId
    direction: Direction
    hold: HoldId
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class HoldReleased:
    """A grant ended without passage; the user's place is free again. `by` names the operator who ended it."""

    lane: LaneId
    hold: HoldId
    why: Released
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UngrantedPassage:
    """A vehicle went through without a grant: it changes the count, never a session.

    One that leaves while the boom stands open to all puts everybody inside in doubt (`Ungranted`).
    """

    lane: LaneId
    direction: Direction
    kind: Ungranted


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """An open session ended without its own passage; `session` is the hold of the grant that began it.

    `external_id`, `contract` and `payer` are what they were at the entry.
    """

    session: HoldId
    user_id: str
    plate: str
    why: Closed
    by: str = ""
    reason: str = ""
    external_id: str = ""
    contract: str = ""
    payer: str = ""


@dataclass(frozen=True, slots=True)
class BoomOpenedManually:
    """Somebody opened the barrier by command; `reason` is mandatory, `by` names the person."""

    lane: LaneId
    pulse: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """A command was not carried out: expired, repeated, or not possible in this phase."""

    lane: LaneId
    command: str
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class PhaseEntered:
    """The lane reached a phase that a technician wants to see in the journal (fault, fire, held open...).

    Named again with a new `why` when an order is to end it and has to wait.
    """

    lane: LaneId
    phase: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class AlarmRaised:
    """Something needs a person: obstructed, held open too long, device silent."""

    lane: LaneId
    alarm: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CredentialDropped:
    """A surplus credential was not queued: the lane's queue is full."""

    lane: LaneId
    kind: str


@dataclass(frozen=True, slots=True)
class LogGap:
    """A grant passed although it could not be written in time; its user is neutral from here.

    `seq` is the row of the journal that is reserved for the grant, filled in by whoever numbers the rows. None if
    it has none, because so many facts wait for the disk that this one is lost.
    """

    lane: LaneId
    hold: HoldId
    user_id: str | None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The portal gave this hold its user's place among all edges of the site, under a `fence` that only rises."""

    lane: LaneId
    hold: HoldId
    fence: int


@dataclass(frozen=True, slots=True)
class Unarbitrated:
    """A grant passed although nobody said whether its user's place is free at the other edges.

    `clock_err_ms` is how far this edge's clock may be from the portal's: it tells which of two entries came first.
    """

    lane: LaneId
    hold: HoldId
    user_id: str | None
    why: str
    clock_err_ms: int


@dataclass(frozen=True, slots=True)
class LaneSwitched:
    """A lane was switched on or off by order; it stays so over restarts, until its settings are changed."""

    lane: LaneId
    active: bool
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """By order a user, or one `credential` of it where that is not "", is void before the list says so."""

    user_id: str
    external_id: str
    credential: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeskGranted:
    """A desk let a user drive or ride along; `hold` names the pulse that frees the key, if there is a `slot`.

    `lane` is the desk. The reservation says which vehicle; `slot` is 0 for somebody who rides along. `notes` say
    when the portal was away, and may have known of a cancellation.
    """

    lane: LaneId
    hold: HoldId
    user_id: str
    external_id: str
    action: str
    reservation: str
    vehicle: str
    slot: int
    basis: Basis
    contract: str = ""
    payer: str = ""
    billed_to: str = ""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The key was taken out of its slot after a grant."""

    lane: LaneId
    slot: int
    hold: HoldId
    reservation: str
    user_id: str


@dataclass(frozen=True, slots=True)
class KeyReturned:
    """The key is back in its slot, `late_s` seconds after its reservation ended.

    What it was out for is empty if nobody knows.
    """

    lane: LaneId
    slot: int
    reservation: str
    user_id: str
    late_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EnrolAsked:
    """A badge was tapped for a user whom a clerk had chosen; the portal is asked to make it that user's.

    Until it answers the badge has no rights; `provisional` says that there was no way to the portal just then.
    """

    lane: LaneId
    enrol: str
    user_id: str
    external_id: str
    badge: str
    bits: int
    clerk: str
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class EnrolAnswered:
    """The portal's answer to a desk: the user's number, or the reason why there is none; `clerk` had asked."""

    lane: LaneId
    enrol: str
    user_number: str = ""
    reason: str = ""
    user_id: str = ""
    clerk: str = ""


Fact = (
    LaneStarted
    | VehicleArrived
    | VehicleLeft
    | Granted
    | Refused
    | Opened
    | Passed
    | HoldReleased
    | UngrantedPassage
    | SessionClosed
    | BoomOpenedManually
    | CommandRefused
    | PhaseEntered
    | AlarmRaised
    | CredentialDropped
    | LogGap
    | Claimed
    | Unarbitrated
    | DeskGranted
    | KeyTaken
    | KeyReturned
    | EnrolAsked
    | EnrolAnswered
    | LaneSwitched
    | Revoked
)

PERSONAL: dict[type, tuple[str, ...]] = {
    Granted: ("plate", "basis.as_read", "basis.as_matched", "basis.evidence"),
    Refused: ("plate", "basis.as_read", "basis.as_matched", "basis.evidence"),
    SessionClosed: ("plate",),
    DeskGranted: ("basis.as_read", "basis.as_matched", "basis.evidence"),
    EnrolAsked: ("badge",),
    Revoked: ("credential",),
}
"""Fields of each kind that name a person's vehicle or badge, as dotted paths."""
