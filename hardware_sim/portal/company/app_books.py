"""Tables of phone apps: who is to have one, one-time codes, consents. What they mean is `activation`'s business.

Every method runs on the database connection's own thread, inside the transaction that its owner opened.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from gate_controller.codes import OneTimeCode


@dataclass(frozen=True, slots=True)
class AppAsked:
    """An app that was asked for: `rev` is the revision that tells the gates what became of it last.

    `sites` are those that serve the user, `site` the one that the user chose.
    """

    user_id: str
    rev: int
    sites: tuple[str, ...]
    site: str | None
    asked_by: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """What somebody agreed to, in which wording, and until when."""

    purpose: str
    version: str
    at: datetime
    withdrawn_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it counts now."""
        return self.withdrawn_at is None


class AppBooks:
    """The apps of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # ---- apps ----

    def app(self, user_id: str) -> AppAsked | None:
        """The app that was asked for last for this user."""
        found = self._db.execute(
            "SELECT user_id, rev, sites, site, asked_by, asked_at FROM app WHERE user_id = ?", (user_id,)
        ).fetchone()
        if found is None:
            return None
        who, rev, sites, site, by, at = found
        return AppAsked(who, rev, tuple(msgspec.json.decode(sites, type=list[str])), site, by, _at(at))

    def put_app(self, app: AppAsked) -> None:
        """Keep it in place of an older one."""
        sites = msgspec.json.encode(app.sites).decode()
        row = (app.user_id, app.rev, sites, app.site, app.asked_by, _text(app.asked_at))
        self._db.execute("INSERT OR REPLACE INTO app VALUES (?, ?, ?, ?, ?, ?)", row)

    # ---- one-time codes ----

    def code(self, purpose: str, subject: str) -> OneTimeCode | None:
        """The newest code of this purpose for somebody, whether it still counts or not."""
        found = self._db.execute(
            "SELECT purpose, subject, salt, digest, expires_at, tries, used_at FROM one_time_code"
            " WHERE purpose = ? AND subject = ?",
            (purpose, subject),
        ).fetchone()
        if found is None:
            return None
        for_, whose, salt, digest, expires_at, tries, used_at = found
        return OneTimeCode(for_, whose, salt, digest, _at(expires_at), tries, _at(used_at) if used_at else None)

    def put_code(self, code: OneTimeCode) -> None:
        """From now on only this one counts."""
        row = (code.purpose, code.subject, code.salt, code.digest, _text(code.expires_at), code.tries, None)
        self._db.execute("INSERT OR REPLACE INTO one_time_code VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def note_try(self, before: OneTimeCode, after: OneTimeCode) -> bool:
        """Keep what a try made of a code; False if another try, or another code, came first."""
        used_at = _text(after.used_at) if after.used_at is not None else None
        done = self._db.execute(
            "UPDATE one_time_code SET tries = ?, used_at = ?"
            " WHERE purpose = ? AND subject = ? AND digest = ? AND tries = ? AND used_at IS NULL",
            (after.tries, used_at, before.purpose, before.subject, before.digest, before.tries),
        )
        return done.rowcount == 1

    def drop_code(self, purpose: str, subject: str) -> None:
        """No code counts any more."""
        self._db.execute("DELETE FROM one_time_code WHERE purpose = ? AND subject = ?", (purpose, subject))

    # ---- consents ----

    def consents(self, user_id: str) -> list[Consent]:
        """Everything that the user ever agreed to, in its order."""
        found = self._db.execute(
            "SELECT purpose, version, at, withdrawn_at FROM consent WHERE user_id = ? ORDER BY number", (user_id,)
        )
        return [Consent(what, version, _at(at), _at(over) if over else None) for what, version, at, over in found]

    def agree(self, user_id: str, purpose: str, version: str, at: datetime) -> None:
        """The user agreed, unless that stands already."""
        if not any(one.purpose == purpose and one.version == version for one in self.standing(user_id)):
            self._db.execute(
                "INSERT INTO consent (user_id, purpose, version, at) VALUES (?, ?, ?, ?)",
                (user_id, purpose, version, _text(at)),
            )

    def withdraw(self, user_id: str, purpose: str, at: datetime) -> bool:
        """The user agrees no more; False if that is so already. That it was otherwise stays on record."""
        done = self._db.execute(
            "UPDATE consent SET withdrawn_at = ? WHERE user_id = ? AND purpose = ? AND withdrawn_at IS NULL",
            (_text(at), user_id, purpose),
        )
        return done.rowcount > 0

    def standing(self, user_id: str) -> list[Consent]:
        """What the user agrees to now."""
        return [one for one in self.consents(user_id) if one.stands]


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
