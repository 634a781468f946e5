"""`slagboom why`: what the gate would say to a plate, badge or code here and now, and what would have to change.

It asks the gate's own `decide`. With `--config` it looks at the site's cached list and at who is inside, through
a connection that cannot write, so it is safe beside a running daemon.
"""

from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from edge import present
from edge.commands.remedy import Case, changes
from edge.commands.site_now import site_now
from edge.commands.when import instant, local_zone
from edge.config import load_config
from edge.lane_table import LaneTable
from edge.tables import did_you_mean
from gate_controller.access import Ask, ExitPolicy, is_temporary
from gate_controller.allowlist import Match, MatchKind, Permit
from gate_controller.credentials import CODE_LEN_MIN, DIGEST_MARK, PASS_LEN_MAX, Badge, BadgeRead, CodeRead, Shown
from gate_controller.errors import BadgeError, BadInput, PlateError
from gate_controller.facts import Direction, Granted, HoldId, LaneId, Matched, Refused
from gate_controller.moment import Moment
from gate_controller.plates import Plate, PlateRead
from gate_controller.reasons import DRIVER, OPERATOR
from gate_controller.rights import permit_reason
from gate_controller.site import Site
from sync.listfile import read_list


def explain(
    credential: str,
    lane: str,
    *,
    list_file: Path | None,
    config: Path | None,
    direction: str | None,
    at: str | None,
    as_json: bool,
) -> int:
    """Print the answer. Raises `BadInput` for a text that is no credential and a lane that is not there."""
    if (list_file is None) == (config is None):
        raise BadInput("--list, --config: give one of them")
    policy = ExitPolicy.ANY_VEHICLE
    if config is not None:
        settings = load_config(config)
        table = _lane(settings.lanes, lane)
        policy = table.exit_policy
        direction = direction or ("out" if table.direction == "out" else "in")
        site = site_now(settings)
    elif list_file is not None:
        tz: tzinfo = local_zone()
        site = Site(read_list(list_file, tz).allowlist, tz)
    ask = Ask(
        LaneId(lane),
        Direction(direction or "in"),
        _credential(credential, site),
        HoldId("why"),
        present=True,
        exit_policy=policy,
        read_over=True,
    )
    told = _told(credential, Case(site, ask, instant(at, site.tz)))
    if as_json:
        present.json_line(told)
    else:
        _print(told)
    return 0


def _lane(lanes: dict[str, LaneTable], name: str) -> LaneTable:
    if name not in lanes:
        raise BadInput(f"--lane: no lane {name} at this site; {did_you_mean(name, lanes)}")
    return lanes[name]


def _credential(text: str, site: Site) -> PlateRead | Shown:
    """The text as what the list knows it as; unknown to it, as a plate if it can be one."""
    plate, badge, code = _plate(text), _badge(text), CodeRead.of(text)
    listed = plate is not None and site.allowlist.find_plate(plate).kind is not MatchKind.NONE
    if badge is not None and not listed and site.allowlist.find_badge(badge).kind is not MatchKind.NONE:
        return badge
    if not listed and site.allowlist.find_code(code).kind is not MatchKind.NONE:
        return code
    if plate is not None:
        return PlateRead(plate, 1.0, ())
    if badge is not None:
        return badge
    if text.isascii() and text.isprintable() and CODE_LEN_MIN <= len(text) <= PASS_LEN_MAX:
        return code
    raise BadInput(f'"{text[:40]}": no number plate, badge number or code; write it as it is on the list')


def _plate(text: str) -> Plate | None:
    try:
        return Plate.parse(text)
    except PlateError:
        return None


def _badge(text: str) -> BadgeRead | None:
    try:
        badge = Badge.parse(text)
    except BadgeError:
        return None
    return BadgeRead(badge.uid, badge.bits)


# ---- the answer as one object ----

_KINDS: Final = {PlateRead: "plate", BadgeRead: "badge", CodeRead: "code"}


