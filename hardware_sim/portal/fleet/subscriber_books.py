"""Subscribers in the portal's tables: links to the form, contact data, licence pictures, and the terms of use.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. None of it
goes to an edge: what a desk must know of a subscriber is the user on the list.
"""

import secrets
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from hardware_sim.portal.records.inputs import Overtaken, WrongField, line, phone
from hardware_sim.portal.records.sessions import digest_of

LINK_LIVES: Final = timedelta(days=7)
MAILED_EVERY: Final = timedelta(minutes=2)
"""An address is mailed no more often, whoever types it in."""
ADDRESS_LEN_MAX: Final = 200
_MEDIA: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"%PDF-": "application/pdf"}
"""How files of each kind begin: ISO/IEC 10918-1 B.1.1.3, PNG 5.2, ISO 32000-1 7.5.2."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What the portal alone knows of a subscriber; `checked_by` is the clerk who found it right, "" before."""

    user_id: str
    name: str
    phone: str
    address: str
    terms: int
    checked_by: str = ""
    checked_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of use from `at` on, until there are newer ones."""

    number: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A copy of a licence, of a kind that is told by how it begins."""

    media: str
    data: bytes

    @classmethod
    def of(cls, data: bytes, field: str = "picture") -> "Picture":
        """What somebody handed in. Raises WrongField for another kind of file."""
        media = next((media for begins, media in _MEDIA.items() if data.startswith(begins)), None)
        if media is None:
            raise WrongField(field, "is neither JPEG, PNG nor PDF; take a photograph or scan it")
        return cls(media, data)


@dataclass(frozen=True, slots=True)
class BadgeOrder:
    """A desk was told to take a badge; `after` is the last event that had come by then."""

    desk: str
    clerk: str
    at: datetime
    after: int


class SubscriberBooks:
    """The subscribers of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # ---- links to the form ----

    def begin(self, email: str, now: datetime) -> str | None:
        """A link's token for this address, whose older links count no more; None so soon after the last one."""
        self._db.execute("DELETE FROM registering WHERE until <= ?", (_text(now),))
        row = self._db.execute("SELECT until FROM registering WHERE email = ?", (email,)).fetchone()
        if row is not None and now < datetime.fromisoformat(row[0]) - LINK_LIVES + MAILED_EVERY:
            return None
        token = secrets.token_urlsafe(32)
        self._db.execute(
            "INSERT OR REPLACE INTO registering VALUES (?, ?, ?)",
            (email, digest_of(token), _text(now + LINK_LIVES)),
        )
        return token

    def address(self, token: str, now: datetime) -> str | None:
        """The address that a live link was mailed to."""
        row = self._db.execute(
            "SELECT email, until FROM registering WHERE digest = ?", (digest_of(token),)
        ).fetchone()
        return row[0] if row is not None and now < datetime.fromisoformat(row[1]) else None

    def used(self, email: str) -> None:
        """The link has done what it is for."""
        self._db.execute("DELETE FROM registering WHERE email = ?", (email,))

    # ---- subscribers ----

    def put(self, wanted: Subscriber) -> Subscriber:
        """Add one, or change it if `version` is the newest. Raises WrongField, Overtaken."""
        clean = replace(
            wanted,
            name=line(wanted.name, "name"),
            phone=phone(wanted.phone),
            address=line(wanted.address, "address", ADDRESS_LEN_MAX),
        )
        known = self.get(clean.user_id)
        if known is not None and known.version != clean.version:
            raise Overtaken("Somebody else changed this subscriber meanwhile")
        newer = replace(clean, version=clean.version + 1) if known is not None else clean
        row = (newer.user_id, newer.name, newer.phone, newer.address, newer.terms, newer.checked_by)
        checked_at = _text(newer.checked_at) if newer.checked_at is not None else None
        self._db.execute(
            "INSERT OR REPLACE INTO subscriber VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, checked_at, newer.version)
        )
        return newer

    def get(self, user_id: str) -> Subscriber | None:
        """What is known of this user."""
        row = self._db.execute("SELECT * FROM subscriber WHERE user_id = ?", (user_id,)).fetchone()
        if row is None:
            return None
        user_id, name, number, address, terms, checked_by, checked_at, version = row
        at = datetime.fromisoformat(checked_at) if checked_at else None
        return Subscriber(user_id, name, number, address, terms, checked_by, at, version)

    def user_ids(self) -> list[str]:
        """Everybody who ever filled in the form and was not deleted."""
        return [user_id for (user_id,) in self._db.execute("SELECT user_id FROM subscriber ORDER BY user_id")]

    def put_picture(self, user_id: str, picture: Picture) -> None:
        """Keep a copy of the licence, sealed, in place of an older one."""
        self._db.execute(
            "INSERT OR REPLACE INTO licence_picture VALUES (?, ?, ?)", (user_id, picture.media, picture.data)
        )

    def picture(self, user_id: str) -> Picture | None:
        """The copy of this user's licence, sealed."""
        row = self._db.execute("SELECT media, data FROM licence_picture WHERE user_id = ?", (user_id,)).fetchone()
        return Picture(*row) if row is not None else None

    # ---- badges ----

    def last_event(self) -> int:
        """The number of the newest event of all edges."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()[0])

    def put_badge_order(self, user_id: str, order: BadgeOrder) -> None:
        """A desk was told, in place of what it was told before."""
        row = (user_id, order.desk, order.clerk, _text(order.at), order.after)
        self._db.execute("INSERT OR REPLACE INTO badge_order VALUES (?, ?, ?, ?, ?)", row)

    def badge_order(self, user_id: str) -> BadgeOrder | None:
        """What a desk was last told about this user."""
        row = self._db.execute(
            "SELECT desk, clerk, at, after FROM badge_order WHERE user_id = ?", (user_id,)
        ).fetchone()
        return BadgeOrder(row[0], row[1], datetime.fromisoformat(row[2]), row[3]) if row is not None else None

    def last_desk(self) -> str:
        """The desk that was told last, "" before the first."""
        row = self._db.execute("SELECT desk FROM badge_order ORDER BY at DESC LIMIT 1").fetchone()
        return row[0] if row is not None else ""

    # ---- terms of use ----

    def terms(self) -> Terms | None:
        """Those in force."""
        row = self._db.execute("SELECT number, at, text FROM terms ORDER BY number DESC LIMIT 1").fetchone()
        return Terms(row[0], datetime.fromisoformat(row[1]), row[2]) if row is not None else None

    def put_terms(self, text: str, now: datetime) -> Terms:
        """New ones, in force from now on."""
        done = self._db.execute("INSERT INTO terms (at, text) VALUES (?, ?)", (_text(now), text))
        return Terms(int(done.lastrowid or 0), now, text)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
