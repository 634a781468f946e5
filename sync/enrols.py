"""Badges that desks of this edge handed out, until the portal has answered: on disk, and when to ask again.

A question is named once and asked until it is answered, whatever happens in between: the portal finds its own work
done and says the same again. Until then the badge has no rights, because nobody but the portal's list gives any.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from gate_controller.errors import StoreError
from sync.messages import Enrol

AGAIN_AFTER_S: Final = 10.0
"""Before a question is repeated on the same connection."""
WAITING_LEN_MAX: Final = 256
"""Badges without an answer; a desk that long alone must wait for the portal."""


class EnrolBook:
    """The questions of one open database. Every method runs on its connection's own thread."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> list[Enrol]:
        """Every question without an answer."""
        found = self._db.execute("SELECT body FROM enrol ORDER BY enrol_id")
        return [msgspec.json.decode(body, type=Enrol) for (body,) in found]

    def put(self, asked: Enrol) -> None:
        """Keep a question; StoreError when too many wait."""
        (count,) = self._db.execute("SELECT count(*) FROM enrol").fetchone()
        if count >= WAITING_LEN_MAX:
            raise StoreError(f"{count} badges wait for the portal's answer; hand out no more before it is reached")
        body = msgspec.json.encode(asked).decode()
        self._db.execute("INSERT OR REPLACE INTO enrol VALUES (?, ?)", (asked.enrol_id, body))

    def drop(self, enrol_id: str) -> None:
        """The question was answered."""
        self._db.execute("DELETE FROM enrol WHERE enrol_id = ?", (enrol_id,))


@dataclass(frozen=True, slots=True)
class Enrols:
    """The same in memory; each is due at its moment, in monotonic seconds. Pure, handed the time."""

    waiting: Mapping[str, tuple[Enrol, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: list[Enrol]) -> "Enrols":
        """What the last run left, due at once."""
        return cls({asked.enrol_id: (asked, 0.0) for asked in kept})

    def begun(self) -> "Enrols":
        """On a new connection nothing is under way: all are due at once."""
        return self.of([asked for asked, _ in self.waiting.values()])

    def asked(self, asked: Enrol) -> "Enrols":
        """One more, due at once."""
        return replace(self, waiting={**self.waiting, asked.enrol_id: (asked, 0.0)})

    def asked_as(self, enrol_id: str) -> Enrol | None:
        """The question of this name; None if nobody waits for its answer."""
        held = self.waiting.get(enrol_id)
        return held[0] if held is not None else None

    def answered(self, enrol_id: str) -> "Enrols":
        """Without this one."""
        return replace(self, waiting={key: held for key, held in self.waiting.items() if key != enrol_id})

    def due(self, now_s: float) -> tuple["Enrols", list[Enrol]]:
        """What is to be said by now, and when it is due again."""
        if not self.waiting:
            return self, []
        said = [asked for asked, due_s in self.waiting.values() if due_s <= now_s]
        later = {asked.enrol_id: (asked, now_s + AGAIN_AFTER_S) for asked in said}
        return replace(self, waiting={**self.waiting, **later}), said

    def deadline_s(self) -> float | None:
        """When `due` will next have something to say; None while nothing waits."""
        return min((due_s for _, due_s in self.waiting.values()), default=None)
