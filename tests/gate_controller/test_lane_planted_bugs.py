"""The invariants bite: bugs planted in a lane's text one by one, each found by the very watch that passes the lane.

A bug is an edit of the source, which must match exactly once, so that it cannot rot unnoticed. The edited modules
are loaded beside the real ones and played like them until an invariant breaks; the expected one is named.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from gate_controller import lane
from tests.gate_controller.lane_world import play

HOME = Path(lane.__file__).parent
FAMILY = (
    "lane_state",
    "lane_input",
    "lane_scan",
    "lane_claim",
    "lane_absorb",
    "lane_tries",
    "lane_ask",
    "lane_hold",
    "lane_orders",
    "lane_outputs",
    "lane",
)
PLAYS_MAX = 400
"""Random games until a bug must have shown, when the world has changed and its own seed shows it no longer."""


@dataclass(frozen=True)
class Bug:
    """Edits (module, old text, new text), the invariants of which one must break, and a game that shows it."""

    edits: tuple[tuple[str, str, str], ...]
    breaks: str
    seed: int = 0


BUGS = {
    "a pulse survives the silence of the board": Bug(
        (
            ("lane_absorb", "levels={}, pulse=None, crossing", "levels={}, crossing"),
            ("lane_scan", "self.put(pulse=None, manual=None, held", "self.put(manual=None, held"),
            ("lane_scan", "        self.withdraw(grant.fact.hold)\n        self.unserve", "        self.unserve"),
        ),
        "I[457]",
        16,
    ),
    "an order to close the lane ends a fire": Bug(
        (
            ("lane_orders", 'Order.CLOSE_LANE: {Phase.FIRE: "fire holds the boom open"}', "Order.CLOSE_LANE: {}"),
            (
                "lane_orders",
                "            scan.put(closed=said)\n",
                "            scan.put(closed=said)\n            scan.enter(Phase.CLOSED_LANE)\n",
            ),
        ),
        "I4",
        78,
    ),
    "a fault hides a fire": Bug(
        (
            (
                "lane",
                "    if lane.on(Role.FIRE):\n",
                "    if lane.on(Role.FIRE) and lane.phase is not Phase.FAULT:\n",
            ),
        ),
        "I4",
        34,
    ),
    "a fire ends by itself": Bug(
        (("lane", "elif lane.phase in (Phase.FIRE, Phase.FAULT):", "elif lane.phase is Phase.FAULT:"),), "I[47]"
    ),
    "a silent safety loop counts as clear": Bug(
        (
            (
                "lane_absorb",
                "levels={}, pulse",
                "levels={**scan.lane.levels, Role.SAFETY: Level(False, scan.lane.now)}, pulse",
            ),
        ),
        "I[37]",
    ),
    "a doubted pulse is tried again": Bug(
        (("lane_absorb", "                _doubt(scan, input.why)\n", "                pass\n"),), "I5", 1
    ),
    "a grant is pulsed once more when the boom is up": Bug(
        (
            (
                "lane",
                "        scan.opened(assumed=False)\n",
                "        scan.opened(assumed=False)\n"
                "        if scan.lane.current is not None:\n"
                "            scan.pulse(PulseId(scan.lane.current.fact.hold))\n",
            ),
            ("lane", "from dataclasses import replace\n", "from dataclasses import replace\nPulseId = str\n"),
        ),
        "I5",
        13,
    ),
    "the pulse does not wait for the disk": Bug(
        (("lane", "    elif lane.current.settled:\n", "    elif lane.current is not None:\n"),), "I5"
    ),
    "a pulse grows never too old": Bug(
        (("lane_absorb", "lane.now >= lane.pulse.expires_mono_s", "lane.now >= lane.pulse.expires_mono_s + 60"),),
        "I6",
        1,
    ),
    "a pulse may be sent a minute later": Bug(
        (("lane_scan", "self.lane.now + setup.pulse_valid_for_s", "self.lane.now + 60"),), "I6"
    ),
    "a pulse is forgotten by the deadline": Bug(
        (("lane_outputs", "yield lane.pulse.expires_mono_s", "yield lane.now"),), "I6"
    ),
    "an opening by order outlives its order": Bug(
        (("lane_scan", "else min(expires, latest)", "else latest"),), "I8", 13
    ),
    "a restart believes in the hold of before": Bug(
        (("lane", "phase=Phase.UNKNOWN, since=now.mono_s", "phase=Phase.FIRE, since=now.mono_s"),), "I7"
    ),
    "a hold by order comes back with the board": Bug(
        (("lane_scan", "manual=None, held=False, releasing=False)", "manual=None, releasing=False)"),), "I7", 30
    ),
    "a restart lets go of the boom": Bug(
        (("lane", "phase=Phase.UNKNOWN, since=now.mono_s", "let_go=True, phase=Phase.UNKNOWN, since=now.mono_s"),),
        "I7",
    ),
    "silence lets go of the boom": Bug((("lane_outputs", "False if lane.let_go else None", "False"),), "I[37]"),
    "the boom falls when its board is heard again": Bug(
        (("lane_hold", "        if down or released:\n", "        if True:\n"),), "I[37]", 32
    ),
    "a fault lets go of the boom": Bug(
        (
            (
                "lane_scan",
                "held=False, releasing=False)\n",
                "held=False, releasing=False, let_go=True)\n",
            ),
        ),
        "I[37]",
        3,
    ),
    "a fire acknowledged lets go onto a vehicle": Bug(
        (
            (
                "lane_hold",
                "    elif lane.crossing is None and lane.off_for(Role.SAFETY, lane.setup.clear_for_s):\n",
                "    elif lane.crossing is None:\n",
            ),
        ),
        "I3",
        25,
    ),
    "an order to hold is taken without a relay": Bug(
        (("lane_orders", "if not lane.setup.hold_fitted:", "if False:"),), "I8", 11
    ),
    "a pulse under a broken limit does not wait for the disk": Bug(
        (("lane", "or not current.settled or current.pulsed", "or current.pulsed"),), "I5"
    ),
    "a grant under a broken limit is pulsed again and again": Bug(
        (("lane", "or not current.settled or current.pulsed", "or not current.settled"),), "I5"
    ),
    "an order is executed twice": Bug((("lane_orders", "id == command.id for", "id == '' for"),), "I8", 6),
    "an expired order is executed": Bug(
        (("lane_orders", "lane.now >= command.expires_mono_s", "lane.now >= command.expires_mono_s + 5"),), "I8"
    ),
    "a hold is never released": Bug(
        (("lane", "scan.release(lane.current, Released.NO_ENTRY)", "scan.put(current=None)"),), "I9", 5
    ),
    "an opening waits for ever": Bug(
        (("lane", "(closed_again or lane.after(lane.setup.enter_within_s))", "closed_again"),),
        "I9",
        32,
    ),
    "the queue has no bound": Bug(
        (("lane_state", "len(self.queue) >= self.setup.queue_len_max", "len(self.queue) > 5"),), "I9", 95
    ),
    "ids are given out twice": Bug((("lane_scan", "self.put(numbered=lane.numbered + 1, ", "self.put("),), "I9"),
    "a vehicle is believed present after it left": Bug(
        (("lane_scan", "elif lane.off_for(loop, lane.setup.leave_after_s):", "elif lane.off_for(loop, 300.0):"),),
        "I9",
        227,
    ),
    "the boom is released onto a vehicle": Bug(
        (("lane", "lane.releasing and lane.crossing is None and lane.off(Role.SAFETY)", "lane.releasing"),),
        "I3",
        47,
    ),
    "a flicker of the safety loop is a passage": Bug(
        (("lane_scan", "setup.clear_for_s if confirmed", "0.0 if confirmed"),), "I3", 1
    ),
    "presence begins with the grant": Bug(
        (
            (
                "lane_scan",
                "        self.facts.append(fact)\n",
                "        self.facts += [fact, Passed(lane.setup.id, fact.direction, fact.hold)]\n",
            ),
        ),
        "I(3|9|10)",
    ),
    "the pulse does not wait for the portal": Bug(
        (("lane_state", "return self.committed and self.claimed", "return self.committed"),), "I11"
    ),
    "a place that is another's is taken": Bug(
        (
            (
                "lane_claim",
                "_refuse(scan, grant, Released.HELD_ELSEWHERE, _held(grant), holder)",
                '_unanswered(scan, grant, "held")',
            ),
        ),
        "I11",
        4,
    ),
    "an answer counts for whichever hold waits": Bug(
        (("lane_claim", "said.hold == grant.fact.hold", "True"),), "I11", 95
    ),
    "a late word ends a grant that was given": Bug(
        (("lane_claim", "        if grant.claimed:\n", "        if grant.claimed and not scan.said:\n"),), "I11"
    ),
    "a claim waits for ever": Bug(
        (("lane_claim", "lane.now >= grant.at + lane.setup.claim_within_s", "False"),), "I11", 20
    ),
    "the deadline forgets a claim": Bug(
        (("lane_outputs", "yield grant.at + setup.claim_within_s", "yield lane.now"),), "I11"
    ),
    "the policy is not heeded": Bug((("lane_claim", "if policy is ClaimPolicy.DENY:", "if False:"),), "I11", 8),
    "a fence may go back": Bug((("lane_claim", "session.fence >= fence for", "False for"),), "I11", 273),
    "an exit asks for a place": Bug(
        (("lane_scan", "and fact.direction is Direction.IN and fact.user_id", "and fact.user_id"),), "I11"
    ),
    "nobody asks the far loop": Bug(
        (("lane_scan", "confirmed = crossing.far_seen or far is None", "confirmed = True"),), "I10"
    ),
    "a stranger crosses on the grant of the next": Bug(
        (("lane_scan", "current.fact.hold == crossing.hold else None", "True else None"),), "I10", 56
    ),
}


def planted(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The lane with the bug, loaded from edited text; the real one is untouched."""
    monkeypatch.setitem(sys.modules, "planted", ModuleType("planted"))
    for name in FAMILY:
        text = (HOME / f"{name}.py").read_text()
        for module, old, new in bug.edits:
            if module == name:
                assert text.count(old) == 1, f"the edit of {name} no longer matches exactly once: {old!r}"
                text = text.replace(old, new)
        copy = ModuleType(f"planted.{name}")
        monkeypatch.setitem(sys.modules, copy.__name__, copy)
        code = compile(text.replace("from gate_controller.lane", "from planted.lane"), f"planted {name}", "exec")
        exec(code, copy.__dict__)
    return sys.modules["planted.lane"]


def broken_by(machine: ModuleType, first: int) -> str:
    """The first invariant that random games break, "" if none of them does."""
    for seed in (first, *range(PLAYS_MAX)):
        try:
            play(machine, seed)
        except AssertionError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_breaks_its_invariant(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = BUGS[name]
    broken = broken_by(planted(bug, monkeypatch), bug.seed)
    assert broken, "no invariant noticed"
    assert re.match(f"{bug.breaks}:", broken), broken


def test_the_lane_without_a_bug_breaks_none(monkeypatch: pytest.MonkeyPatch) -> None:
    copy = planted(Bug((), ""), monkeypatch)
    for seed in sorted({bug.seed for bug in BUGS.values()}):
        play(copy, seed)
