"""The portal's view of who is inside at which edge: places given, stays told by journals, conflicts that follow.

Journals are the truth, each read once and in its own order; questions for a place only come sooner. What is derived
is derived anew from the user's stays whenever one of them changes, so that it does not matter which edge's journal
came first. Every method runs on the database connection's own thread, inside the transaction of its owner. The
rules are `gate_controller.arbiter`'s and `gate_controller.conflicts`'.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from gate_controller.arbiter import Given, Held, Place, Places
from gate_controller.conflicts import Conflict, Departure, EventId, Resolution, Settled, Stay, astray, settle
from gate_controller.facts import (
    Claimed,
    Closed,
    Direction,
    Granted,
    HoldId,
    HoldReleased,
    LaneStarted,
    LogGap,
    Passed,
    SessionClosed,
    Unarbitrated,
    Ungranted,
    UngrantedPassage,
)
from gate_controller.lane_claim import CLOCK_ERR_MS
from gate_controller.occupancy import DOUBTFUL
from sync.codec import decode_fact
from sync.messages import LEFT_LEN_MAX, Claim

KINDS: Final = (
    "granted",
    "claimed",
    "unarbitrated",
    "passed",
    "hold_released",
    "session_closed",
    "log_gap",
    "ungranted_passage",
    "lane_started",
)
"""Kinds of facts that say who is inside."""
STAYS_MAX: Final = 1000
"""Stays of one user compared at once, the latest ones: a person has some 500 a year, and few of them open."""
SLACK: Final = timedelta(minutes=1)
"""Beyond the clocks' own errors, so that what lies on an edge of the window is looked at."""

_OVER = "coalesce(over_at, ended_at, left_at, '9')"
_OPEN = "ended_at IS NULL AND left_at IS NULL AND doubted_at IS NULL"


_LISTED_SIZE: Final = (
    "SELECT json_extract(body, '$.user.pool_size') AS size, 0 AS late FROM list_entry"
    " WHERE generation = (SELECT generation FROM list_cursor) AND kind = 'user' AND key = :user"
)


def keep_size(db: sqlite3.Connection, user: str) -> None:
    """Remember how many places a user has who is about to leave the list: journals may tell of entries later."""
    db.execute(
        f"INSERT OR REPLACE INTO left_list SELECT :user, size FROM ({_LISTED_SIZE}) WHERE size > 1", {"user": user}
    )


