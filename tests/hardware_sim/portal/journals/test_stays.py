"""What the portal makes of questions and journals: places, stays and conflicts, whatever came first."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import get_args

import msgspec
import pytest

from gate_controller.allowlist import User, UserPut, UserRemoved
from gate_controller.arbiter import Given, Held
from gate_controller.conflicts import Basis as Ground
from gate_controller.conflicts import Conflict, Kind, Resolution
from gate_controller.facts import (
    Basis,
    Claimed,
    Closed,
    Direction,
    Fact,
    Granted,
    HoldId,
    HoldReleased,
    LaneId,
    LaneStarted,
    LogGap,
    Matched,
    Passed,
    Released,
    SessionClosed,
    Unarbitrated,
    Ungranted,
    UngrantedPassage,
)
from hardware_sim.portal.edges.books import Books
from hardware_sim.portal.edges.service import PORTAL
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.journals.stays import KINDS
from sync.codec import encode_fact
from sync.database import Database
from sync.messages import Claim, Event, EventBatch

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
LANE = LaneId("in")
DAY = 24 * 60
"""In minutes."""


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def granted(hold: str, way: Direction = Direction.IN, closes: Sequence[str] = (), user: str = "u-ann") -> Granted:
    basis = Basis("e", 1, Matched.EXACT)
    return Granted(LANE, way, HoldId(hold), user, "1", "AB123CD", basis, closes=tuple(map(HoldId, closes)))


def alone(hold: str, err_ms: int = 1000) -> Unarbitrated:
    return Unarbitrated(LANE, HoldId(hold), "u-ann", "no connection", err_ms)


def entry(hold: str, minute: float, *, asked: int | None = None) -> list[tuple[float, Fact]]:
    mark = alone(hold) if asked is None else Claimed(LANE, HoldId(hold), asked)
    return [(minute, granted(hold)), (minute, mark), (minute + 0.1, Passed(LANE, Direction.IN, HoldId(hold)))]


def exit_of(hold: str, minute: float) -> list[tuple[float, Fact]]:
    out = f"out-{hold}"
    return [
        (minute, granted(out, Direction.OUT, [hold])),
        (minute + 0.1, Passed(LANE, Direction.OUT, HoldId(out))),
    ]


def unknown_exit(minute: float) -> list[tuple[float, Fact]]:
    out = f"out-{minute}"
    return [(minute, granted(out, Direction.OUT)), (minute + 0.1, Passed(LANE, Direction.OUT, HoldId(out)))]


class Desk:
    """A portal's books, and journals that grow."""

    def __init__(self, database: Database, ledgers: Ledgers) -> None:
        self.database, self.ledgers = database, ledgers
        self.stays = ledgers.stays
        self.journals: dict[str, list[Event]] = {}

    async def claim(self, edge: str, hold: str, action: str = "enter", **more: object) -> Given | Held | None:
        fields = {"claim_id": hold, "action": action, "at": T0, "user": "u-ann"} | more
        claim = msgspec.convert(fields, Claim)
        return await self.database.write(self.stays.claim, edge, claim, T0)

    def write(self, edge: str, facts: Sequence[tuple[float, Fact]]) -> list[Event]:
        """Rows of an edge's journal, not delivered yet."""
        journal = self.journals.setdefault(edge, [])
        first = len(journal)
        for minute, fact in facts:
            encoded = encode_fact(fact)
            body = msgspec.Raw(encoded.body)
            journal.append(Event(seq=len(journal) + 1, at=at(minute), kind=encoded.kind, body=body))
        return journal[first:]

    async def deliver(self, edge: str, events: Sequence[Event]) -> None:
        first, last = events[0].seq, events[-1].seq
        batch = EventBatch(aud="t/s/x", conn=1, ledger="L", first=first, last=last, events=[*events])
        await self.database.write(self.ledgers.ingest, edge, batch, events, T0)

    async def tell(self, edge: str, *facts: tuple[float, Fact]) -> None:
        await self.deliver(edge, self.write(edge, facts))

    async def conflicts(self) -> list[Conflict]:
        return await self.database.run(self.stays.conflicts)

    async def left(self, edge: str) -> list[str]:
        return await self.database.run(self.stays.left, edge)


async def a_desk(folder: Path) -> Desk:
    database = await Database.open(folder / "portal.db", PORTAL)
    books = await database.write(lambda: Books(database.sql, "e", T0))
    users = [UserPut(User("u-ann", "1")), UserPut(User("u-pool", "2", pool_size=2))]
    await database.write(books.change, "e", 0, users, T0)
    return Desk(database, Ledgers(database.sql))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = await a_desk(tmp_path)
    yield desk
    await desk.database.close()


