"""Facts as lines for a person: the daemon's log. Plates and badges are masked, because logs travel.

Of a pass or code nothing is told: a part of its digest would be enough to find a short one.
"""

from gate_controller.credentials import DIGEST_MARK
from gate_controller.errors import PlateError
from gate_controller.facts import (
    AlarmRaised,
    BoomOpenedManually,
    Claimed,
    CommandRefused,
    CredentialDropped,
    DeskGranted,
    Direction,
    EnrolAnswered,
    EnrolAsked,
    Fact,
    Granted,
    HoldReleased,
    KeyReturned,
    KeyTaken,
    LaneStarted,
    LaneSwitched,
    LogGap,
    Opened,
    Passed,
    PhaseEntered,
    Refused,
    Revoked,
    SessionClosed,
    Unarbitrated,
    UngrantedPassage,
    VehicleArrived,
    VehicleLeft,
)
from gate_controller.plates import Plate
from gate_controller.plates import masked as masked_text


def masked(text: str) -> str:
    """A plate, however it is written, or a badge number, with at least half of it hidden; a code with all of it."""
    if text.startswith(DIGEST_MARK):
        return "a code"
    try:
        return Plate.parse(text).masked()
    except PlateError:
        return masked_text(text)


def narrate(fact: Fact) -> str:
    """One line without its time."""
    match fact:
        case Granted():
            return _granted(fact)
        case Refused():
            who = f" {fact.external_id}" if fact.external_id else ""
            holder = f" (at {fact.holder})" if fact.holder else ""
            clerk = f", asked by {fact.clerk}" if fact.clerk else ""
            return f"{fact.lane}: refused{who}{_credential(fact)}: {fact.reason}{holder}{clerk}{_notes(fact)}"
        case VehicleArrived():
            return f"{fact.lane}: vehicle at the loop"
        case VehicleLeft():
            return f"{fact.lane}: vehicle drove away"
        case Opened():
            return f"{fact.lane}: boom open" + (" (no limit switch: by time)" if fact.assumed else "")
        case Passed():
            way = "entered" if fact.direction is Direction.IN else "left"
            return f"{fact.lane}: {way}" + (" (no far loop: assumed)" if fact.assumed else "")
        case HoldReleased():
            said = f" by {fact.by}: {fact.reason}" if fact.by else ""
            return f"{fact.lane}: grant void: {fact.why}{said}"
        case UngrantedPassage():
            return f"{fact.lane}: passage {fact.direction} without a grant: {fact.kind}"
        case SessionClosed():
            said = f" by {fact.by}: {fact.reason}" if fact.by else ""
            return f"session of {masked(fact.plate) or 'a badge or code'} closed: {fact.why}{said}"
        case LaneStarted():
            return f"{fact.lane}: lane started"
        case PhaseEntered():
            return f"{fact.lane}: {fact.phase}" + (f" ({fact.why})" if fact.why else "")
        case AlarmRaised():
            return f"{fact.lane}: ALARM {fact.alarm}" + (f": {fact.detail}" if fact.detail else "")
        case BoomOpenedManually():
            return f"{fact.lane}: opened by {fact.by}: {fact.reason}"
        case CommandRefused():
            by = f" of {fact.by}" if fact.by else ""
            return f"{fact.lane}: order{by} refused: {fact.why}"
        case CredentialDropped():
            return f"{fact.lane}: a {fact.kind} more than the queue holds was dropped"
        case LogGap():
            row = "no row" if fact.seq is None else f"row {fact.seq}"
            return f"{fact.lane}: granted before it was on disk; {row} of the journal is reserved for it"
        case Claimed():
            return f"{fact.lane}: the portal keeps the user's place for it"
        case Unarbitrated():
            return f"{fact.lane}: granted without the portal's word: {fact.why}"
        case DeskGranted() | KeyTaken() | KeyReturned() | EnrolAsked() | EnrolAnswered():
            return _desk(fact)
        case LaneSwitched():
            return f"{fact.lane}: switched {'on' if fact.active else 'off'} by {fact.by}: {fact.reason}"
        case Revoked():
            what = f" {masked(fact.credential)}" if fact.credential else ""
            return f"{fact.external_id}{what} is void by {fact.by}: {fact.reason}"


def _desk(fact: DeskGranted | KeyTaken | KeyReturned | EnrolAsked | EnrolAnswered) -> str:
    match fact:
        case DeskGranted():
            what = f"key {fact.slot} of {fact.vehicle}" if fact.slot else f"rides along in {fact.vehicle}"
            return f"{fact.lane}: granted {fact.external_id}: {what}{_notes(fact)}"
        case KeyTaken():
            return f"{fact.lane}: key {fact.slot} taken"
        case KeyReturned():
            late = f", {fact.late_s / 60:.0f} min late" if fact.late_s else ""
            return f"{fact.lane}: key {fact.slot} is back{late}"
        case EnrolAsked():
            waits = "; the portal is away: no rights until it answers" if fact.provisional else ""
            return f"{fact.lane}: badge {masked(fact.badge)} for {fact.external_id}, by {fact.clerk}{waits}"
        case EnrolAnswered():
            said = f"user number {fact.user_number}" if fact.user_number else f"refused: {fact.reason}"
            return f"{fact.lane}: {said}{f', asked by {fact.clerk}' if fact.clerk else ''}"


def _granted(fact: Granted) -> str:
    who = f"{fact.external_id or 'exit'}{_credential(fact)}"
    return f"{fact.lane}: granted {who} ({fact.basis.matched}){_notes(fact)}"


def _notes(fact: Granted | Refused | DeskGranted) -> str:
    return f" [{', '.join(fact.notes)}]" if fact.notes else ""


def _credential(fact: Granted | Refused) -> str:
    return f" {masked(fact.basis.as_read)}" if fact.basis.as_read else ""
