"""Two lanes of one site in a hostile world, and the eleven invariants watched after every single step.

The world keeps its own account of what it told the lanes (contacts and since when, orders, commits) and looks into
a lane only for what it cannot know itself. A broken invariant is an `AssertionError` that begins with its number as
in `test_lane_invariants`. The machine under test is handed in, so that machines with planted bugs are watched too.
"""

from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from random import Random
from types import ModuleType
from typing import Any

from gate_controller.credentials import CodeRead, GuestCode, Shown
from gate_controller.facts import (
    BoomOpenedManually,
    Claimed,
    CommandRefused,
    Direction,
    Fact,
    Granted,
    HoldReleased,
    LogGap,
    Passed,
    Refused,
    Released,
    Unarbitrated,
    UngrantedPassage,
)
from gate_controller.moment import Moment
from gate_controller.plates import PlateRead
from gate_controller.site import ClaimPolicy
from tests.gate_controller.lane_rig import ANNA, BORIS, CARLA, MONDAY, ROUNDS_MAX, badge, plate, site, user

DORA = user("dora", "DD-222-D")
EMIL = user("emil", codes=(GuestCode.parse("K7M2PX94"),))
CREDENTIALS: tuple[PlateRead | Shown, ...] = (
    plate("AB-123-CD"),
    plate("98-TH-D4"),
    plate("KL-55-MN"),
    plate("XY-777-Z"),
    plate("DD-222-D"),
    CodeRead.of("k7m2-px94"),
    plate("NO-999-X"),
    plate("A8-123-CD", 0.6),
    badge(),
    badge("00000BAD00"),
)
FITTINGS: tuple[frozenset[str], ...] = (
    frozenset({"approach", "safety", "far", "closed_limit", "open_limit", "fire", "fault", "manual"}),
    frozenset({"approach", "safety", "far", "fire", "fault"}),
    frozenset({"approach", "safety", "closed_limit", "open_limit", "fire"}),
    frozenset({"approach", "safety", "far", "closed_limit", "fire", "fault"}),
    frozenset({"approach", "safety"}),
)
NO_HOLD = (4,)
"""Fittings without a hold relay, and so without a fire contact."""
GRANT_AGE_MAX_S = 120.0
"""Queue, opening, waiting and confirming together, with room: beside a clear loop no hold lives longer."""


def must(holds: bool, otherwise: str) -> None:
    """One invariant at one instant."""
    if not holds:
        raise AssertionError(otherwise)


@dataclass
class Told:
    """What one lane has been told, and what is owed to it."""

    setup: Any
    lane: Any
    contacts: dict[str, tuple[bool, float]] = field(default_factory=dict)
    real: dict[str, bool] = field(default_factory=dict)
    lost: bool = True
    fire: bool = False
    held: bool = False
    relay: bool = False
    released: bool = False
    safety_on: float = 0.0
    safety_busy: float = 0.0
    far_on: float = -1.0
    approach_busy: float = -10.0
    shown: dict[str, Any] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    granted: dict[str, float] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)
    durable: set[str] = field(default_factory=set)
    unclaimed: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, Any] = field(default_factory=dict)
    manual: dict[str, float] = field(default_factory=dict)
    executed: set[str] = field(default_factory=set)

    def level(self, role: str) -> bool | None:
        known = self.contacts.get(role)
        return None if known is None else known[0]


