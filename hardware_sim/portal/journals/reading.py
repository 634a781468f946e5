"""A batch of events as it was delivered, read one by one: what cannot be read is set apart, and holds nobody up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from gate_controller.errors import MalformedMessage
from sync.codec import UnknownFact, decode_fact, is_known
from sync.messages import BATCH_LEN_MAX, EVENT_LEN_MAX, Event, EventBatch

AHEAD_MAX: Final = timedelta(days=31)
"""How far an edge's clock may be ahead before its times mean nothing; a wrong day still tells something."""
EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""No event is older than the program; clocks without a battery start at 1970 or 2000."""
KEPT_LEN_MAX: Final = 16 * 1024
"""Characters kept of what cannot be read."""


class Why(StrEnum):
    """Why an event was set apart."""

    OVERSIZED = "oversized"
    UNREADABLE = "unreadable"
    WRONG_NUMBER = "wrong_number"
    IMPOSSIBLE_TIME = "impossible_time"
    INVALID_BODY = "invalid_body"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that was delivered and does not count; `text` is what came, cut."""

    seq: int
    why: Why
    text: str


Read = Event | Quarantined


class Delivered(EventBatch, frozen=True, kw_only=True):
    """An `EventBatch` whose events are not looked into yet."""

    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=BATCH_LEN_MAX)]  # type: ignore[assignment]


def read(batch: Delivered, now: datetime) -> Sequence[Read]:
    """Each event, or why not. Raises MalformedMessage for a batch whose numbers do not add up."""
    if batch.first <= batch.after or batch.last - batch.first + 1 != len(batch.events):
        raise MalformedMessage(
            f"EventBatch: {batch.first} to {batch.last} after {batch.after} with {len(batch.events)} events"
        )
    return [_read(bytes(raw), seq, now) for seq, raw in enumerate(batch.events, batch.first)]


def _read(raw: bytes, seq: int, now: datetime) -> Read:
    def apart(why: Why) -> Quarantined:
        return Quarantined(seq, why, raw.decode(errors="replace")[:KEPT_LEN_MAX])

    if len(raw) > EVENT_LEN_MAX:
        return apart(Why.OVERSIZED)
    try:
        event = msgspec.json.decode(raw, type=Event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return apart(_time_or_rest(raw))
    if event.seq != seq:
        return apart(Why.WRONG_NUMBER)
    try:
        if not EARLIEST <= event.at <= now + AHEAD_MAX:
            return apart(Why.IMPOSSIBLE_TIME)
    except OverflowError:
        return apart(Why.IMPOSSIBLE_TIME)
    return event if _has_body(event) else apart(Why.INVALID_BODY)


def _time_or_rest(raw: bytes) -> Why:
    """Whether only the time is at fault: 30 February, or no zone."""
    try:
        rest = msgspec.json.decode(raw, type=dict[str, Any])
        msgspec.json.decode(msgspec.json.encode({**rest, "at": EARLIEST}), type=Event)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Why.UNREADABLE
    return Why.IMPOSSIBLE_TIME if "at" in rest else Why.UNREADABLE


def _has_body(event: Event) -> bool:
    """Whether it is a JSON object, and one that this version can read if it knows the kind."""
    try:
        msgspec.json.decode(event.body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    fact = decode_fact(event.kind, bytes(event.body), event.personal)
    return not isinstance(fact, UnknownFact) or not is_known(event.kind)
