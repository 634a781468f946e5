"""Accounts at the portal's pages: who may log in, as what, for which organisation and sites; codes, tries, links.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. Hashing is
slow and therefore done by the caller (`passwords`, `doors`). An account may be linked to one user of the list.
"""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from gate_controller.errors import BadInput
from hardware_sim.portal.records.inputs import Overtaken, WrongField, email, line, phone
from hardware_sim.portal.records.sessions import digest_of

CODE_LIVES: Final = timedelta(days=7)
LINK_LIVES: Final = timedelta(hours=1)
TRIES_MAX: Final = 10
"""Wrong passwords in a row; then nobody gets in for a while, not even with the right one."""
LOCKED_FOR: Final = timedelta(minutes=15)
LOGIN_LEN_MAX: Final = 254


class Role(StrEnum):
    """What an account may do; one may have several."""

    OPERATOR = "operator"
    SUPPORT = "support"
    ADMINISTRATOR = "administrator"
    FLEET_MANAGER = "fleet_manager"
    TRAVEL_MANAGER = "travel_manager"
    CLERK = "clerk"
    PARTNER = "partner"
    DRIVER = "driver"
    SUBSCRIBER = "subscriber"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who logs in; `user_id` is the user of the list that this person is."""

    id: str
    name: str
    organisation: str
    roles: frozenset[Role]
    email: str | None = None
    phone: str | None = None
    user_id: str | None = None
    sites: tuple[str, ...] = ()
    enabled: bool = True
    must_change: bool = True
    version: int = 1

    @property
    def holder(self) -> str:
        """The name of its sessions."""
        return f"account:{self.id}"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to log in that was counted; `stored` is None where nothing can be right."""

    account: Account | None
    stored: bytes | None
    is_code: bool


