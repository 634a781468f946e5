"""The one table of reasons for a refusal and of notes that accompany a grant.

Lane, journal, console and portal use these names; each has a sentence for the driver and one for the operator.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a credential was refused; a refusal has exactly one, the first that failed."""

    DEVICE_UNCLAIMED = "device_unclaimed"
    DEVICE_INACTIVE = "device_inactive"
    LANE_CLOSED = "lane_closed"
    NO_PRESENCE = "no_presence"
    UNREADABLE_PLATE = "unreadable_plate"
    UNKNOWN_CREDENTIAL = "unknown_credential"
    CODE_WRONG = "code_wrong"
    TOO_MANY_TRIES = "too_many_tries"
    AMBIGUOUS_PLATE = "ambiguous_plate"
    CREDENTIAL_PENDING = "credential_pending"
    CREDENTIAL_SUSPENDED = "credential_suspended"
    CREDENTIAL_REVOKED = "credential_revoked"
    USER_INACTIVE = "user_inactive"
    NO_PERMIT = "no_permit"
    OUTSIDE_SCHEDULE = "outside_schedule"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    ANOTHER_VEHICLE_PARKED = "another_vehicle_parked"
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    FULL = "full"
    LIST_TOO_OLD = "list_too_old"
    STORE_UNAVAILABLE = "store_unavailable"
    PORTAL_UNREACHABLE = "portal_unreachable"


class Note(StrEnum):
    """What a reader of the journal should know about a grant."""

    LOOK_ALIKE = "look_alike"
    EXIT_MISSED = "exit_missed"
    EXIT_UNIDENTIFIED = "exit_unidentified"
    DEGRADED = "degraded"
    LOG_GAP = "log_gap"
    NEUTRAL = "neutral"


DRIVER: dict[Reason, str] = {
    Reason.DEVICE_UNCLAIMED: "This gate is not in service yet.",
    Reason.DEVICE_INACTIVE: "This gate is switched off.",
    Reason.LANE_CLOSED: "This lane is closed. Please use another one.",
    Reason.NO_PRESENCE: "Please drive up to the barrier.",
    Reason.UNREADABLE_PLATE: "Your number plate could not be read. Please show your badge or call for help.",
    Reason.UNKNOWN_CREDENTIAL: "This vehicle, badge or pass is not registered here.",
    Reason.CODE_WRONG: "This code is not right. Please type it again.",
    Reason.TOO_MANY_TRIES: "Too many wrong codes. Please wait a few minutes or call for help.",
    Reason.AMBIGUOUS_PLATE: "Your number plate is not clear enough. Please show your badge.",
    Reason.CREDENTIAL_PENDING: "Your access is not active yet. Please try again in a few minutes.",
    Reason.CREDENTIAL_SUSPENDED: "Your access is suspended. Please ask your manager.",
    Reason.CREDENTIAL_REVOKED: "This badge, plate or code has been withdrawn.",
    Reason.USER_INACTIVE: "Your account is switched off. Please ask your manager.",
    Reason.NO_PERMIT: "You have no permit for this car park.",
    Reason.OUTSIDE_SCHEDULE: "Your permit is not valid at this time.",
    Reason.NOT_YET_VALID: "Your permit is not valid yet.",
    Reason.EXPIRED: "Your permit has expired.",
    Reason.ANOTHER_VEHICLE_PARKED: "Another of your vehicles is already parked here.",
    Reason.ALREADY_INSIDE: "You are already inside.",
    Reason.NOT_INSIDE: "No entry is recorded for this vehicle. Please call for help.",
    Reason.FULL: "The car park is full.",
    Reason.LIST_TOO_OLD: "Your permit cannot be checked at the moment. Please call for help.",
    Reason.STORE_UNAVAILABLE: "The gate cannot record your entry at the moment. Please call for help.",
    Reason.PORTAL_UNREACHABLE: "Your place cannot be confirmed at the moment. Please call for help.",
}

OPERATOR: dict[Reason, str] = {
    Reason.DEVICE_UNCLAIMED: "The device has not been claimed; claim it with its serial and one-time code.",
    Reason.DEVICE_INACTIVE: "The device is inactive; activate it.",
    Reason.LANE_CLOSED: "The lane is closed by command or schedule.",
    Reason.NO_PRESENCE: "A credential came, but no vehicle stands on the approach loop.",
    Reason.UNREADABLE_PLATE: "No read was good enough to act on; see the evidence picture.",
    Reason.UNKNOWN_CREDENTIAL: "No user of the cached list has this plate, badge or pass.",
    Reason.CODE_WRONG: "No user of the cached list has this guest code.",
    Reason.TOO_MANY_TRIES: "Too many guest codes were wrong here; for two minutes none is looked at.",
    Reason.AMBIGUOUS_PLATE: "The read fits plates of two users; no guess is made.",
    Reason.CREDENTIAL_PENDING: "The credential waits for its activation.",
    Reason.CREDENTIAL_SUSPENDED: "The credential is suspended.",
    Reason.CREDENTIAL_REVOKED: "The credential has been revoked.",
    Reason.USER_INACTIVE: "The user's status is inactive.",
    Reason.NO_PERMIT: "Neither the user nor a group of the user has a permit for this place.",
    Reason.OUTSIDE_SCHEDULE: "The permit's weekly schedule does not cover this time.",
    Reason.NOT_YET_VALID: "The permit or credential becomes valid later.",
    Reason.EXPIRED: "The permit or credential has expired.",
    Reason.ANOTHER_VEHICLE_PARKED: "The user's place is taken, here or at another edge of the site: another "
    "vehicle is inside or on its way in.",
    Reason.ALREADY_INSIDE: "The user's badge, pass or code has entered and not left.",
    Reason.NOT_INSIDE: "The lane's exit policy is known_only and no open session fits.",
    Reason.FULL: "Vehicles inside and holds have reached the capacity.",
    Reason.LIST_TOO_OLD: "The portal has not confirmed the list for longer than this kind of permit may go on.",
    Reason.STORE_UNAVAILABLE: "The journal could not be written and the lane's policy is to refuse.",
    Reason.PORTAL_UNREACHABLE: "The portal did not say in time whether the user's place is free at the other "
    "edges, and the site's policy is then to refuse.",
}
