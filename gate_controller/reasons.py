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
    NOT_AN_ACCESS_PASS = "not_an_access_pass"
    CODE_WRONG = "code_wrong"
    TOO_MANY_TRIES = "too_many_tries"
    AMBIGUOUS_PLATE = "ambiguous_plate"
    CREDENTIAL_PENDING = "credential_pending"
    PASS_EXPIRED = "pass_expired"
    PASS_REPLAYED = "pass_replayed"
    CREDENTIAL_SUSPENDED = "credential_suspended"
    CREDENTIAL_REVOKED = "credential_revoked"
    USER_INACTIVE = "user_inactive"
    NO_PERMIT = "no_permit"
    OUTSIDE_SCHEDULE = "outside_schedule"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    LICENCE_NOT_VALIDATED = "licence_not_validated"
    LICENCE_EXPIRED = "licence_expired"
    NO_RESERVATION = "no_reservation"
    TOO_EARLY = "too_early"
    RESERVATION_ENDED = "reservation_ended"
    WRONG_SITE = "wrong_site"
    KEY_NOT_THERE = "key_not_there"
    NO_PAYMENT_PROFILE = "no_payment_profile"
    ANOTHER_VEHICLE_PARKED = "another_vehicle_parked"
    ALREADY_INSIDE = "already_inside"
    NOT_INSIDE = "not_inside"
    FULL = "full"
    LIST_TOO_OLD = "list_too_old"
    STORE_UNAVAILABLE = "store_unavailable"
    PORTAL_UNREACHABLE = "portal_unreachable"
    NOT_PRE_REGISTERED = "not_pre_registered"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    NOT_CHECKED = "not_checked"
    BADGE_ALREADY_ASSIGNED = "badge_already_assigned"
    DESK_BUSY = "desk_busy"
    CODE_SUPERSEDED = "code_superseded"
    CODE_REVOKED = "code_revoked"
    OUT_OF_SCOPE = "out_of_scope"
    TOKEN_REQUIRED = "token_required"
    TOKEN_MISMATCH = "token_mismatch"


class Note(StrEnum):
    """What a reader of the journal should know about a grant."""

    LOOK_ALIKE = "look_alike"
    EXIT_MISSED = "exit_missed"
    EXIT_UNIDENTIFIED = "exit_unidentified"
    DEGRADED = "degraded"
    LOG_GAP = "log_gap"
    NEUTRAL = "neutral"


_CODE_WRONG = "This code is not right. Please type it again."

DRIVER: dict[Reason, str] = {
    Reason.DEVICE_UNCLAIMED: "This gate is not in service yet.",
    Reason.DEVICE_INACTIVE: "This gate is switched off.",
    Reason.LANE_CLOSED: "This lane is closed. Please use another one.",
    Reason.NO_PRESENCE: "Please drive up to the barrier.",
    Reason.UNREADABLE_PLATE: "Your number plate could not be read. Please show your badge or call for help.",
    Reason.UNKNOWN_CREDENTIAL: "This vehicle, badge or pass is not registered here.",
    Reason.NOT_AN_ACCESS_PASS: "This code sets up your account. Please scan it with your phone, not here.",
    Reason.CODE_WRONG: _CODE_WRONG,
    Reason.TOO_MANY_TRIES: "Too many wrong codes. Please wait a few minutes or call for help.",
    Reason.AMBIGUOUS_PLATE: "Your number plate is not clear enough. Please show your badge.",
    Reason.CREDENTIAL_PENDING: "Your access is not active yet. Please try again in a few minutes.",
    Reason.PASS_EXPIRED: "This pass is over. Please show a new one.",
    Reason.PASS_REPLAYED: "This pass was used before. Please show a new one.",
    Reason.CREDENTIAL_SUSPENDED: "Your access is suspended. Please ask your manager.",
    Reason.CREDENTIAL_REVOKED: "This badge, plate or code has been withdrawn.",
    Reason.USER_INACTIVE: "Your account is switched off. Please ask your manager.",
    Reason.NO_PERMIT: "You have no permit for this car park.",
    Reason.OUTSIDE_SCHEDULE: "Your permit is not valid at this time.",
    Reason.NOT_YET_VALID: "Your permit is not valid yet.",
    Reason.EXPIRED: "Your permit has expired.",
    Reason.LICENCE_NOT_VALIDATED: "Your driving licence has not been checked. You may ride along.",
    Reason.LICENCE_EXPIRED: "Your driving licence must be checked again. You may ride along.",
    Reason.NO_RESERVATION: "You have no reservation.",
    Reason.TOO_EARLY: "Not yet: the key is ready 15 minutes before your reservation, if nobody drives until then.",
    Reason.RESERVATION_ENDED: "Your reservation has ended.",
    Reason.WRONG_SITE: "Your reservation or pass is for another place.",
    Reason.KEY_NOT_THERE: "The key is not back yet. Please call for help.",
    Reason.NO_PAYMENT_PROFILE: "Your private account has no payment profile yet. Please add one in the app.",
    Reason.ANOTHER_VEHICLE_PARKED: "Another of your vehicles is already parked here.",
    Reason.ALREADY_INSIDE: "You are already inside.",
    Reason.NOT_INSIDE: "No entry is recorded for this vehicle. Please call for help.",
    Reason.FULL: "The car park is full.",
    Reason.LIST_TOO_OLD: "Your permit cannot be checked at the moment. Please call for help.",
    Reason.STORE_UNAVAILABLE: "The gate cannot record your entry at the moment. Please call for help.",
    Reason.PORTAL_UNREACHABLE: "Your place cannot be confirmed at the moment. Please call for help.",
    Reason.NOT_PRE_REGISTERED: "Please register first.",
    Reason.TERMS_NOT_ACCEPTED: "Please accept the terms of use first.",
    Reason.NOT_CHECKED: "Your data and your driving licence have to be looked at first.",
    Reason.BADGE_ALREADY_ASSIGNED: "This badge belongs to somebody else.",
    Reason.DESK_BUSY: "The desk is waiting for another badge. Please try again in half a minute.",
    Reason.CODE_SUPERSEDED: _CODE_WRONG,
    Reason.CODE_REVOKED: _CODE_WRONG,
    Reason.OUT_OF_SCOPE: _CODE_WRONG,
    Reason.TOKEN_REQUIRED: _CODE_WRONG,
    Reason.TOKEN_MISMATCH: _CODE_WRONG,
}

