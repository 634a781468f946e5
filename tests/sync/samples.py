"""Facts of one lane and a store to put them in."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, Matched, Passed
from sync.store import Store

LANE = LaneId("in")
T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


def grant(number: int, direction: Direction = Direction.IN, closes: tuple[HoldId, ...] = ()) -> Granted:
    plate = f"BNO{number}"
    basis = Basis("e", 1, Matched.EXACT, as_read=f"B-NO {number}", as_matched=plate, evidence=f"crop-{number}")
    hold = HoldId(f"{direction.value}{number}")
    return Granted(LANE, direction, hold, f"u{number}", f"x{number}", plate, basis, closes=closes)


def passed(number: int, direction: Direction = Direction.IN) -> Passed:
    return Passed(LANE, direction, HoldId(f"{direction.value}{number}"))


def at(*facts: Fact, minute: int = 0) -> list[tuple[datetime, Fact]]:
    return [(T0 + timedelta(minutes=minute), fact) for fact in facts]


def left(number: int, minute: int = 0) -> list[tuple[datetime, Fact]]:
    out = grant(number, Direction.OUT, (HoldId(f"in{number}"),))
    return at(out, passed(number, Direction.OUT), minute=minute)


async def open_store(path: Path, ledger: str = "L1") -> Store:
    return await Store.open(path, lambda: ledger)
