"""Writes `lane.md` out of the lane's own source: the phases, what leads from one to another, orders and timings.

Transitions are read from the syntax tree of `gate_controller/lane*.py`; a condition is put into words by `_words`,
and one that has no words yet is an error. So the page cannot say what the code does not do.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Final

import gate_controller
from gate_controller.lane_orders import NOT_NOW
from gate_controller.lane_scan import NOTABLE
from gate_controller.lane_state import WAITING, LaneSetup, Order, Phase, Role

CORE: Final = Path(gate_controller.__path__[0])
SOURCES: Final = ("lane", "lane_scan", "lane_absorb", "lane_claim", "lane_orders")

CONTACTS: Final[dict[str, tuple[str, str]]] = {
    "SAFETY": ("safety loop occupied", "safety loop clear"),
    "CLOSED_LIMIT": ("closed limit reached", "closed limit left"),
    "OPEN_LIMIT": ("open limit reached", "open limit left"),
    "FIRE": ("fire contact on", "fire contact off"),
    "FAULT": ("fault contact on", "fault contact off"),
    "MANUAL": ("manual contact on", "manual contact off"),
}

WORDS: Final[dict[str, str]] = {
    "lane.queue": "a grant is queued",
    "lane.queue[0].settled": "its grant is on disk, and claimed where it must be",
    "lane.current.settled": "the grant is on disk and its place claimed, or excused from it",
    "lane.current is None": "the grant was released",
    "lane.arrival is None": "the vehicle left",
    "lane.arrival is not None": "a vehicle arrived",
    "lane.arrival": "the vehicle is still there",
    "lane.closed is not None": "closed by order",
    "lane.held": "held by order",
    "lane.releasing": "released",
    "lane.crossing is None": "nobody under the boom",
    "lane.complete()": "all contacts known",
    "lane.contradicts()": "both limits reached",
    "lane.pulse is not None": "a pulse is shown",
    "lane.now >= lane.pulse.expires_mono_s": "not confirmed in time",
    "lane.phase in WAITING": "granted while idle, armed or closed",
    "waits": "while idle, armed or closed",
    "stays": "in held_open, forced_open or fault",
    "lane.pulse is None": "no pulse is shown",
    "lane.phase in (Phase.OPENING, Phase.OPEN_WAIT)": "pulse doubted in opening or open_wait",
    "lane.phase in (Phase.FIRE, Phase.FAULT)": "in fire or fault",
    "lane.phase is not Phase.FIRE": "",
    "lane.phase is not Phase.UNKNOWN": "",
    "lane.phase is not Phase.FAULT": "not in fault",
    "lane.phase is Phase.FORCED_OPEN": "in forced_open",
    "lane.phase is Phase.CLOSED_LANE": "in closed_lane",
    "crossed is None": "still under the boom",
    "crossing is None": "",
    "crossed is Crossed.BACK": "the vehicle turned back",
    "came_down": "the boom came down",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """A transition: where to, and the conditions on the way to it, in words."""

    to: Phase
    on: str


def _functions() -> dict[str, ast.FunctionDef]:
    found = {}
    for name in SOURCES:
        for node in ast.walk(ast.parse((CORE / f"{name}.py").read_text())):
            if isinstance(node, ast.FunctionDef):
                found[node.name] = node
    return found


FUNCTIONS: Final = _functions()
Given = Callable[[], str]
"""A condition, put into words only when it leads somewhere."""


def _edges(body: list[ast.stmt], given: tuple[Given, ...], names: dict[str, ast.expr]) -> Iterator[Edge]:
    """Transitions of a block, each with the conditions under which it is reached."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = value
                yield from _calls(value, given, names)
            case ast.If(test=test, body=inner, orelse=other):
                yield from _calls(test, given, names)
                yield from _edges(inner, (*given, partial(_words, test, names)), names)
                otherwise = () if other and isinstance(other[0], ast.If) else (lambda: "otherwise",)
                yield from _edges(other, (*given, *otherwise), names)
                if isinstance(inner[-1], ast.Return) and not other:
                    given = (*given, partial(_not, test, names))
            case ast.For(body=inner):
                yield from _edges(inner, given, names)
            case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
                yield from _calls(value, given, names)


def _calls(expression: ast.expr, given: tuple[Given, ...], names: dict[str, ast.expr]) -> Iterator[Edge]:
    for call in ast.walk(expression):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in ("enter", "stand_down", "serve"):
            yield from _targets(call.args[0], given, names)
        elif name in FUNCTIONS and name not in ("release", "cross", "watch"):
            yield from _edges(FUNCTIONS[name].body, given, {})


def _targets(target: ast.expr, given: tuple[Given, ...], names: dict[str, ast.expr]) -> Iterator[Edge]:
    match target:
        case ast.IfExp(test=test, body=yes, orelse=no):
            yield from _targets(yes, (*given, lambda: _words(test, names)), names)
            yield from _targets(no, (*given, lambda: "otherwise"), names)
        case ast.Attribute(value=ast.Name(id="Phase"), attr=name):
            yield Edge(Phase[name], ", ".join(word for words in given if (word := words())))