OPERATOR: dict[Reason, str] = {
    Reason.DEVICE_UNCLAIMED: "The device has not been claimed; claim it with its serial and one-time code.",
    Reason.DEVICE_INACTIVE: "The device is inactive; activate it.",
    Reason.LANE_CLOSED: "The lane is closed by command or schedule.",
    Reason.NO_PRESENCE: "A credential came, but no vehicle stands on the approach loop.",
    Reason.UNREADABLE_PLATE: "No read was good enough to act on; see the evidence picture.",
    Reason.UNKNOWN_CREDENTIAL: "No user of the cached list has this plate, badge or pass.",
    Reason.NOT_AN_ACCESS_PASS: "The code of an activation letter was scanned; it sets up an app and opens nothing.",
    Reason.CODE_WRONG: "Nobody on the cached list has this guest or viewing code.",
    Reason.TOO_MANY_TRIES: "Too many guest codes were wrong here; for two minutes none is looked at.",
    Reason.AMBIGUOUS_PLATE: "The read fits plates of two users; no guess is made.",
    Reason.CREDENTIAL_PENDING: "The credential waits for its activation.",
    Reason.PASS_EXPIRED: "The signed pass was good until a moment that is past.",
    Reason.PASS_REPLAYED: "The signed pass is good for one entry, and was used for one here.",
    Reason.CREDENTIAL_SUSPENDED: "The credential is suspended.",
    Reason.CREDENTIAL_REVOKED: "The credential has been revoked.",
    Reason.USER_INACTIVE: "The user's status is inactive.",
    Reason.NO_PERMIT: "Neither the user nor a group of the user has a permit for this place.",
    Reason.OUTSIDE_SCHEDULE: "The permit's weekly schedule does not cover this time.",
    Reason.NOT_YET_VALID: "The permit or credential becomes valid later.",
    Reason.EXPIRED: "The permit or credential has expired.",
    Reason.LICENCE_NOT_VALIDATED: "No clerk has validated the user's driving licence; carpooling needs none.",
    Reason.LICENCE_EXPIRED: "The licence was validated until a day that is past; check it again.",
    Reason.NO_RESERVATION: "The user drives no vehicle by reservation, at this site or another.",
    Reason.TOO_EARLY: "The reservation begins in more than 15 minutes, or somebody else drives until then.",
    Reason.RESERVATION_ENDED: "The reservation is over.",
    Reason.WRONG_SITE: "The reservation that is on now, or the signed pass, is for another site.",
    Reason.KEY_NOT_THERE: "The key's slot is empty, or the cabinet has none for it: it has not been returned.",
    Reason.NO_PAYMENT_PROFILE: "The contract that would pay is private and has no payment profile.",
    Reason.ANOTHER_VEHICLE_PARKED: "The user's place is taken, here or at another edge of the site: another "
    "vehicle is inside or on its way in.",
    Reason.ALREADY_INSIDE: "The user's badge, pass or code has entered and not left.",
    Reason.NOT_INSIDE: "The lane's exit policy is known_only and no open session fits.",
    Reason.FULL: "Vehicles inside and holds have reached the capacity.",
    Reason.LIST_TOO_OLD: "The portal has not confirmed the list for longer than this kind of permit may go on.",
    Reason.STORE_UNAVAILABLE: "The journal could not be written and the lane's policy is to refuse.",
    Reason.PORTAL_UNREACHABLE: "The portal did not say in time whether the user's place is free at the other "
    "edges, and the site's policy is then to refuse.",
    Reason.NOT_PRE_REGISTERED: "The user is not waiting for a badge: not registered yet, or done already.",
    Reason.TERMS_NOT_ACCEPTED: "The user has not accepted the terms of use.",
    Reason.NOT_CHECKED: "No clerk has checked contact data and licence; a licence that fails is no hindrance.",
    Reason.BADGE_ALREADY_ASSIGNED: "The badge is another user's; take it away there, or hand out another.",
    Reason.DESK_BUSY: "Another clerk has the desk wait for another user's badge, for half a minute at most.",
    Reason.CODE_SUPERSEDED: "The viewing code was replaced by a newer one.",
    Reason.CODE_REVOKED: "The viewing code is switched off.",
    Reason.OUT_OF_SCOPE: "The viewing code is for another site.",
    Reason.TOKEN_REQUIRED: "The viewing code wants a device's token beside it, and none was typed.",
    Reason.TOKEN_MISMATCH: "The token beside the viewing code is that of no device it may show.",
}