def test_the_kinds_that_are_read_are_kinds_that_are_written() -> None:
    assert set(KINDS) <= {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(Fact)}


# ---- places ----


async def test_one_place_is_given_once_and_fences_rise(desk: Desk) -> None:
    first = await desk.claim("east", "in-1")
    assert isinstance(first, Given)
    assert await desk.claim("east", "in-1") == first
    assert await desk.claim("west", "in-1") == Held("east")
    await desk.claim("east", "in-1", "cancel")
    second = await desk.claim("west", "in-1")
    assert isinstance(second, Given)
    assert second.fence > first.fence


async def test_fences_and_places_outlive_a_restart(desk: Desk) -> None:
    first = await desk.claim("east", "in-1")
    again = Desk(desk.database, Ledgers(desk.database.sql))
    assert await again.claim("west", "in-1") == Held("east")
    second = await again.claim("west", "in-2", user="u-pool")
    assert isinstance(first, Given)
    assert isinstance(second, Given)
    # Never below the clock: books from a backup do not count again from where they were.
    assert second.fence > first.fence >= int(T0.timestamp() * 1000)


async def test_a_pool_has_its_size(desk: Desk) -> None:
    answers = [await desk.claim("east", f"in-{n}", user="u-pool") for n in range(3)]
    assert [isinstance(answer, Given) for answer in answers] == [True, True, False]


@pytest.mark.parametrize("asked", [True, False])
async def test_whoever_was_taken_off_the_list_had_as_many_places_as_before(desk: Desk, asked: bool) -> None:
    if asked:
        await desk.claim("east", "in-1", user="u-pool")
    books = await desk.database.run(lambda: Books(desk.database.sql, "e", T0))
    await desk.database.write(books.change, "e", 1, [UserRemoved("u-pool")], T0)
    for edge, hold, minute in (("east", "in-1", 0), ("west", "in-7", 10)):
        passed = Passed(LANE, Direction.IN, HoldId(hold))
        await desk.tell(edge, (minute, granted(hold, user="u-pool")), (minute + 0.1, passed))
    assert await desk.conflicts() == []


async def test_a_question_after_its_own_end_gets_nothing(desk: Desk) -> None:
    await desk.claim("east", "in-1", "cancel", user="")
    assert isinstance(await desk.claim("east", "in-1"), Held)
    assert isinstance(await desk.claim("west", "in-1"), Given)


async def test_leaving_frees_the_place_but_not_with_an_older_fence(desk: Desk) -> None:
    given = await desk.claim("east", "in-1")
    assert isinstance(given, Given)
    await desk.claim("east", "in-1", "leave", fence=given.fence - 1)
    assert await desk.claim("west", "in-1") == Held("east")
    await desk.claim("east", "in-1", "leave", fence=given.fence)
    assert isinstance(await desk.claim("west", "in-1"), Given)


async def test_the_journal_frees_what_no_message_did(desk: Desk) -> None:
    await desk.claim("east", "in-1")
    await desk.tell("east", *entry("in-1", 0, asked=1))
    assert await desk.claim("west", "in-1") == Held("east")
    await desk.tell("east", *exit_of("in-1", 5))
    assert isinstance(await desk.claim("west", "in-2"), Given)
    await desk.tell("west", (6, granted("in-2")), (7, HoldReleased(LANE, HoldId("in-2"), Released.BACK_OUT)))
    assert isinstance(await desk.claim("east", "in-3"), Given)


async def test_a_stay_that_nobody_was_asked_about_takes_the_place_too(desk: Desk) -> None:
    await desk.tell("east", *entry("in-1", 0))
    assert await desk.claim("west", "in-1") == Held("east")


async def test_a_grant_that_only_waits_for_its_answer_stands_in_nobody_s_way(desk: Desk) -> None:
    await desk.tell("east", (0, granted("in-1")))
    await desk.tell("west", (0, granted("in-1")))
    assert isinstance(await desk.claim("east", "in-1"), Given)
    assert await desk.claim("west", "in-1") == Held("east")


async def test_a_question_that_died_with_its_program_takes_nothing(desk: Desk) -> None:
    await desk.claim("east", "in-1")
    await desk.tell("east", (1, LaneStarted(LANE)))
    assert isinstance(await desk.claim("west", "in-1"), Given)