def _told(text: str, case: Case) -> dict[str, Any]:
    fact, match = case.answer(), case.found()
    reason = fact.reason if isinstance(fact, Refused) else None
    user = match.user
    permits = case.site.allowlist.permits_of(user) if user and _way_in(case) else ()
    inside = case.site.occupancy.of_user(fact.user_id) if fact.user_id else ()
    return {
        "credential": text,
        "kind": _KINDS[type(case.ask.credential)],
        "lane": case.ask.lane,
        "direction": case.ask.direction.value,
        "at": _minute(case.at, case),
        "decision": "denied" if reason else "granted",
        "reason": reason and reason.value,
        "driver": DRIVER[reason] if reason else "Please drive in." if _way_in(case) else "Please drive out.",
        "operator": OPERATOR[reason] if reason else _granted(fact, permits, case),
        "matched": fact.basis.matched.value,
        "as_matched": _listed(fact.basis.as_matched),
        "external_id": fact.external_id or None,
        "user_id": fact.user_id,
        "notes": [note.value for note in fact.notes] if isinstance(fact, Granted) else [],
        "permits": [_permit(permit, case) for permit in permits],
        "inside": [{"plate": s.plate or None, "since": _minute(s.entered_at, case)} for s in inside],
        "list": _list(case, match),
        "change": list(changes(reason, case, match, permits)) if reason else [],
    }


def _listed(as_matched: str) -> str | None:
    return None if as_matched.startswith(DIGEST_MARK) else as_matched or None


def _list(case: Case, match: Match) -> dict[str, Any] | None:
    """How old the list is and may be for this user; None without a portal and at an exit, where nobody asks."""
    age = case.site.list_age(Moment(case.at, case.at.timestamp()))
    if age is None or not _way_in(case):
        return None
    temporary = is_temporary(match, case.site, case.ask.lane, case.at)
    limit = case.site.list_max_age(temporary)
    return {
        "confirmed_at": _minute(case.site.list_confirmed_at, case),
        "age_h": _hours(age),
        "permit": "temporary" if temporary else "permanent",
        "max_age_h": None if limit is None else _hours(limit),
    }


def _hours(long: timedelta) -> float:
    return round(long.total_seconds() / 3600, 1)


def _minute(at: datetime | None, case: Case) -> str | None:
    return None if at is None else at.astimezone(case.site.tz).isoformat(timespec="minutes")


def _way_in(case: Case) -> bool:
    return case.ask.direction is Direction.IN


def _granted(fact: Granted | Refused, permits: tuple[Permit, ...], case: Case) -> str:
    if not _way_in(case):
        return "An exit lets a vehicle out whatever its user's status, permit or list."
    by = next((p.id for p in permits if permit_reason((p,), case.ask.lane, case.at) is None), "")
    how = {
        Matched.EXACT: "The plate is on the list as it was written.",
        Matched.LOOK_ALIKE: f"Listed as {fact.basis.as_matched}; a reader must hold that possible.",
        Matched.BADGE: "The badge is on the list.",
        Matched.QR_PASS: "The QR pass is on the list.",
        Matched.GUEST_CODE: "The guest code is on the list.",
    }[fact.basis.matched]
    return f"{how} Permit {by} allows this lane at this time."


def _permit(permit: Permit, case: Case) -> dict[str, Any]:
    reason = permit_reason((permit,), case.ask.lane, case.at)
    return {
        "id": permit.id,
        "of": f"group {permit.group_id}" if permit.group_id else "the user",
        "place": permit.device or "everywhere",
        "schedule": permit.schedule.text if permit.schedule else None,
        "valid_from": _minute(permit.valid_from, case),
        "valid_to": _minute(permit.valid_to, case),
        "now": "allows" if reason is None else reason.value,
    }


# ---- for people ----


def _print(told: dict[str, Any]) -> None:
    verdict = told["decision"] + (f": {told['reason']}" if told["reason"] else "")
    present.say(f"{told['credential']} at {told['lane']} ({told['direction']}), {told['at']}")
    present.say(verdict, style=present.STYLES[told["decision"]])
    rows = [
        ("Driver", told["driver"]),
        ("Operator", told["operator"]),
        ("User", told["external_id"] or "none"),
        ("Matched", f"{told['matched']} {told['as_matched'] or ''}".strip()),
    ]
    rows += [("Note", note) for note in told["notes"]]
    rows += [("Inside", f"{s['plate'] or 'by badge or code'} since {s['since']}") for s in told["inside"]]
    if (found := told["list"]) is not None:
        limit = "any age" if found["max_age_h"] is None else f"{found['max_age_h']:g} hours"
        rows.append(
            (
                "List",
                f"confirmed {found['confirmed_at']}, {found['age_h']:g} hours ago; "
                f"counts up to {limit} for a {found['permit']} permit",
            )
        )
    rows += [("To change", text) for text in told["change"]]
    for name, text in rows:
        present.say(f"  {name + ':':<11}{text}")
    if told["permits"]:
        columns = ("Permit", "Of", "Place", "Schedule", "From", "To", "Now")
        present.table("", columns, [tuple(permit.values()) for permit in told["permits"]])