class World:
    """The world; every public verb is a move of the game, and every step of a lane is watched."""

    def __init__(self, machine: ModuleType, kinds: tuple[tuple[str, int, int, bool], ...]) -> None:
        self.m = machine
        self.site = site(*ANNA, *BORIS, *CARLA, *DORA, *EMIL)
        self.t = 1000.0
        self.run = 0
        self.disk = "good"
        self.board = "good"
        self.portal = "good"
        self.fence = 0
        self.orders: list[tuple[str, float]] = []
        self.lanes: dict[str, Told] = {}
        self.holds: dict[str, str] = {}
        self.ended: set[str] = set()
        for id, (way, fitting, policy, known_only) in zip(("north", "south"), kinds, strict=False):
            self._build(id, way, fitting, policy, known_only)

    def _build(self, id: str, way: str, fitting: int, policy: int, known_only: bool) -> None:
        names = FITTINGS[fitting] | ({"far"} if way == "both" else frozenset())
        setup = self.m.LaneSetup(
            id,
            {"in": Direction.IN, "out": Direction.OUT, "both": None}[way],
            frozenset(self.m.Role(name) for name in names),
            store_policy=list(self.m.StorePolicy)[policy],
            hold_fitted=fitting not in NO_HOLD,
        )
        if known_only:
            setup = replace(setup, exit_policy=type(setup.exit_policy)("known_only"))
        real = {name: name == "closed_limit" for name in sorted(names)}
        self.lanes[id] = Told(setup, None, real=real)
        self.restart(id)

    @property
    def now(self) -> Moment:
        return Moment(MONDAY + timedelta(seconds=self.t), self.t)

    # ---- moves ----

    def restart(self, id: str) -> None:
        """The program of this lane starts anew; the daemon ends what the dead one left open."""
        told = self.lanes[id]
        self.run += 1
        lane, facts = self.m.start(told.setup, f"r{self.run}", self.now)
        holds = [hold for hold in self.site.occupancy.holds.values() if hold.lane == id]
        left = [HoldReleased(hold.lane, hold.id, Released.FAULT) for hold in holds]
        self.ended.update(fact.hold for fact in left)
        fresh = Told(told.setup, lane, real=told.real, relay=told.relay, safety_busy=self.t)
        self.lanes[id] = fresh
        self._fold([*facts, *left])
        shown = self.m.outputs(lane)
        must(shown.pulse is None and shown.hold is None, "I7: a restart moves the boom")

    def contact(self, id: str, role: str, on: bool) -> None:
        """An input changes; the lane hears of it if its board is heard at all."""
        told = self.lanes[id]
        if role not in told.real:
            return
        told.real[role] = on
        if not told.lost:
            self._hear(id, role)

    def lose(self, id: str) -> None:
        """The board falls silent."""
        self.lanes[id].lost = True
        self.step(id, self.m.ContactsLost())

    def find(self, id: str) -> None:
        """The board is back and reports everything."""
        told = self.lanes[id]
        told.lost = False
        for role in told.real:
            self._hear(id, role)

    def show(self, id: str, which: int) -> None:
        """Something is read or presented."""
        self.step(id, self.m.Presented(CREDENTIALS[which % len(CREDENTIALS)]))

    def policy(self, which: int) -> None:
        """The site's word on entries whose user's place nobody confirms; the first asks nobody."""
        claims = (None, *ClaimPolicy)[which % 4]
        self.site = replace(self.site, rules=replace(self.site.rules, claims=claims))

    def say_claim(self, id: str, which: int, kind: int) -> None:
        """A word of the portal about any grant of the past: late, repeated, for an older one, or counting back."""
        if self.holds:
            hold = list(self.holds)[which % len(self.holds)]
            self.fence += kind == 0
            words = (
                self.m.ClaimAnswered(hold, self.fence),
                self.m.ClaimAnswered(hold, None, "west"),
                self.m.ClaimFailed(hold, "unreachable"),
                self.m.ClaimAnswered(hold, 0),
            )
            self.step(id, words[kind % 4])

    def answer(self, id: str, which: int, good: bool) -> None:
        """A late or repeated word of the disk about any grant of the past."""
        if self.holds:
            hold = list(self.holds)[which % len(self.holds)]
            if good and self.holds[hold] == id:
                self.lanes[id].durable.add(hold)
            self.step(id, self.m.Committed(hold) if good else self.m.CommitFailed(hold, "full"))

    def word(self, id: str, sent: bool) -> None:
        """The codec's word on the pulse being shown."""
        pulse = self.m.outputs(self.lanes[id].lane).pulse
        if pulse is not None:
            self.step(id, self.m.PulseSent(pulse.id) if sent else self.m.PulseUncertain(pulse.id, "no answer"))

    def order(self, id: str, kind: int, ahead_s: float, again: bool) -> None:
        """An order comes, fresh or once more; in time, late, or far too early."""
        if again and self.orders:
            name, expires = self.orders[-1]
        else:
            name, expires = f"c{len(self.orders)}", self.t + ahead_s
            self.orders.append((name, expires))
        self.step(id, self.m.Command(name, list(self.m.Order)[kind % 5], "clerk", "delivery", expires))

    def clear(self, id: str, which: int) -> None:
        """A person gives up a hold, of now or of the past."""
        if self.holds:
            hold = list(self.holds)[which % len(self.holds)]
            self.step(id, self.m.ClearHold(hold, "clerk", "gone"))

    def wait(self, seconds: float) -> None:
        """Time passes; each lane is called at its deadlines."""
        end = self.t + seconds
        for _ in range(ROUNDS_MAX):
            due = [(at, id) for id, told in self.lanes.items() if (at := self.m.deadline(told.lane)) is not None]
            at, id = min(due, default=(end + 1, ""))
            if at > end:
                self.t = end
                return
            self.t = max(self.t, at)
            self.step(id, self.m.Tick())
        raise AssertionError("deadlines never come to rest")

    def sleep(self, seconds: float) -> None:
        """The machine is stopped for a while: no deadline is kept, then everything is late."""
        self.t += seconds
        for told in self.lanes.values():
            told.born = {hold: at + seconds for hold, at in told.born.items()}
        for id in self.lanes:
            self.step(id, self.m.Tick())

    def boom(self, id: str, where: str) -> None:
        """The boom is seen closed, open, or between."""
        for role, at in (("closed_limit", "closed"), ("open_limit", "open")):
            if self.lanes[id].real.get(role) is True and where != at:
                self.contact(id, role, False)
        for role, at in (("closed_limit", "closed"), ("open_limit", "open")):
            if where == at:
                self.contact(id, role, True)

    def arrive(self, id: str, which: int) -> None:
        """The vehicle on the loop makes room; the next one comes and shows something."""
        self.contact(id, "approach", False)
        self.wait(0.3)
        self.contact(id, "approach", True)
        self.wait(0.3)
        self.show(id, which)

    def drive(self, id: str, how: str) -> None:
        """Whoever is there drives: through, back, onto the safety loop to stay, or through with another behind."""
        self.boom(id, "open")
        self.contact(id, "safety", True)
        self.wait(0.5)
        if how == "stay":
            return
        if how in ("through", "rush"):
            self.contact(id, "approach", False)
            self.contact(id, "far", True)
        self.wait(0.5)
        self.contact(id, "safety", False)
        if how == "rush":
            return
        self.wait(1.0)
        self.contact(id, "far", False)
        self.wait(2.5)

    def alarm(self, id: str) -> None:
        """The fire contact closes, and opens again before anybody came to look."""
        self.contact(id, "fire", True)
        self.wait(1.0)
        self.contact(id, "fire", False)

    def hold(self, id: str) -> None:
        """Somebody has the boom held open, and it obeys; a vehicle drives in."""
        self.order(id, 1, 10.0, again=False)
        self.boom(id, "open")
        self.contact(id, "safety", True)

    def mend(self, id: str) -> None:
        """Somebody comes, clears the lane and acknowledges."""
        self.find(id)
        for role in ("fault", "fire", "safety"):
            self.contact(id, role, False)
        self.boom(id, "closed")
        self.order(id, 4, 10.0, again=False)
        self.wait(3.0)

    # ---- one step, watched ----

    def _hear(self, id: str, role: str) -> None:
        told, on = self.lanes[id], self.lanes[id].real[role]
        known = told.contacts.get(role)
        if known is None or known[0] != on:
            self._keep_account(told, role)
            told.contacts[role] = (on, self.t)
            if on and role in ("far", "approach"):
                told.far_on = self.t
        self.step(id, self.m.Contact(self.m.Role(role), on))

    def step(self, id: str, input: Any) -> None:
        told = self.lanes[id]
        self._note(told, input)
        before = told.lane
        lane, facts = self.m.step(before, input, self.site, self.now)
        told.lane = lane
        for fact in facts:
            self._account(id, told, fact)
        self._fold(facts)
        self._watch(id, told, before, input, facts)
        self._react(id, facts)

    def _note(self, told: Told, input: Any) -> None:
        if isinstance(input, self.m.ContactsLost):
            told.contacts = {}
            told.held = told.released = False
        if told.level("safety") is not False:
            told.safety_busy = self.t
        if any(told.level(role) for role in self._sides(told)):
            told.approach_busy = self.t
        if isinstance(input, self.m.Committed):
            told.durable.add(input.hold)
        if isinstance(input, self.m.ClaimAnswered | self.m.ClaimFailed) and input.hold in told.unclaimed:
            told.heard.setdefault(input.hold, input)
        if told.level("fire"):
            told.fire = True

    def _keep_account(self, told: Told, role: str) -> None:
        """Until this very moment the loop was as it was told last."""
        if role == "safety":
            if told.level(role) is False and self.t - told.safety_busy >= 3.0:
                told.safety_on = self.t
            if told.level(role) is not False:
                told.safety_busy = self.t
        if role in self._sides(told) and told.level(role):
            told.approach_busy = self.t

    def _sides(self, told: Told) -> tuple[str, ...]:
        return ("approach", "far") if told.setup.direction is None else ("approach",)

    def _fold(self, facts: list[Fact]) -> None:
        occupancy = self.site.occupancy
        for fact in facts:
            inside = occupancy.sessions
            occupancy = occupancy.fold(fact, self.now.wall)
            passage = isinstance(fact, Passed)
            must(passage or occupancy.sessions == inside, f"I10: {type(fact).__name__} changed who is inside")
        self.site = replace(self.site, occupancy=occupancy)

    def _account(self, id: str, told: Told, fact: Fact) -> None:
        match fact:
            case Granted():
                must(fact.hold not in self.holds, "I9: a hold id is used twice")
                must(fact.lane == id and fact.hold.startswith(f"{id}-{told.lane.run}-"), "I9: not lane-bound")
                must(self.t - told.approach_busy < 3.1, "I9: a grant without presence")
                self.holds[fact.hold] = id
                told.granted[fact.hold] = told.born[fact.hold] = self.t
                if self.site.rules.claims and fact.direction is Direction.IN and fact.user_id:
                    told.unclaimed[fact.hold] = fact, self.t
            case Passed() | HoldReleased():
                must(self.holds.get(fact.hold) == id, "I9: a hold ends at a lane that never gave it")
                must(fact.hold not in self.ended, "I9: a hold ends twice")
                if isinstance(fact, Passed):
                    self._passage(told, self.m.Role.FAR.value, fact.direction, told.granted[fact.hold])
                self.ended.add(fact.hold)
                del told.granted[fact.hold]
                self._ends_unclaimed(told, fact)
            case Claimed() | Unarbitrated():
                self._claim_settled(told, fact)
            case Refused():
                must(fact.direction is Direction.IN or not fact.holder, "I11: an exit is refused by a claim")
            case UngrantedPassage():
                self._passage(told, "far", fact.direction, 0.0)
            case LogGap():
                told.durable.add(fact.hold)
            case BoomOpenedManually():
                told.manual[fact.pulse] = self.t
            case _:
                pass

    def _claim_settled(self, told: Told, fact: Claimed | Unarbitrated) -> None:
        """Once for each hold, by the portal's first word, or without one after its time and by the policy."""
        must(fact.hold in told.unclaimed, "I11: a hold is settled that waits for no answer, or twice")
        (granted, asked), said = told.unclaimed.pop(fact.hold), told.heard.get(fact.hold)
        fence = getattr(said, "fence", None)
        if isinstance(fact, Claimed):
            must(fence == fact.fence and fact.fence is not None, "I11: the portal never gave this place")
            inside = self.site.occupancy.of_user(granted.user_id)
            must(all(s.fence is None or s.fence < fence for s in inside), "I11: a fence goes back")
            return
        must(getattr(said, "holder", "") == "", "I11: a place is taken that the portal said is another's")
        must(said is not None or self.t - asked >= 0.3 - 1e-6, "I11: the answer was not waited for")
        denies = self.site.rules.claims
        must(denies is not ClaimPolicy.DENY, "I11: the policy is not heeded")
        local = denies is ClaimPolicy.DENY_IF_LOCAL_SAYS_INSIDE and granted.closes
        must(not local, "I11: the policy is not heeded")

    def _ends_unclaimed(self, told: Told, fact: Any) -> None:
        waited, said = told.unclaimed.pop(fact.hold, None), told.heard.get(fact.hold)
        why = getattr(fact, "why", None)
        if why is Released.HELD_ELSEWHERE:
            must(waited is not None, "I11: a late word ends a grant that was given")
            must(getattr(said, "holder", "") != "", "I11: a place is another's and nobody said so")
        if why is Released.PORTAL_UNREACHABLE:
            must(waited is not None, "I11: a late word ends a grant that was given")
            must(self.site.rules.claims is not ClaimPolicy.GRANT_AND_REPORT, "I11: the policy is not heeded")

    def _passage(self, told: Told, far: str, way: Direction, since: float) -> None:
        """A passage is a safety loop that was covered and has been clear, and known to be, for a second."""
        must(told.level("safety") is False, "I3: a passage over a safety loop that is occupied or unknown")
        must(self.t - told.safety_busy >= 1.0 - 1e-6, "I3: a passage before the safety loop was clear for a second")
        must(told.safety_busy >= since, "I10: a passage of a vehicle that never reached the boom line")
        two_way_out = told.setup.direction is None and way is Direction.OUT
        beyond = "approach" if two_way_out else far
        if beyond in told.real:
            must(told.far_on >= max(since, told.safety_on), "I10: a passage that the far loop never saw")

    # ---- the invariants ----

    def _watch(self, id: str, told: Told, before: Any, input: Any, facts: list[Fact]) -> None:
        lane, phase = told.lane, told.lane.phase
        shown = self.m.outputs(lane)
        self._watch_orders(told, input, facts, shown)
        self._watch_relay(told, before, input, facts, shown.hold)
        self._watch_outputs(told, shown, input)
        self._watch_pulse(told, shown.pulse, input)
        self._watch_holds(id, told)
        if phase is self.m.Phase.CLOSING and before.phase is not phase:
            must(told.level("safety") is False, "I3: closing is awaited although the safety loop is not clear")
        if told.setup.fitted > {self.m.Role(role) for role in told.contacts}:
            silent = {self.m.Phase.UNKNOWN, self.m.Phase.FAULT, self.m.Phase.FIRE}
            must(phase in silent, "I3: the lane acts on contacts it has not heard of")
            must(shown.pulse is None, "I7: a pulse towards a board that is silent or just back")
        at = self.m.deadline(lane)
        must(at is None or at >= lane.now, "the deadline lies in the past")
        later, nothing = self.m.step(lane, self.m.Tick(), self.site, self.now)
        owed = at is not None and at <= self.t
        must(owed or (later == lane and not nothing), "a second look without news changes something")

    def _watch_outputs(self, told: Told, shown: Any, input: Any) -> None:
        names = {f.name for f in fields(shown)}
        must(names == {"pulse", "hold", "green", "red", "display", "reason"}, "I1, I2: an output that is not ours")
        must(shown.green is not shown.red, "the lights contradict each other")
        if told.fire:
            ended = isinstance(input, self.m.Command) and input.kind is self.m.Order.ACKNOWLEDGE
            if not shown.hold and ended and told.level("fire") is False:
                told.fire = False
            must(not told.fire or (shown.hold and shown.pulse is None), "I4: fire does not win")
        must(not shown.hold or told.fire or told.held, "I7: the boom is held open by nobody's order")

    def _watch_relay(self, told: Told, before: Any, input: Any, facts: list[Fact], hold: bool | None) -> None:
        """The relay keeps what it was told last; it falls by a person's word or under a shut boom, never else."""
        if isinstance(input, self.m.Command) and not any(isinstance(fact, CommandRefused) for fact in facts):
            order, phase = self.m.Order, before.phase
            ends = {order.RELEASE: True, order.CLOSE_LANE: phase is self.m.Phase.HELD_OPEN}
            told.released = (told.released and input.kind is not order.HOLD_OPEN) or ends.get(input.kind, False)
            told.released = told.released or (input.kind is order.ACKNOWLEDGE and phase is self.m.Phase.FIRE)
        if told.lane.phase is self.m.Phase.FIRE:
            told.released = False
        if told.relay and hold is False:
            must(told.level("safety") is False, "I3: the boom falls over a safety loop that is occupied or unknown")
            closed, since = told.contacts.get("closed_limit", (False, self.t))
            shut = closed and self.t - since >= told.setup.stable_for_s - 1e-6
            must(told.released or shut, "I7: the boom falls without a person's word")
        if hold is not None:
            told.relay = hold

    def _watch_pulse(self, told: Told, pulse: Any, input: Any) -> None:
        for id in [known for known in told.shown if pulse is None or known != pulse.id]:
            told.retired.add(id)
            del told.shown[id]
        if isinstance(input, self.m.PulseSent | self.m.PulseUncertain):
            must(pulse is None or pulse.id != input.pulse, "I5: a pulse is shown on after its codec spoke")
        if pulse is None:
            return
        must(pulse.id not in told.retired, "I5: a pulse comes back")
        must(pulse.width_s == told.setup.pulse_width_s, "I6: a pulse of another width")
        must(pulse.expires_mono_s > self.t, "I6: a pulse is shown past its expiry")
        at = self.m.deadline(told.lane)
        must(at is not None and at <= pulse.expires_mono_s, "I6: nobody will look when the pulse grows too old")
        known = told.shown.setdefault(pulse.id, pulse)
        must(known == pulse, "I5: a pulse changes while it is shown")
        must(pulse.expires_mono_s <= self.t + told.setup.pulse_valid_for_s + 1e-6, "I6: a pulse without bound")
        by_order = pulse.id in told.manual
        must(by_order or pulse.id in told.granted, "I5: a pulse for no grant, or for one that is over")
        must(by_order or pulse.id in told.durable, "I5: a pulse before its grant is on disk or excused")
        must(by_order or pulse.id not in told.unclaimed, "I11: a pulse before the place is its user's")

    def _watch_orders(self, told: Told, input: Any, facts: list[Fact], shown: Any) -> None:
        opened = [fact for fact in facts if isinstance(fact, BoomOpenedManually)]
        if not isinstance(input, self.m.Command):
            must(not opened, "I8: an opening by hand without an order")
            return
        refused = any(isinstance(fact, CommandRefused) for fact in facts)
        if input.expires_mono_s <= self.t:
            must(refused, "I8: an expired order is executed")
        if input.id in told.executed:
            must(refused, "I8: an order is executed twice")
        if refused:
            must(not opened, "I8: a refused order opens")
            return
        told.executed.add(input.id)
        told.held = told.held or input.kind is self.m.Order.HOLD_OPEN
        must(told.setup.hold_fitted or not told.held, "I8: an order to hold without a relay that could")
        must(len(opened) == (input.kind is self.m.Order.OPEN), "I8: an order does not what it says")
        if opened:
            must(shown.pulse is not None and shown.pulse.id == opened[0].pulse, "I8: an opening without its pulse")
            must(shown.pulse.expires_mono_s <= input.expires_mono_s, "I8: a pulse outlives its order")

    def _watch_holds(self, id: str, told: Told) -> None:
        lane = told.lane
        mine = {grant.fact.hold for grant in ((lane.current,) if lane.current else ()) + lane.queue}
        booked = {hold.id for hold in self.site.occupancy.holds.values() if hold.lane == id}
        must(mine == booked == set(told.granted), "I9: the lane and the books disagree on who holds a place")
        must(len(lane.queue) <= told.setup.queue_len_max, "I9: the queue has no bound")
        for hold in told.granted:
            if hold in told.unclaimed:
                at, due = self.m.deadline(lane), told.unclaimed[hold][1] + 0.3 + 1e-6
                must(self.t < due, "I11: a hold waits for the portal for ever")
                must(at is not None and at <= due, "I11: nobody will look when the portal has not answered")
            age = self.t - max(told.born[hold], told.safety_busy)
            must(age < GRANT_AGE_MAX_S, f"I9: hold {hold} never ends")
        if told.lost:
            must(not told.granted, "I7: a grant outlives the silence of its board")
        self._watch_places()

    def _watch_places(self) -> None:
        """No person has two vehicles inside or on the way, unless the record was in doubt."""
        books = self.site.occupancy
        on_the_way = {hold.user_id for hold in books.holds.values() if hold.user_id}
        for person in on_the_way | set(books.sessions):
            holds = books.holds_of(person)
            must(len(holds) <= 1, "I10: two holds of one person")
            leaving = {session for hold in books.holds.values() for session in hold.closes}
            stay = [session for session in books.of_user(person) if session.id not in leaving]
            must(len(stay) + len(holds) <= 1, "I10: a person holds two places")

    # ---- what the outside answers ----

    def _react(self, id: str, facts: list[Fact]) -> None:
        if self.disk != "slow":
            for fact in facts:
                if isinstance(fact, Granted):
                    good = self.disk == "good"
                    self.step(id, self.m.Committed(fact.hold) if good else self.m.CommitFailed(fact.hold, "full"))
        for fact in facts:
            if isinstance(fact, Granted) and fact.hold in self.lanes[id].unclaimed and self.portal != "slow":
                self._answer_claim(id, fact)
        if self.board != "mute" and self.m.outputs(self.lanes[id].lane).pulse is not None:
            self.word(id, self.board == "good")

    def _answer_claim(self, id: str, fact: Granted) -> None:
        self.fence += 1
        words = {
            "good": self.m.ClaimAnswered(fact.hold, self.fence),
            "back": self.m.ClaimAnswered(fact.hold, 0),
            "held": self.m.ClaimAnswered(fact.hold, None, "west"),
            "down": self.m.ClaimFailed(fact.hold, "no connection"),
        }
        self.step(id, words[self.portal])