async def test_an_edge_that_is_retired_holds_nobody_s_place(desk: Desk) -> None:
    await desk.tell("east", *entry("in-1", 0))
    await desk.claim("east", "in-2", user="u-pool")
    await desk.claim("east", "in-3", user="u-pool")
    assert await desk.claim("west", "in-1") == Held("east")
    await desk.database.write(desk.ledgers.stays.retire, "east", T0)
    assert isinstance(await desk.claim("west", "in-2"), Given)
    assert isinstance(await desk.claim("west", "in-3", user="u-pool"), Given)
    assert not await desk.conflicts()


async def test_whoever_is_neutral_is_believed(desk: Desk) -> None:
    ways: list[Fact] = [
        LogGap(LANE, HoldId("in-9"), "u-ann"),
        UngrantedPassage(LANE, Direction.OUT, Ungranted.FIRE),
    ]
    for n, fact in enumerate(ways):
        edge = f"east{n}"
        await desk.tell(edge, *entry("in-1", n), (n + 0.5, fact))
        given = await desk.claim("west", f"in-{n}")
        assert isinstance(given, Given), fact
        await desk.claim("west", f"in-{n}", "cancel")


async def test_whoever_may_have_left_is_believed_too(desk: Desk) -> None:
    await desk.tell("a", *entry("h1", 0, asked=1), (30, granted("out", Direction.OUT, ["h1"])))
    assert await desk.claim("b", "h2") == Held("a"), "it is on its way out, and not gone"
    await desk.tell("a", (31, HoldReleased(LANE, HoldId("out"), Released.OUTCOME_UNKNOWN)))
    assert isinstance(await desk.claim("b", "h3"), Given)


async def test_a_tailgater_puts_nobody_in_doubt(desk: Desk) -> None:
    tailgate = UngrantedPassage(LANE, Direction.OUT, Ungranted.TAILGATE)
    await desk.tell("east", *entry("in-1", 0), (1, tailgate))
    assert await desk.claim("west", "in-1") == Held("east")


# ---- conflicts ----


async def test_an_offline_entry_while_inside_elsewhere_is_one_record(desk: Desk) -> None:
    await desk.claim("east", "in-1")
    await desk.tell("east", *entry("in-1", 0, asked=1))
    await desk.tell("west", *entry("in-7", 10))
    (found,) = await desk.conflicts()
    assert (found.kind, found.basis, found.surplus) == (Kind.ENTRY_WHILE_IN, Ground.FENCE, "west/L/1")
    assert [claim.hold for claim in found.claims] == ["in-1", "in-7"]


async def test_an_answer_that_nobody_waited_for_hides_no_double_entry(desk: Desk) -> None:
    await desk.claim("east", "in-1")
    await desk.tell("east", *entry("in-1", 0), *exit_of("in-1", 60))
    # The question is hours old, and by now the place is free.
    assert isinstance(await desk.claim("west", "in-7"), Given)
    await desk.tell("west", *entry("in-7", 10))
    (found,) = await desk.conflicts()
    assert (found.kind, found.basis, found.surplus) == (Kind.ENTRY_WHILE_IN, Ground.TIME, "west/L/1")


async def test_what_comes_again_makes_no_second_record(desk: Desk) -> None:
    events = {edge: desk.write(edge, entry("in-1", minute)) for edge, minute in (("east", 0), ("west", 9))}
    for edge in ("east", "west", "east", "west"):
        await desk.deliver(edge, events[edge])
    assert len(await desk.conflicts()) == 1


async def test_a_vehicle_that_did_not_pass_is_no_double_entry(desk: Desk) -> None:
    await desk.tell("east", *entry("in-1", 0))
    gone = HoldReleased(LANE, HoldId("in-7"), Released.BACK_OUT)
    await desk.tell("west", (5, granted("in-7")), (5, alone("in-7")), (6, gone))
    assert not await desk.conflicts()


async def test_an_exit_that_comes_later_takes_the_record_back(desk: Desk) -> None:
    """Journals do not come at the same pace: what looks like two inside may have been one after another."""
    await desk.tell("east", *entry("in-1", 0))
    await desk.tell("west", *entry("in-7", 10))
    assert len(await desk.conflicts()) == 1
    await desk.tell("east", *exit_of("in-1", 5))
    assert not await desk.conflicts()


async def test_a_person_s_word_stands_whatever_comes_later(desk: Desk) -> None:
    await desk.tell("east", *entry("in-1", 0))
    await desk.tell("west", *entry("in-7", 10))
    assert await desk.database.write(desk.stays.decide, "west/L/1", Resolution.PARDON)
    await desk.tell("east", *exit_of("in-1", 5))
    assert [found.resolution for found in await desk.conflicts()] == [Resolution.PARDON]
    assert not await desk.database.write(desk.stays.decide, "west/L/99", Resolution.PARDON)


