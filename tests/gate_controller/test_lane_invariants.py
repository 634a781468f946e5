"""The eleven invariants of a lane under random inputs, time jumps, losses and restarts, two lanes on one site.

1. The program is never the safety device: it has no output that closes or forces.
2. There is no CLOSE output; what follows a passage is waiting for the barrier's own close, beside a clear loop.
3. An invalid, stale or disconnected safety loop counts as occupied.
4. OPEN wins over closing; FIRE wins over all orders.
5. At most one OPEN pulse a grant, after its commit; never repeated; an unknown outcome is read back or a FAULT.
6. Every pulse is bounded.
7. Restart, reconnect and silence never move a boom.
8. An order has an id and an expiry and is executed once.
9. Grants expire, are bound to their lane, and are used once; the queue is bounded.
10. Presence changes only on passage; from grant to passage a hold counts against its user.
11. Where a place must be claimed, no entry opens before the portal's word or its deadline's policy; each claim is
    settled once; a late, repeated, foreign or backward word changes nothing; an exit asks nobody.

`lane_world` watches them after every step; here Hypothesis plays the world.
"""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from gate_controller import lane as machine
from gate_controller.facts import Fact
from gate_controller.lane import Lane, Tick, deadline, step
from tests.gate_controller import lane_world as world
from tests.gate_controller.lane_rig import ROUNDS_MAX
from tests.gate_controller.lane_world import CREDENTIALS, FITTINGS, World

LANES = st.sampled_from(("north", "south"))
SECONDS = st.sampled_from(world.SECONDS)
CONTACTS = st.sampled_from((*world.ROLES, *world.ROLES[:3]))
KINDS = st.tuples(
    st.sampled_from(("in", "out", "both")), st.integers(0, len(FITTINGS) - 1), st.integers(0, 1), st.booleans()
)
WHO = st.integers(0, len(CREDENTIALS) - 1)


class Site(RuleBasedStateMachine):
    """Rules are the world's moves; the invariants are asserted inside it."""

    world: World

    @initialize(north=KINDS, south=KINDS, policy=st.integers(0, 3))
    def build(self, north: Any, south: Any, policy: int) -> None:
        self.world = World(machine, (north, south))
        self.world.policy(policy)
        for id in self.world.lanes:
            self.world.find(id)
        self.world.wait(2.0)

    @rule(id=LANES, role=CONTACTS, on=st.booleans())
    def contact(self, id: str, role: str, on: bool) -> None:
        self.world.contact(id, role, on)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(seconds=SECONDS)
    def sleep(self, seconds: float) -> None:
        self.world.sleep(seconds)

    @rule(id=LANES, who=WHO)
    def show(self, id: str, who: int) -> None:
        self.world.show(id, who)

    @rule(id=LANES, who=WHO)
    def arrive(self, id: str, who: int) -> None:
        self.world.arrive(id, who)

    @rule(id=LANES, how=st.sampled_from(world.HOW))
    def drive(self, id: str, how: str) -> None:
        self.world.drive(id, how)

    @rule(id=LANES, where=st.sampled_from(("closed", "open", "between")))
    def boom(self, id: str, where: str) -> None:
        self.world.boom(id, where)

    @rule(id=LANES, kind=st.integers(0, 4), ahead=st.sampled_from((-1.0, 0.0, 1.0, 10.0, 50.0, 100.0)))
    def order(self, id: str, kind: int, ahead: float) -> None:
        self.world.order(id, kind, ahead, again=False)

    @rule(id=LANES)
    def repeat_order(self, id: str) -> None:
        self.world.order(id, 0, 10.0, again=True)

    @rule(id=LANES, which=st.integers(0, 20), good=st.booleans())
    def answer(self, id: str, which: int, good: bool) -> None:
        self.world.answer(id, which, good)

    @rule(portal=st.sampled_from(world.PORTALS))
    def weather_of_the_portal(self, portal: str) -> None:
        self.world.portal = portal

    @rule(id=LANES, which=st.integers(0, 20), kind=st.integers(0, 3))
    def say_claim(self, id: str, which: int, kind: int) -> None:
        self.world.say_claim(id, which, kind)

    @rule(id=LANES, which=st.integers(0, 20))
    def clear(self, id: str, which: int) -> None:
        self.world.clear(id, which)

    @rule(id=LANES, sent=st.booleans())
    def word(self, id: str, sent: bool) -> None:
        self.world.word(id, sent)

    @rule(disk=st.sampled_from(("good", "slow", "full")), board=st.sampled_from(("good", "mute", "doubtful")))
    def weather(self, disk: str, board: str) -> None:
        self.world.disk, self.world.board = disk, board

    @rule(id=LANES)
    def lose(self, id: str) -> None:
        self.world.lose(id)

    @rule(id=LANES)
    def find(self, id: str) -> None:
        self.world.find(id)

    @rule(id=LANES)
    def restart(self, id: str) -> None:
        self.world.restart(id)
        self.world.find(id)

    @rule(id=LANES)
    def alarm(self, id: str) -> None:
        self.world.alarm(id)

    @rule(id=LANES)
    def hold(self, id: str) -> None:
        self.world.hold(id)

    @rule(id=LANES)
    def mend(self, id: str) -> None:
        self.world.mend(id)


