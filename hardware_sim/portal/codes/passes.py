"""Signed passes made at the portal: a phone's, a new one each half minute, and a guest's, good for the whole visit.

A gate verifies either without the portal (`sync.passes`). A guest is a user of the list besides, so that the visit
can be ended before its time; a gate that has not heard of the guest yet lets in by the pass's own word.
"""

import secrets
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from gate_controller.allowlist import PermitPut, User, UserPut, UserRemoved
from gate_controller.credentials import CredentialState, GuestCode, PassRead, PlateCredential
from gate_controller.errors import BadInput, PortalError
from gate_controller.plates import Plate
from hardware_sim.portal.edges import newcomers
from hardware_sim.portal.house import House
from hardware_sim.portal.records import inputs
from hardware_sim.portal.records.inputs import WrongField
from hardware_sim.portal.records.sessions import digest_of
from hardware_sim.portal.trust.keys import PortalKeys
from sync import passes

PHONE_PASS_LIVES: Final = timedelta(seconds=90)
PHONE_PASS_EVERY_S: Final = 30
"""A phone shows a new pass that often, so that one which was just made is always at hand."""
VISIT_MAX: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is expected, by a signed pass behind a link."""

    user_id: str
    name: str
    number: str
    valid_from: datetime
    valid_to: datetime

    @property
    def read(self) -> PassRead:
        """What a gate reads of the pass."""
        return PassRead(self.user_id, self.number, self.valid_from, self.valid_to, guest=external_id(self.user_id))


@dataclass(frozen=True, slots=True)
class Invited:
    """A visit, and what its guest is told once."""

    visit: Visit
    token: str
    code: str


class Visits:
    """The visits of one open portal database; every method runs on its thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, token: str, visit: Visit, now: datetime) -> None:
        """Keep a visit under its link, and forget those that are over."""
        self._db.execute("DELETE FROM visit WHERE valid_to <= ?", (_text(now),))
        row = (visit.user_id, visit.name, visit.number, _text(visit.valid_from), _text(visit.valid_to))
        self._db.execute("INSERT INTO visit VALUES (?, ?, ?, ?, ?, ?)", (digest_of(token), *row))

    def by_link(self, token: str, now: datetime) -> Visit | None:
        """The visit behind a link, until it is over."""
        found = self._db.execute(
            "SELECT user_id, name, number, valid_from, valid_to FROM visit WHERE digest = ? AND valid_to > ?",
            (digest_of(token), _text(now)),
        ).fetchone()
        return None if found is None else Visit(*found[:3], *map(datetime.fromisoformat, found[3:]))

    def all(self, now: datetime) -> list[Visit]:
        """Every visit that is not over, the next to end first."""
        found = self._db.execute(
            "SELECT user_id, name, number, valid_from, valid_to FROM visit WHERE valid_to > ? ORDER BY valid_to",
            (_text(now),),
        )
        return [Visit(*row[:3], *map(datetime.fromisoformat, row[3:])) for row in found]


def external_id(user_id: str) -> str:
    """What a guest is called in journals: no name, which would be kept as long as they are."""
    return f"guest-{user_id[2:10]}"


def phone_pass(keys: PortalKeys, user: User, now: datetime) -> str:
    """The text of a pass for one entry, within 90 seconds. Raises BadInput for a user whose app is not active."""
    if user.app is not CredentialState.ACTIVE or not user.active:
        raise BadInput(f"{user.external_id}: the app is not active, so there is no pass for it")
    told = PassRead(user.id, secrets.token_hex(passes.NUMBER_LEN), now, now + PHONE_PASS_LIVES, once=True)
    return text_of(keys, told)


def text_of(keys: PortalKeys, told: PassRead) -> str:
    """The text of a pass for this portal's site. Raises BadInput, PortalError."""
    if keys.passes is None:
        raise PortalError("this portal has no key for passes yet: run `slagboom portal keys rotate` once")
    return passes.issue(keys.passes, keys.audience, told)


async def invite(
    house: House, actor: str, name: str, valid_from: datetime, valid_to: datetime, plate: str = "", email: str = ""
) -> Invited:
    """Expect a guest by signed pass, code and, if it is known, plate. Raises BadInput, and then nothing changed."""
    now, portal = house.now(), house.portal
    if not name.strip() or len(name) > 60:
        raise WrongField("name", "needs 1 to 60 characters")
    if valid_to <= max(valid_from, now):
        raise WrongField("valid_to", "is over before the visit begins")
    if valid_to - valid_from > VISIT_MAX:
        raise WrongField("valid_to", f"is more than {VISIT_MAX.days} days later; make the guest a user instead")
    mailed = inputs.email(email) if email else ""
    code, token = newcomers.new_guest_code(), secrets.token_urlsafe(24)
    guest = _guest(house, name, valid_from, valid_to, plate)
    dated = replace(GuestCode.parse(code), valid_from=valid_from, valid_to=valid_to)
    guest = replace(guest, codes=(dated,))
    visit = Visit(guest.id, name, secrets.token_hex(passes.NUMBER_LEN), valid_from, valid_to)
    text_of(portal.keys, visit.read)
    permit = replace(newcomers.parking(user_id=guest.id), valid_from=valid_from, valid_to=valid_to)

    def beside() -> None:
        Visits(portal.database.sql).put(token, visit, now)
        house.audit.note(now, actor, "visit.invited", guest.external_id, "")
        if mailed:
            house.mailbox.mail(now, mailed, "Your visit", _letter(house, token, code, valid_from, valid_to))

    await portal.change([UserPut(guest), PermitPut(permit)], beside)
    return Invited(visit, token, code)


async def call_off(house: House, actor: str, user_id: str) -> None:
    """End a visit before its time; a guest who is inside gets out."""
    user = house.portal.allowlist.user(user_id)
    if user is None:
        raise BadInput("this visit is over or was called off already")

    def beside() -> None:
        done = house.portal.database.sql.execute("DELETE FROM visit WHERE user_id = ?", (user_id,))
        if not done.rowcount:
            # Whoever expects guests may not delete others.
            raise BadInput("this is no visit, or it was called off already")
        house.audit.note(house.now(), actor, "visit.called_off", user.external_id, "")

    await house.portal.change([UserRemoved(user_id)], beside)


def _guest(house: House, name: str, valid_from: datetime, valid_to: datetime, plate: str) -> User:
    user_id = f"g-{house.new_id()}"
    plates = (PlateCredential(Plate.parse(plate), valid_from=valid_from, valid_to=valid_to),) if plate else ()
    return User(user_id, external_id(user_id), name=name, plates=plates, app=CredentialState.ACTIVE)


def _letter(house: House, token: str, code: str, valid_from: datetime, valid_to: datetime) -> str:
    return (
        f"You are expected from {valid_from:%Y-%m-%d %H:%M %Z} until {valid_to:%Y-%m-%d %H:%M %Z}.\n\n"
        f"Show the QR code of this page to the scanner at the gate:\n{house.url}/visit/{token}\n\n"
        f"Or type the code {code} there."
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