PORTALS = ("good", "good", "back", "held", "slow", "down")
ROLES = ("approach", "safety", "far", "closed_limit", "open_limit", "fire", "fault", "manual")
SECONDS = (0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 8.0, 20.0, 60.0, 200.0)
MOVES = {
    "contact": 1, "loop": 1, "wait": 1, "sleep": 0.5, "show": 1, "arrive": 3, "drive": 1.5, "boom": 1, "order": 2,
    "answer": 0.5, "word": 0.5, "weather": 1, "lose": 1, "find": 1, "restart": 0.2, "alarm": 0.4, "hold": 0.4,
    "mend": 1,
}  # fmt: skip
"""The moves of a random game, with how often each is made beside the others."""
HOW = ("through", "back", "stay", "rush")
ORDERS = (0, 0, 1, 2, 3, 3, 4)


def play(machine: ModuleType, seed: int, moves: int = 60) -> None:
    """A whole random game; raises `AssertionError` at the first broken invariant."""
    dice = Random(seed)
    ways = ("in", "out", "both")
    kinds = [(dice.choice(ways), dice.randrange(5), dice.randrange(2), dice.random() < 0.3) for _ in range(2)]
    world = World(machine, tuple(kinds))
    for id in world.lanes:
        world.find(id)
    world.wait(2.0)
    id = "north"
    # Dice of their own, so that the other moves of a seed stay what they were.
    luck = Random(-seed - 1)
    world.policy(luck.randrange(4))
    for move in dice.choices(list(MOVES), list(MOVES.values()), k=moves):
        if dice.random() < 0.25:
            id = dice.choice(list(world.lanes))
        if luck.random() < 0.2:
            world.portal = luck.choice(PORTALS)
        if luck.random() < 0.15:
            world.say_claim(luck.choice(list(world.lanes)), luck.randrange(100), luck.randrange(4))
        _move(world, id, move, dice)


def _move(world: World, id: str, move: str, dice: Random) -> None:
    yes = dice.random() < 0.5
    match move:
        case "contact":
            world.contact(id, dice.choice(ROLES), yes)
        case "loop":
            world.contact(id, dice.choice(ROLES[:3]), yes)
        case "wait" | "sleep":
            getattr(world, move)(dice.choice(SECONDS))
        case "show" | "arrive":
            getattr(world, move)(id, dice.randrange(len(CREDENTIALS)))
        case "drive":
            world.drive(id, dice.choice(HOW))
        case "boom":
            world.boom(id, dice.choice(("open", "closed", "closed", "between")))
        case "order":
            ahead_s = dice.choice((-1.0, 0.0, 1.0, 10.0, 10.0, 50.0, 100.0))
            world.order(id, dice.choice(ORDERS), ahead_s, again=dice.random() < 0.3)
        case "answer":
            world.answer(id, dice.randrange(100), yes)
        case "word":
            world.word(id, yes)
        case "weather":
            world.disk = dice.choice(("good", "slow", "full"))
            world.board = dice.choice(("good", "mute", "doubtful"))
        case "restart":
            world.restart(id)
            world.find(id)
        case _:
            getattr(world, move)(id)
