"""What the rules cost: a decision with all of them on a list of 100,000 users, beside one with none on a short one.

Limit: at most 3 times as long. With all of them, each user has four groups, whose permits have weekly schedules and
a quota, two contracts and a reservation, and the lane is a device in a partner's charge; 200 vehicles are inside in
both cases, so that counting them is nobody's advantage. The same plates are asked for in turn, from a fixed seed.
For context: the same user at a desk, driving by reservation, and a plate that nobody has.
"""

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.table import Table

from benchmarks._report import Bar, Report, console, finish
from benchmarks.lookup import Keys, plates, sure
from gate_controller.access import Ask, decide
from gate_controller.allowlist import (
    Action,
    Allowlist,
    Change,
    DevicePut,
    Permit,
    PermitPut,
    ReservationPut,
    User,
    UserPut,
)
from gate_controller.contracts import business, private
from gate_controller.credentials import PlateCredential
from gate_controller.delegation import Delegated, Device, DeviceKind
from gate_controller.desk import Licence, LicenceStatus, Reservation
from gate_controller.facts import Direction, Granted, HoldId, LaneId, Refused
from gate_controller.moment import Moment
from gate_controller.occupancy import Occupancy, ParkingSession
from gate_controller.plates import Plate
from gate_controller.schedule import Schedule
from gate_controller.site import Site

USERS: Final = 100_000
FEW: Final = 1_000
INSIDE: Final = 200
GROUPS: Final = 4
ASKED: Final = 250
ROUNDS: Final = 41
TIMES_MAX: Final = 3.0
SEED: Final = 7
ENTRY: Final = LaneId("entry")
TZ: Final = ZoneInfo("Europe/Amsterdam")
NOW: Final = Moment(datetime(2026, 3, 3, 9, 0, tzinfo=UTC), 1000.0)
WEEK: Final = Schedule("Mo-Fr 06:00-20:00; Sa,So 08:00-12:00")
VALID: Final = Licence(LicenceStatus.VALIDATED, NOW.wall, NOW.wall + timedelta(days=90))


def plain(keys: Keys) -> Site:
    """Users with one permit each, and no rule beside."""
    changes: list[Change] = []
    for n, key in enumerate(keys):
        changes.append(UserPut(User(f"u{n}", f"e{n}", "acme", plates=(PlateCredential(Plate(key)),))))
        changes.append(PermitPut(Permit(f"p{n}", Action.PARK, user_id=f"u{n}")))
    return site(changes)


def ruled(keys: Keys) -> Site:
    """Users with everything that a decision may look at."""
    spans = (Delegated("partner", NOW.wall - timedelta(days=9)),)
    changes: list[Change] = [DevicePut(Device(ENTRY, DeviceKind.GATE, owner="acme", delegations=spans))]
    for group in range(10 * GROUPS):
        permit = Permit(f"g{group}", Action.PARK, group_id=f"g{group}", schedule=WEEK, quota=USERS)
        changes.append(PermitPut(permit))
    for n, key in enumerate(keys):
        user = User(
            f"u{n}",
            f"e{n}",
            "acme",
            groups=tuple(f"g{(n + step) % (10 * GROUPS)}" for step in range(GROUPS)),
            plates=(PlateCredential(Plate(key)),),
            licence=VALID,
            contracts=(business(f"b{n}", "acme"), private(f"h{n}", f"u{n}", payable=True)),
            default_contract=f"h{n}",
        )
        start = NOW.wall - timedelta(hours=1)
        trip = Reservation(f"r{n}", user.id, "POOL-1", "north", start, start + timedelta(hours=9), f"b{n}", 1)
        changes += [UserPut(user), ReservationPut(trip)]
        changes.append(PermitPut(Permit(f"d{n}", Action.DRIVE, user_id=user.id)))
    return site(changes)


def site(changes: Sequence[Change]) -> Site:
    """The list in force, with vehicles of others inside."""
    sessions = {f"x{n}": (_inside(f"x{n}"),) for n in range(INSIDE)}
    listed = Allowlist.empty("bench").apply(changes, 1).compacted()
    return Site(listed, TZ, Occupancy(sessions=sessions), list_confirmed_at=NOW.wall, name="north")


def _inside(name: str) -> ParkingSession:
    return ParkingSession(HoldId(name), name, name, name, name, ENTRY, NOW.wall, group="g1")


def asks(keys: Keys, action: Action = Action.PARK) -> list[Ask]:
    """One question a plate."""
    return [
        Ask(ENTRY, Direction.IN, sure(key), HoldId(f"h{n}"), present=True, action=action)
        for n, key in enumerate(keys)
    ]


def timed(cases: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Microseconds of processor time a decision, the median of rounds in an order drawn anew each time."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    turns = random.Random(SEED)
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name in turns.sample(list(cases), len(cases)):
            start = time.thread_time_ns()
            cases[name]()
            found[name].append((time.thread_time_ns() - start) / ASKED / 1000)
    gc.enable()
    return {name: statistics.median(times) for name, times in found.items()}


def asking(where: Site, questions: Sequence[Ask], answer: type[Granted | Refused]) -> Callable[[], None]:
    """All of the questions once; they were answered as expected before."""
    for question in questions:
        told = decide(question, where, NOW)
        assert isinstance(told, answer), told

    def ask() -> None:
        for question in questions:
            decide(question, where, NOW)

    return ask


def main() -> int:
    """Print the table; 1 if the limit was missed."""
    rng = random.Random(SEED)
    keys = plates(USERS + ASKED, rng)
    few, many = plain(keys[:FEW]), ruled(keys[:USERS])
    found = timed(
        {
            "none of them": asking(few, asks(rng.sample(keys[:FEW], ASKED)), Granted),
            "all of them": asking(many, asks(rng.sample(keys[:USERS], ASKED)), Granted),
            "driving, at a desk": asking(many, asks(rng.sample(keys[:USERS], ASKED), Action.DRIVE), Granted),
            "a plate of nobody": asking(many, asks(keys[USERS:]), Refused),
            "all of them, nobody inside": asking(
                replace(many, occupancy=Occupancy()), asks(rng.sample(keys[:USERS], ASKED)), Granted
            ),
        }
    )
    table = Table("decision", "µs", "times", title=f"Rules, {USERS:,} users")
    for name, took in found.items():
        table.add_row(name, f"{took:.1f}", f"{took / found['none of them']:.2f}")
    console().print(table)
    times = found["all of them"] / found["none of them"]
    return finish(Report("rules", [Bar("all rules beside none", times, TIMES_MAX, "times")], {"us": found}))


if __name__ == "__main__":
    sys.exit(main())