async def test_an_exit_through_another_edge_frees_the_place_and_is_told_until_known(desk: Desk) -> None:
    await desk.tell("east", *entry("in-1", 0))
    await desk.tell("south", *unknown_exit(5))
    assert not await desk.conflicts()
    assert await desk.left("east") == ["in-1"]
    assert desk.stays.left_news == {"east"}
    assert isinstance(await desk.claim("west", "in-1"), Given)
    told = SessionClosed(HoldId("in-1"), "u-ann", "AB123CD", Closed.LEFT_ELSEWHERE)
    await desk.tell("east", (4.9, told))
    assert await desk.left("east") == []
    assert not await desk.conflicts()


async def test_an_exit_without_an_entry_is_explained_by_an_entry_that_comes_later(desk: Desk) -> None:
    await desk.tell("south", *unknown_exit(5))
    assert [found.kind for found in await desk.conflicts()] == [Kind.EXIT_WITHOUT_ENTRY]
    await desk.tell("east", *entry("in-1", 0))
    assert not await desk.conflicts()


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("later", [True, False])
async def test_an_exit_under_a_clock_put_back_a_day_hides_no_double_entry(
    desk: Desk, asked: bool, later: bool
) -> None:
    """It is one record, whether the other journal came before that exit or after it, and nobody can decide it."""
    await desk.tell("east", *entry("in-1", 0, asked=1 if asked else None))
    if not later:
        await desk.tell("west", *entry("in-7", 60), *exit_of("in-7", 70))
    await desk.tell("east", *exit_of("in-1", 120 - DAY))
    if later:
        await desk.tell("west", *entry("in-7", 60), *exit_of("in-7", 70))
    (found,) = await desk.conflicts()
    assert (found.id, found.kind, found.basis) == ("west/L/1", Kind.OVERLAP, Ground.UNDECIDABLE)
    assert found.resolution is Resolution.OPERATOR
    await desk.tell("south", *entry("in-9", 3 * DAY))
    assert await desk.conflicts() == [found]
    assert isinstance(await desk.claim("south", "in-10", user="u-pool"), Given)


async def test_an_entry_under_a_clock_a_day_ahead_hides_no_double_entry(desk: Desk) -> None:
    await desk.tell("west", *entry("in-7", 60), *exit_of("in-7", 90))
    await desk.tell("east", *entry("in-1", DAY, asked=1))
    assert not await desk.conflicts(), "nothing shows yet that the clock is wrong"
    await desk.tell("east", *exit_of("in-1", 120))
    (found,) = await desk.conflicts()
    assert (found.kind, found.basis, len(found.claims)) == (Kind.OVERLAP, Ground.UNDECIDABLE, 2)


@pytest.mark.parametrize("seed", range(16))
async def test_the_order_of_uploads_changes_nothing(seed: int, tmp_path: Path) -> None:
    """Journals of three edges in slices, in any order and some twice, come to the same records.

    Every other time the clocks of two of them are put a day back or ahead on the way.
    """
    told = []
    for shuffled in (False, True):
        folder = tmp_path / str(shuffled)
        folder.mkdir()
        desk, dice = await a_desk(folder), Random(seed)
        now, inside, off = 0.0, list[tuple[str, str]](), {"east": 0, "west": 0, "south": 0}
        for n in range(14):
            now += dice.choice((0.01, 2, 7))
            if seed % 2 and dice.random() < 0.3:
                off[dice.choice(("east", "west"))] = dice.choice((-DAY, 0, DAY))
            if inside and dice.random() < 0.4:
                edge, hold = inside.pop(dice.randrange(len(inside)))
                through = dice.choice((edge, "south"))
                minute = now + off[through]
                desk.write(through, exit_of(hold, minute) if through == edge else unknown_exit(minute))
            else:
                edge = dice.choice(("east", "west"))
                inside.append((edge, f"in-{n}"))
                desk.write(edge, entry(f"in-{n}", now + off[edge], asked=n if dice.random() < 0.3 else None))
        slices = [(edge, rows[i : i + 3]) for edge, rows in desk.journals.items() for i in range(0, len(rows), 3)]
        if shuffled:
            dice.shuffle(slices)
            slices += dice.sample(slices, 3)
        for edge, rows in slices:
            await desk.deliver(edge, rows)
        told.append(await desk.conflicts())
        await desk.database.close()
    assert told[0] == told[1]
    assert len({found.id for found in told[0]}) == len(told[0])
