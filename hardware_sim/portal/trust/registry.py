"""Which edges there are, and who may claim one: a serial and a code that counts once, for a while, and few tries.

Every method runs on the database connection's own thread, inside the transaction that its owner opened. A code is
kept as a hash only; it has 80 random bits, so that a stolen database does not give it away.
"""

import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from gate_controller.errors import BadInput

CODE_LIVES: Final = timedelta(days=7)
TRIES_MAX: Final = 10
"""Wrong codes for one serial; then only a new code helps."""
_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O and U: read aloud, none is taken for another
_CODE_LEN: Final = 16
_READ_AS: Final = str.maketrans("OIL", "011", " -")


@dataclass(frozen=True, slots=True)
class EnrolledEdge:
    """An edge that was registered; `certificate_until` is None until it was claimed."""

    edge: str
    serial: str | None
    certificate_until: datetime | None
    retired: bool


class Registry:
    """The registered edges of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def register(self, edge: str, serial: str, code: str, now: datetime) -> None:
        """Let whoever has serial and code claim the edge; an older code of it is void. Raises BadInput.

        What the edge already has stays good: this is also how an edge comes back whose certificate has expired.
        """
        of_edge = self._db.execute("SELECT retired FROM enrolment WHERE edge = ?", (edge,)).fetchone()
        if of_edge is not None and of_edge[0]:
            raise BadInput(f"edge {edge} is retired and its name is never given again; choose another")
        holder = self._db.execute("SELECT edge FROM enrolment WHERE serial = ?", (serial,)).fetchone()
        if holder is not None and holder[0] != edge:
            raise BadInput(f"serial {serial} is that of edge {holder[0]}; retire it first")
        self._db.execute(
            "INSERT INTO enrolment (edge, serial, code_hash, code_until) VALUES (?, ?, ?, ?) ON CONFLICT (edge)"
            " DO UPDATE SET serial = excluded.serial, code_hash = excluded.code_hash,"
            " code_until = excluded.code_until, tries = 0, claimed_by = NULL",
            (edge, serial, _hash(serial, code), (now + CODE_LIVES).isoformat()),
        )

    def claim(self, serial: str, code: str, key: bytes, now: datetime) -> str | None:
        """The edge that the code gives to this key; None for every reason alike.

        The same key may come again while the code lives: its answer may have been lost on the way.
        """
        row = self._db.execute(
            "SELECT edge, code_hash, code_until, tries, claimed_by FROM enrolment WHERE serial = ?", (serial,)
        ).fetchone()
        edge, code_hash, until, tries, claimed_by = row or ("", bytes(32), "", 0, None)
        right = hmac.compare_digest(_hash(serial, code), code_hash)
        if row is None or tries >= TRIES_MAX or now >= datetime.fromisoformat(until):
            return None
        if not right:
            self._db.execute("UPDATE enrolment SET tries = tries + 1 WHERE edge = ?", (edge,))
            return None
        if claimed_by not in (None, key):
            return None
        self._db.execute("UPDATE enrolment SET claimed_by = ? WHERE edge = ?", (key, edge))
        return str(edge)

    def certified(self, edge: str, until: datetime) -> None:
        """Note until when the edge's newest certificate holds."""
        at = until.astimezone(UTC).isoformat()
        self._db.execute("UPDATE enrolment SET certificate_until = ? WHERE edge = ?", (at, edge))

    def may_renew(self, edge: str) -> bool:
        """Whether the edge is one of ours still."""
        found = self._db.execute("SELECT retired FROM enrolment WHERE edge = ?", (edge,)).fetchone()
        return found is not None and not found[0]

    def is_retired(self, edge: str) -> bool:
        """Whether the name is one that is not given again."""
        found = self._db.execute("SELECT retired FROM enrolment WHERE edge = ?", (edge,)).fetchone()
        return found is not None and bool(found[0])

    def retire(self, edge: str, now: datetime, *, known: bool = False) -> None:
        """The edge gets no certificate any more; its serial is free again. Raises BadInput.

        One that is not registered here may be `known` by its key alone.
        """
        done = self._db.execute("UPDATE enrolment SET retired = 1, serial = NULL WHERE edge = ?", (edge,))
        if done.rowcount == 0 and not known:
            raise BadInput(f"no edge {edge} is registered")
        self._db.execute(
            "INSERT OR IGNORE INTO enrolment (edge, code_hash, code_until, retired) VALUES (?, zeroblob(32), ?, 1)",
            (edge, now.isoformat()),
        )

    def edges(self) -> list[EnrolledEdge]:
        """All that were ever registered, by name."""
        found = self._db.execute("SELECT edge, serial, certificate_until, retired FROM enrolment ORDER BY edge")
        return [
            EnrolledEdge(edge, serial, datetime.fromisoformat(until) if until else None, bool(retired))
            for edge, serial, until, retired in found
        ]


def new_code() -> str:
    """A fresh code of 80 bits, in groups of four."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_CODE_LEN))
    return "-".join(letters[at : at + 4] for at in range(0, _CODE_LEN, 4))


def plain_code(code: str) -> str:
    """A code as it is compared, however a person wrote it."""
    return code.upper().translate(_READ_AS)


def _hash(serial: str, code: str) -> bytes:
    said = plain_code(code)
    return sha256(b"slagboom/1 enrolment\0" + f"{serial}\0{said}".encode(errors="replace")).digest()