class Stays:
    """The tables of one open portal database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.left_news: set[str] = set()
        """Edges some of whose vehicles were found to have left elsewhere; whoever tells them clears it."""

    # ---- questions for a place ----

    def claim(self, edge: str, claim: Claim, now: datetime) -> Given | Held | None:
        """Answer a question for a place; None where there is nothing to answer."""
        hold, at = HoldId(claim.claim_id), _text(claim.at)
        own = self._db.execute(
            "SELECT user, ended_at IS NOT NULL FROM stay WHERE edge = ? AND hold = ?", (edge, hold)
        ).fetchone()
        if claim.action == "enter":
            return self._enter(edge, hold, claim, own is not None and bool(own[1]), now)
        places = self._places(own[0] if own else claim.user)
        if places.release(edge, hold, claim.fence) is not places:
            # Also of an unknown hold: its question may come after its end, and must take no place then.
            self._new(edge, hold, claim.user, places.size, at)
            self._set("ended_at = coalesce(ended_at, ?)", at, edge, hold)
        return None

    def _enter(self, edge: str, hold: HoldId, claim: Claim, over: bool, now: datetime) -> Given | Held:
        places = self._places(claim.user)
        if over:
            places = places.release(edge, hold)
        (last,) = self._db.execute("SELECT fence FROM standing").fetchone()
        # Higher than any before, also if these books are from a backup.
        fence = max(int(last) + 1, int(now.timestamp() * 1000))
        closes = tuple(map(HoldId, claim.closes))
        _, answer = places.claim(edge, hold, fence, closes)
        if isinstance(answer, Given) and answer.fence == fence:
            self._db.execute("UPDATE standing SET fence = ?", (fence,))
            self._new(edge, hold, claim.user, places.size, _text(claim.at))
            self._db.execute("UPDATE stay SET fence = ? WHERE edge = ? AND hold = ?", (fence, edge, hold))
        return answer

    def _places(self, user: str) -> Places:
        """A grant that only waits for its answer takes nothing yet: its question does."""
        found = self._db.execute(
            f"SELECT edge, hold, fence FROM stay WHERE user = ? AND {_OPEN}"
            " AND (fence IS NOT NULL OR alone OR entered) ORDER BY at",
            (user,),
        )
        taken = tuple(Place(edge, HoldId(hold), fence) for edge, hold, fence in found)
        return Places(self._size(user), taken)

    def has_place(self, user: str) -> bool:
        """Whether one more vehicle of this user fits, as far as edges have told."""
        places = self._places(user)
        return len(places.taken) < places.size

    def _size(self, user: str) -> int:
        # No longer on the list: as many places as then.
        then = "SELECT size, 1 FROM left_list WHERE user = :user"
        found = self._db.execute(
            f"SELECT size FROM ({_LISTED_SIZE} UNION ALL {then}) ORDER BY late", {"user": user}
        ).fetchone()
        return int(found[0] or 1) if found else 1

    def _new(self, edge: str, hold: HoldId, user: str, size: int, at: str) -> None:
        self._db.execute(
            "INSERT INTO stay (edge, hold, user, size, at, err_ms) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (edge, hold, user, size, at, CLOCK_ERR_MS),
        )

    # ---- journals ----

    def read(self, edge: str, ledger: str, after_seq: int, through_seq: int) -> None:
        """Take note of the rows of a journal that have just become complete, each once and in order."""
        marks = ", ".join("?" * len(KINDS))
        rows = self._db.execute(
            "SELECT seq, at, kind, body FROM event WHERE edge = ? AND ledger = ? AND seq > ? AND seq <= ?"
            f" AND kind IN ({marks}) ORDER BY seq",
            (edge, ledger, after_seq, through_seq, *KINDS),
        ).fetchall()
        touched: dict[str, datetime] = {}
        for seq, at, kind, body in rows:
            fact = decode_fact(kind, body.encode(), None)
            for user, since in self._note(EventId(edge, ledger, seq), at, fact):
                touched[user] = min(since, touched.get(user, since))
        for user, since in touched.items():
            self._settle(user, since)

    def retire(self, edge: str, at: datetime) -> None:
        """An edge tells no more: whoever is inside by it holds no place, and who was on the way in did not pass."""
        for user, since in self._doubt(edge, None, _text(at)):
            self._settle(user, since)
        self._db.execute(f"UPDATE stay SET ended_at = ? WHERE edge = ? AND {_OPEN}", (_text(at), edge))

    def _note(self, id: EventId, at: str, fact: Any) -> Iterable[tuple[str, datetime]]:
        """Write down one fact; whose stays changed, and from when on."""
        edge = id.edge
        match fact:
            case Granted(direction=Direction.IN, user_id=str(user)):
                self._new(edge, fact.hold, user, self._size(user), at)
                self._db.execute(
                    "UPDATE stay SET ledger = ?, seq = ?, user = ?, at = ?, closes = ? WHERE edge = ? AND hold = ?",
                    (id.ledger, id.seq, user, at, _json(fact.closes), edge, fact.hold),
                )
            case Granted(direction=Direction.OUT):
                self._db.execute(
                    "INSERT OR REPLACE INTO departure VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
                    (edge, fact.hold, id.ledger, id.seq, fact.user_id, _json(fact.closes), at),
                )
            case Claimed():
                self._set("fence = coalesce(fence, ?)", fact.fence, edge, fact.hold)
            case Unarbitrated():
                self._set("alone = 1, err_ms = ?", fact.clock_err_ms, edge, fact.hold)
            case Passed(direction=Direction.IN):
                return self._came(edge, fact.hold, at)
            case Passed(direction=Direction.OUT):
                return self._went(edge, fact.hold, at)
            case HoldReleased():
                return self._released(edge, fact, at)
            case SessionClosed(why=Closed.LEFT_ELSEWHERE):
                # Its own clock says when it was told, the other edge's when the vehicle left.
                self._set("ended_at = coalesce(left_at, ended_at, ?)", at, edge, fact.session)
            case SessionClosed():
                return self._end(edge, [fact.session], at)
            case LogGap(user_id=str(user)):
                return self._doubt(edge, (user,), at, but=fact.hold)
            case UngrantedPassage(direction=Direction.OUT) if fact.kind is not Ungranted.TAILGATE:
                return self._doubt(edge, None, at)
            case LaneStarted():
                # What was asked for before, and never came into the journal, died with the program.
                self._db.execute(
                    "DELETE FROM stay WHERE edge = ? AND seq IS NULL AND at < ? AND hold LIKE ? || '-%'",
                    (edge, at, fact.lane),
                )
        return ()

    def _set(self, what: str, value: object, edge: str, hold: HoldId) -> None:
        self._db.execute(f"UPDATE stay SET {what} WHERE edge = ? AND hold = ?", (value, edge, hold))

    def _came(self, edge: str, hold: HoldId, at: str) -> Iterable[tuple[str, datetime]]:
        found = self._db.execute(
            "UPDATE stay SET entered = 1 WHERE edge = ? AND hold = ? RETURNING user, at, closes",
            (edge, hold),
        ).fetchone()
        if found is None:
            return ()
        user, since, closes = found
        return [(user, datetime.fromisoformat(since)), *self._end(edge, msgspec.json.decode(closes), at)]

    def _went(self, edge: str, hold: HoldId, at: str) -> Iterable[tuple[str, datetime]]:
        found = self._db.execute(
            "SELECT user, closes FROM departure WHERE edge = ? AND hold = ?", (edge, hold)
        ).fetchone()
        if found is None:
            return ()
        user, closes = found[0], msgspec.json.decode(found[1])
        if closes or user is None:
            self._db.execute("DELETE FROM departure WHERE edge = ? AND hold = ?", (edge, hold))
            return self._end(edge, closes, at)
        self._db.execute("UPDATE departure SET at = ?, passed = 1 WHERE edge = ? AND hold = ?", (at, edge, hold))
        return [(user, datetime.fromisoformat(at))]

    def _released(self, edge: str, fact: HoldReleased, at: str) -> Iterable[tuple[str, datetime]]:
        gone = self._db.execute(
            "DELETE FROM departure WHERE edge = ? AND hold = ? RETURNING user", (edge, fact.hold)
        ).fetchone()
        came = self._db.execute(
            "UPDATE stay SET ended_at = coalesce(ended_at, ?) WHERE edge = ? AND hold = ? RETURNING user",
            (at, edge, fact.hold),
        ).fetchone()
        (user,) = came or gone or (None,)
        return self._doubt(edge, (user,), at) if user is not None and fact.why in DOUBTFUL else ()

    def _end(self, edge: str, holds: Sequence[str], at: str) -> list[tuple[str, datetime]]:
        found = self._db.execute(
            "UPDATE stay SET ended_at = ? WHERE edge = ? AND hold IN (SELECT value FROM json_each(?))"
            " AND coalesce(ended_at, ?) >= ? RETURNING user, at, hold, err_ms",
            (at, edge, _json(holds), at, at),
        ).fetchall()
        return [(user, self._began(edge, hold, _at(since), _at(at), err_ms)) for user, since, hold, err_ms in found]

    def _began(self, edge: str, hold: HoldId, since: datetime, end: datetime, err_ms: int) -> datetime:
        """The earliest that a stay can have begun; one that ended before it began is kept in view accordingly."""
        off = astray(since, end, err_ms)
        if off is None:
            return since
        self._set("over_at = ?", _text(since + off), edge, hold)
        self._set("begun_at = ?", _text(since - off), edge, hold)
        return since - off

    def _doubt(
        self, edge: str, users: Sequence[str] | None, at: str, but: str = ""
    ) -> Iterable[tuple[str, datetime]]:
        """From here on the next movement of these users, or of all, is believed at this edge."""
        found = self._db.execute(
            "UPDATE stay SET doubted_at = ? WHERE edge = ? AND ended_at IS NULL AND doubted_at IS NULL AND entered"
            " AND hold != ? AND (? IS NULL OR user IN (SELECT value FROM json_each(?))) RETURNING user, at",
            (at, edge, but, None if users is None else 1, _json(users or ())),
        )
        return [(user, datetime.fromisoformat(since)) for user, since in found.fetchall()]

    # ---- what follows ----

    def _settle(self, user: str, since: datetime) -> None:
        """Compare this user's stays from `since` on anew; what a person has settled keeps that word."""
        least = self._window(user, since)
        rows = self._db.execute(
            # Whoever passed without an answer was not asked about, even if its question came hours later.
            "SELECT edge, ledger, seq, hold, at, CASE WHEN alone THEN NULL ELSE fence END,"
            " ended_at, doubted_at, err_ms, left_at, size FROM stay"
            f" WHERE user = ? AND entered AND {_OVER} >= ? ORDER BY at DESC LIMIT ?",
            (user, least, STAYS_MAX),
        ).fetchall()
        stays = {_stay(*row[:9]): row[9] for row in rows}
        departures = self._db.execute(
            "SELECT edge, ledger, seq, at FROM departure WHERE user = ? AND passed AND at >= ?", (user, least)
        ).fetchall()
        gone = [Departure(EventId(e, ledger, seq), _at(at), CLOCK_ERR_MS) for e, ledger, seq, at in departures]
        settled = settle(user, stays, gone, rows[0][10] if rows else 1)
        self._write_left(stays, settled)
        self._write_conflicts(user, least, settled.conflicts)

    def _window(self, user: str, since: datetime) -> str:
        """The latest time not after `since` at which nobody was inside: what lies before it has no part in this."""
        (err_ms,) = self._db.execute("SELECT max(err_ms) FROM stay WHERE user = ?", (user,)).fetchone()
        slack = SLACK + timedelta(milliseconds=2 * (err_ms or CLOCK_ERR_MS))
        start = _text(since - slack)
        while True:
            (least,) = self._db.execute(
                f"SELECT min(coalesce(begun_at, at)) FROM stay WHERE user = ? AND entered AND {_OVER} >= ?",
                (user, start),
            ).fetchone()
            if least is None or _text(_at(least) - slack) >= start:
                return start
            start = _text(_at(least) - slack)

    def _write_left(self, stays: dict[Stay, str | None], settled: Settled) -> None:
        for stay, known in stays.items():
            left = settled.left.get(stay.id)
            if (left and _text(left)) != known:
                self._set("left_at = ?", left and _text(left), stay.id.edge, stay.hold)
                if left is not None and stay.until is None:
                    self.left_news.add(stay.id.edge)

    def _write_conflicts(self, user: str, since: str, found: Sequence[Conflict]) -> None:
        self._db.execute(
            "DELETE FROM conflict WHERE user = ? AND at >= ? AND settled IS NULL"
            " AND id NOT IN (SELECT value FROM json_each(?))",
            (user, since, _json([conflict.id for conflict in found])),
        )
        self._db.executemany(
            "INSERT INTO conflict (id, user, at, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body, at = excluded.at",
            ((conflict.id, user, _text(conflict.claims[-1].at), _json(conflict)) for conflict in found),
        )

    # ---- questions ----

    def conflicts(self) -> list[Conflict]:
        """Every record, in the order of time, with a person's word on it where there is one."""
        found = self._db.execute("SELECT body, settled FROM conflict ORDER BY at, id")
        records = [(msgspec.json.decode(body, type=Conflict), settled) for body, settled in found]
        return [replace(r, resolution=Resolution(settled)) if settled else r for r, settled in records]

    def decide(self, id: str, resolution: Resolution) -> bool:
        """A person's word on a conflict; whether there is such a one."""
        done = self._db.execute("UPDATE conflict SET settled = ? WHERE id = ?", (resolution.value, id))
        return done.rowcount > 0

    def left(self, edge: str) -> list[str]:
        """Sessions that this edge still believes in, though their vehicles left through another one."""
        found = self._db.execute(
            "SELECT hold FROM stay WHERE edge = ? AND left_at IS NOT NULL AND ended_at IS NULL LIMIT ?",
            (edge, LEFT_LEN_MAX),
        )
        return [hold for (hold,) in found]


def _stay(
    edge: str,
    ledger: str,
    seq: int,
    hold: str,
    at: str,
    fence: int | None,
    ended_at: str | None,
    doubted_at: str | None,
    err_ms: int,
) -> Stay:
    until, doubted = ended_at and _at(ended_at), doubted_at and _at(doubted_at)
    return Stay(
        EventId(edge, ledger, seq), HoldId(hold), _at(at), fence, until or None, doubted or None, err_ms=err_ms
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