TestInvariants = Site.TestCase
TestInvariants.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)


# ---- a deadline may come early, never late ----


class Recorder(World):
    """A world that is not watched, but keeps its facts and may look more often than it must."""

    def __init__(self, kinds: Any, every_s: float | None) -> None:
        self.every_s = every_s
        self.seen: list[tuple[str, Fact]] = []
        super().__init__(machine, kinds)

    def wait(self, seconds: float) -> None:
        end = self.t + seconds
        for _ in range(ROUNDS_MAX * 10):
            due = [(at, id) for id, told in self.lanes.items() if (at := deadline(told.lane)) is not None]
            at, id = min(due, default=(end + 1, ""))
            if self.every_s is not None and self.t + self.every_s < min(at, end):
                self.t += self.every_s
                for name in self.lanes:
                    self.step(name, Tick())
                continue
            if at > end:
                self.t = end
                return
            self.t = max(self.t, at)
            self.step(id, Tick())
        raise AssertionError("deadlines never come to rest")

    def step(self, id: str, input: Any) -> None:
        told = self.lanes[id]
        told.lane, facts = step(told.lane, input, self.site, self.now)
        self.seen += [(id, fact) for fact in facts]
        self._fold(facts)
        self._react(id, facts)

    def result(self) -> tuple[list[tuple[str, Fact]], list[Lane]]:
        return self.seen, [replace(told.lane, now=0.0) for told in self.lanes.values()]


MOVES = st.one_of(
    st.tuples(st.just("contact"), LANES, CONTACTS, st.booleans()),
    st.tuples(st.just("wait"), SECONDS),
    st.tuples(st.just("arrive"), LANES, WHO),
    st.tuples(st.just("drive"), LANES, st.sampled_from(world.HOW)),
    st.tuples(st.just("boom"), LANES, st.sampled_from(("closed", "open"))),
    st.tuples(st.just("order"), LANES, st.integers(0, 4), st.just(10.0), st.just(False)),
)


@settings(max_examples=60, deadline=None)
@given(kinds=st.tuples(KINDS, KINDS), moves=st.lists(MOVES, max_size=15))
def test_looking_more_often_than_the_deadlines_say_finds_nothing_more(kinds: Any, moves: list[Any]) -> None:
    results = []
    for every_s in (None, 0.37):
        played = Recorder(kinds, every_s)
        for id in played.lanes:
            played.find(id)
        played.wait(2.0)
        for name, *arguments in moves:
            getattr(played, name)(*arguments)
        played.wait(30.0)
        results.append(played.result())
    assert results[0] == results[1]