class Accounts:
    """The accounts of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put(self, wanted: Account) -> Account:
        """Add one, which cannot log in yet, or change it if `version` is the newest.

        Raises WrongField for a name, address or number that is none or another account's, and Overtaken.
        """
        clean = replace(
            wanted,
            name=_name(wanted.name),
            email=email(wanted.email) if wanted.email else None,
            phone=phone(wanted.phone) if wanted.phone else None,
        )
        if "@" in clean.name and clean.name != clean.email:
            raise WrongField("name", "looks like an e-mail address and is not this account's")
        self._refuse_taken(clean)
        known = self._db.execute("SELECT version FROM account WHERE id = ?", (clean.id,)).fetchone()
        if known is None:
            self._db.execute(f"INSERT INTO account ({_COLUMNS}, tries) VALUES ({_MARKS}, 0)", _row(clean))
            return clean
        if known[0] != wanted.version:
            raise Overtaken("somebody else changed this account meanwhile; look at it and change it again")
        newer = replace(clean, version=wanted.version + 1)
        sets = ", ".join(f"{column.strip()} = ?" for column in _COLUMNS.split(","))
        self._db.execute(f"UPDATE account SET {sets} WHERE id = ?", (*_row(newer), clean.id))
        return newer

    def get(self, account: str) -> Account:
        """The account with this id. Raises BadInput."""
        found = self._one("id = ?", account)
        if found is None:
            raise BadInput(f"no account {account!r}")
        return found

    def called(self, login: str) -> Account | None:
        """The account with this name or e-mail address."""
        said = login.strip().casefold()[:LOGIN_LEN_MAX]
        return self._one("name = ?1 OR email = ?1", said)

    def of_user(self, user_id: str) -> Account | None:
        """The account of this user of the list."""
        return self._one("user_id = ?", user_id)

    def all(self) -> list[Account]:
        """Every account, by name."""
        return [_account(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM account ORDER BY name")]

    def acting_for(self, organisation: str, role: Role) -> list[Account]:
        """Who may log in and acts for an organisation in a role, by name."""
        found = self._db.execute(
            f"SELECT {_COLUMNS} FROM account WHERE organisation = ? AND enabled"
            " AND instr(' ' || roles || ' ', ' ' || ? || ' ') ORDER BY name",
            (organisation, role.value),
        )
        return [_account(row) for row in found]

    def remove(self, account: str) -> None:
        """Delete an account with its links; its sessions are the caller's to end."""
        self._db.execute("DELETE FROM reset_link WHERE account = ?", (account,))
        self._db.execute("DELETE FROM account WHERE id = ?", (account,))

    # ---- codes and passwords ----

    def set_code(self, account: str, code: bytes, now: datetime, lives: timedelta = CODE_LIVES) -> None:
        """From now on only this one-time code counts, and a password must be set after it. `code` is as kept."""
        self._db.execute("DELETE FROM reset_link WHERE account = ?", (account,))
        self._db.execute(
            "UPDATE account SET secret = ?, must_change = 1, code_until = ?, tries = 0, locked_until = NULL"
            " WHERE id = ?",
            (code, _text(now + lives), account),
        )

    def forget_password(self, account: str) -> Account:
        """No password counts, and one must be set before anything else, by whoever has proven to be this person."""
        self._db.execute("UPDATE account SET secret = NULL, must_change = 1 WHERE id = ?", (account,))
        return self.get(account)

    def set_password(self, account: str, password: bytes) -> None:
        """From now on this password counts, as kept; links sent before do not."""
        self._db.execute("DELETE FROM reset_link WHERE account = ?", (account,))
        self._db.execute(
            "UPDATE account SET secret = ?, must_change = 0, code_until = NULL, tries = 0, locked_until = NULL"
            " WHERE id = ?",
            (password, account),
        )

    def begin_try(self, login: str, now: datetime) -> Attempt:
        """Count a try before it is known whether it is right, so that none is free that runs beside another."""
        account = self.called(login)
        if account is None:
            return Attempt(None, None, False)
        secret, until, tries, locked = self._db.execute(
            "SELECT secret, code_until, tries, locked_until FROM account WHERE id = ?", (account.id,)
        ).fetchone()
        if locked is not None and now < datetime.fromisoformat(locked):
            return Attempt(None, None, until is not None)
        tries = (0 if locked is not None else tries) + 1
        locks = _text(now + LOCKED_FOR) if tries >= TRIES_MAX else None
        self._db.execute("UPDATE account SET tries = ?, locked_until = ? WHERE id = ?", (tries, locks, account.id))
        usable = account.enabled and (until is None or now < datetime.fromisoformat(until))
        return Attempt(account if usable else None, secret if usable else None, until is not None)

    def succeeded(self, attempt: Attempt) -> Account | None:
        """The right password or code was given: tries begin anew, and a code is used up.

        None if it stopped counting meanwhile: used by somebody else, replaced, or the account switched off.
        """
        assert attempt.account is not None
        done = self._db.execute(
            "UPDATE account SET tries = 0, locked_until = NULL,"
            " secret = CASE WHEN code_until IS NULL THEN secret END WHERE id = ? AND secret = ? AND enabled",
            (attempt.account.id, attempt.stored),
        )
        return self.get(attempt.account.id) if done.rowcount else None

    # ---- links to set a password anew ----

    def new_link(self, account: str, now: datetime) -> str:
        """A token that sets a new password, once; an older one stops counting."""
        token = secrets.token_urlsafe(32)
        self._db.execute("DELETE FROM reset_link WHERE account = ? OR until <= ?", (account, _text(now)))
        self._db.execute(
            "INSERT INTO reset_link VALUES (?, ?, ?)", (digest_of(token), account, _text(now + LINK_LIVES))
        )
        return token

    def by_link(self, token: str, now: datetime) -> Account | None:
        """The account whose live link this is."""
        row = self._db.execute(
            "SELECT account, until FROM reset_link WHERE digest = ?", (digest_of(token),)
        ).fetchone()
        if row is None or now >= datetime.fromisoformat(row[1]):
            return None
        found = self.get(row[0])
        return found if found.enabled else None

    # ---- inside ----

    def _one(self, where: str, *values: str) -> Account | None:
        row = self._db.execute(f"SELECT {_COLUMNS} FROM account WHERE {where}", values).fetchone()
        return _account(row) if row is not None else None

    def _refuse_taken(self, wanted: Account) -> None:
        for field in ("name", "email", "phone", "user_id"):
            value = getattr(wanted, field)
            others = self._db.execute(f"SELECT 1 FROM account WHERE {field} = ? AND id != ?", (value, wanted.id))
            if value is not None and others.fetchone():
                raise WrongField(field, "is that of another account")
        if self._db.execute(
            "SELECT 1 FROM account WHERE id != ?1 AND (email = ?2 OR name = ?3)",
            (wanted.id, wanted.name, wanted.email),
        ).fetchone():
            raise WrongField("name", "is that of another account")


def new_account(
    id_: str,
    name: str,
    organisation: str,
    roles: Sequence[Role],
    mail: str | None = None,
    number: str | None = None,
) -> Account:
    """An account as a form or command describes it; who logs in with an address is named by it."""
    address = mail or (name if "@" in name else None)
    return Account(id_, name, organisation, frozenset(roles), address, number)


def _name(text: str) -> str:
    clean = line(text, "name", LOGIN_LEN_MAX).casefold()
    if any(letter.isspace() for letter in clean):
        raise WrongField("name", "has a space; write a name to log in with, such as o.visser")
    return clean


_COLUMNS: Final = "id, name, email, phone, organisation, user_id, roles, sites, enabled, must_change, version"
_MARKS: Final = ", ".join("?" * len(_COLUMNS.split(",")))


def _row(of: Account) -> tuple[object, ...]:
    roles = " ".join(sorted(of.roles))
    sites = msgspec.json.encode(of.sites).decode()
    words = (of.id, of.name, of.email, of.phone, of.organisation, of.user_id, roles, sites)
    return (*words, of.enabled, of.must_change, of.version)


def _account(row: tuple[Any, ...]) -> Account:
    id_, name, mail, number, organisation, user_id, roles, sites, enabled, must_change, version = row
    return Account(
        id_,
        name,
        organisation,
        frozenset(map(Role, roles.split())),
        mail,
        number,
        user_id,
        tuple(msgspec.json.decode(sites, type=list[str])),
        bool(enabled),
        bool(must_change),
        version,
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