def _words(test: ast.expr, names: dict[str, ast.expr]) -> str:
    """A condition in words. Raises `KeyError` for one that has none."""
    match test:
        case ast.BoolOp(op=op, values=values):
            parts = [part for value in values if (part := _words(value, names))]
            nested = [f"({part})" if " or " in part or " and " in part else part for part in parts]
            return (" or " if isinstance(op, ast.Or) else " and ").join(nested)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _not(operand, names)
        case ast.Name(id=name) if name in names and name not in WORDS:
            return _words(names[name], names)
        case ast.Call(func=ast.Attribute(attr=name), args=[first, *rest]):
            return _question(name, first, rest)
    text = ast.unparse(test).replace("scan.lane.", "lane.")
    return "" if text.startswith("_") else WORDS[text]


def _not(test: ast.expr, names: dict[str, ast.expr]) -> str:
    if isinstance(test, ast.UnaryOp):
        return _words(test.operand, names)
    words = _words(test, names)
    if words.endswith(" fitted"):
        return words.removesuffix(" fitted") + " not fitted"
    return dict(CONTACTS.values()).get(words, words and f"not {words}")


def _question(name: str, first: ast.expr, rest: list[ast.expr]) -> str:
    seconds = f"{_seconds(rest[0] if rest else first):g} s" if name in ("on_for", "off_for", "after") else ""
    if name == "after":
        return f"{seconds} passed"
    on, off = CONTACTS[getattr(first, "attr", "")]
    match name:
        case "on" | "off":
            return on if name == "on" else off
        case "on_for" | "off_for":
            return f"{on if name == 'on_for' else off} for {seconds}"
        case "fitted":
            return f"{on.rsplit(' ', 1)[0]} fitted"
    raise KeyError(name)


def _seconds(expression: ast.expr) -> float:
    name = getattr(expression, "attr", "")
    return float(next(f.default for f in fields(LaneSetup) if f.name == name))  # type: ignore[arg-type]


def phases() -> dict[Phase, list[Edge]]:
    """Each phase with its transitions, in the order in which the code tries them."""
    found: dict[Phase, list[Edge]] = {}
    for node in ast.walk(FUNCTIONS["_advance"]):
        if isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchValue):
            phase = Phase[getattr(node.pattern.value, "attr", "")]
            found[phase] = list(dict.fromkeys(_edges(node.body, (), {})))
    return found


def anywhere() -> list[Edge]:
    """What leads out of any phase: contacts that overrule, grants, doubted pulses."""
    names = ("_overrule", "_doubt", "grant")
    return list(dict.fromkeys(edge for name in names for edge in _edges(FUNCTIONS[name].body, (), {})))


def orders() -> dict[Order, list[Edge]]:
    """Where each order leads."""
    found: dict[Order, list[Edge]] = {}
    for node in ast.walk(FUNCTIONS["obey"]):
        if isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchValue):
            order = Order[getattr(node.pattern.value, "attr", "")]
            found[order] = list(dict.fromkeys(_edges(node.body, (), {})))
    return found


def _diagram() -> str:
    lines = ["stateDiagram-v2", "    [*] --> unknown"]
    for phase, edges in phases().items():
        lines += [f"    {phase} --> {to}" for to in dict.fromkeys(edge.to for edge in edges)]
    lines += [f"    {phase} --> {Phase.AUTHORISING}" for phase in Phase if phase in WAITING - {Phase.IDLE}]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def _table(head: str, rows: Sequence[tuple[str, ...]]) -> str:
    titles = head.split("|")
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.strip() for cell in line) + " |" for line in lines)


def _timings() -> str:
    rows = [
        (f"`{f.name}`", f"{f.default:g}" if isinstance(f.default, float) else str(f.default))
        for f in fields(LaneSetup)
        if f.default is not MISSING and f.name.endswith(("_s", "_max"))
    ]
    return _table("Setting|Default", rows)


def _orders() -> str:
    rows = []
    for order, edges in orders().items():
        leads = "; ".join(f"`{e.to}`" + (f" ({e.on})" if e.on else "") for e in edges) or "when its turn comes"
        refused = "; ".join(f"`{phase}`: {why}" for phase, why in NOT_NOW[order].items())
        rows.append((f"`{order}`", leads, refused))
    return _table("Order|Leads to|Refused in", rows)


def page() -> str:
    """The page of the lane. Raises `KeyError` when a condition of the code has no words yet."""
    table = [(f"`{phase}`", edge.on, f"`{edge.to}`") for phase, edges in phases().items() for edge in edges]
    every = [(edge.on, f"`{edge.to}`") for edge in anywhere()]
    loops = ", ".join(f"`{role}`" for role in Role)
    parts = [
        "# The lane",
        "<!-- Written by docs/lane_page.py from gate_controller/lane*.py; `make docs` writes it anew. -->",
        "The theory is at the top of `gate_controller/lane.py`. This page is read out of the code: conditions are "
        "tried from top to bottom, with the default timings, and the first that holds is taken.",
        f"Inputs: {loops}. A journal row is written when one of these phases begins or ends: "
        + ", ".join(f"`{phase}`" for phase in Phase if phase in NOTABLE)
        + ".",
        "## Phases",
        _diagram(),
        _table("Phase|Leaves on|To", table),
        "## From any phase",
        "Tried before the phase itself, in this order; not in the diagram.",
        _table("On|To", every),
        "## Orders",
        "Each has an id, is executed once, and is refused once expired. None closes a boom.",
        _orders(),
        "## Timings and bounds",
        _timings(),
    ]
    return "\n\n".join(parts) + "\n"
