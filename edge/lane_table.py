"""`[lanes]`, `[boards]` and `[readers]` of the settings: barriers, and what is wired to them on serial ports.

Not here: the rest of the file (`config`), and what a lane does (`gate_controller.lane`).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import fields

from edge.tables import Channel, Place, Text, did_you_mean
from gate_controller.access import ExitPolicy
from gate_controller.credentials import BADGE_BITS_MAX, BADGE_BITS_MIN
from gate_controller.devices import CODECS
from gate_controller.devices.codec import Codec
from gate_controller.devices.line_reader import CARD_BITS, LineFormat, LineReader, Lines
from gate_controller.facts import Direction, LaneId
from gate_controller.lane import LaneSetup, Role, StorePolicy

Byte = Annotated[int, Meta(ge=0, le=255)]
Bits = Annotated[int, Meta(ge=BADGE_BITS_MIN, le=BADGE_BITS_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Share = Annotated[float, Meta(ge=0, le=1)]
Point = Annotated[
    tuple[Share, Share],
    Meta(extra_json_schema={"description": "two numbers from 0 to 1 in brackets, across and down"}),
]

_BOARD_KINDS = ("modbus_relay8",)
_LINE_READER = "line_reader"
_READER_KINDS = ("rdm6300", _LINE_READER)
LINE_START_LEN_MAX = 8
REGION_CORNERS = (3, 16)
REGION_AREA_MIN = 0.01
"""Share of the picture below which no vehicle stands in a region: its corners are mistyped."""


class BoardTable(Struct, forbid_unknown_fields=True):
    """`[boards.NAME]`: an input and relay board on a serial port."""

    kind: Text
    port: Place


class ReaderTable(Struct, forbid_unknown_fields=True):
    """`[readers.NAME]`: a badge reader, QR scanner or keypad on a serial port and the lane or desk it stands at."""

    kind: Text
    port: Place
    lane: Text
    format: LineFormat = LineFormat.CODE
    bits: Bits = CARD_BITS
    start: tuple[Byte, ...] = ()
    ends: tuple[Byte, ...] = (13, 10)

    def codec(self) -> Codec:
        """A codec of this kind, told how the reader writes if it writes lines."""
        if self.kind == _LINE_READER:
            return LineReader(Lines(self.format, self.bits, bytes(self.start), bytes(self.ends)))
        return CODECS[self.kind]()

    def named(self) -> str:
        """Its kind, for the technician's table."""
        return f"{self.kind} {self.format}" if self.kind == _LINE_READER else self.kind


class InputsTable(Struct, forbid_unknown_fields=True):
    """`[lanes.NAME.inputs]`: the board's input channel of each contact that is fitted."""

    approach: Channel
    safety: Channel
    far: Channel | None = None
    closed_limit: Channel | None = None
    open_limit: Channel | None = None
    fire: Channel | None = None
    fault: Channel | None = None
    manual: Channel | None = None

    def fitted(self) -> dict[str, int]:
        """Role name to channel, of those that are fitted."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class OutputsTable(Struct, forbid_unknown_fields=True):
    """`[lanes.NAME.outputs]`: the board's output channel of the opening pulse, the hold and the lights."""

    open: Channel
    hold: Channel | None = None
    green: Channel | None = None
    red: Channel | None = None

    def fitted(self) -> dict[str, int]:
        """Role name to channel, of those that are fitted."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class LaneTable(Struct, forbid_unknown_fields=True):
    """`[lanes.NAME]`: one direction, or a shared two-way, through one barrier."""

    direction: Literal["in", "out", "both"]
    board: Text
    inputs: InputsTable
    outputs: OutputsTable
    inverted: tuple[Role, ...] = ()
    active: bool = True
    camera: Place | None = None
    region: tuple[Point, ...] = ()
    plate_width_min_px: Annotated[int, Meta(ge=20, le=1000)] | None = None
    exit_policy: ExitPolicy = ExitPolicy.ANY_VEHICLE
    read_for_s: Seconds = 3.0
    pulse_width_s: Annotated[float, Meta(ge=0.1, le=5.0)] = 0.5
    open_without_store: bool = True

    def setup(self, name: str) -> LaneSetup:
        """The lane as the core takes it. Raises `ValueError` for one that could not know its own state."""
        return LaneSetup(
            id=LaneId(name),
            direction=None if self.direction == "both" else Direction(self.direction),
            fitted=frozenset(Role(role) for role in self.inputs.fitted()),
            exit_policy=self.exit_policy,
            store_policy=StorePolicy.PASS if self.open_without_store else StorePolicy.REFUSE,
            read_for_s=self.read_for_s,
            pulse_width_s=self.pulse_width_s,
            hold_fitted=self.outputs.hold is not None,
        )


def problems(
    lanes: Mapping[str, LaneTable],
    boards: Mapping[str, BoardTable],
    readers: Mapping[str, ReaderTable],
    board_names: Collection[str],
    places: Collection[str],
) -> Iterator[str]:
    """What is wrong with lanes, boards and readers, each problem by its path.

    `board_names` are those of bad tables, too; `places` are lanes and desks, at which readers stand.
    """
    yield from _kinds("boards", boards, _BOARD_KINDS)
    yield from _kinds("readers", readers, _READER_KINDS)
    yield from _lines(readers)
    yield from _ports(boards, readers)
    yield from _references(lanes, board_names, readers, places)
    yield from _buildable(lanes)
    yield from _seen(lanes)
    yield from _inverted(lanes)
    yield from _channels(lanes, "inputs", lambda lane: lane.inputs.fitted())
    yield from _channels(lanes, "outputs", lambda lane: lane.outputs.fitted())


def wires(lanes: Mapping[str, LaneTable]) -> Iterator[tuple[str, str, int]]:
    """What lanes have wired: inputs or outputs, board and channel."""
    for lane in lanes.values():
        yield from (("inputs", lane.board, channel) for channel in lane.inputs.fitted().values())
        yield from (("outputs", lane.board, channel) for channel in lane.outputs.fitted().values())


def wiring(
    name: str, lane: LaneTable, port: str, readers: Mapping[str, ReaderTable]
) -> list[tuple[str, str, str, str]]:
    """Rows of (lane, what, wired to, where) for the technician's table; `port` is that of the lane's board."""
    policy = "" if lane.direction == "in" else f"exit policy {lane.exit_policy}"
    rows: list[tuple[str, str, str, str]] = [(name, "direction", lane.direction, policy)]
    rows += [
        (name, f"input {role}", f"{lane.board} in {ch}{' inverted' if role in lane.inverted else ''}", port)
        for role, ch in lane.inputs.fitted().items()
    ]
    rows += [(name, f"output {role}", f"{lane.board} out {ch}", port) for role, ch in lane.outputs.fitted().items()]
    rows.append((name, "camera", without_secret(lane.camera or "none"), _seen_of(lane)))
    rows += [
        (name, f"reader {reader}", table.named(), table.port)
        for reader, table in readers.items()
        if table.lane == name
    ]
    return rows


def _seen_of(lane: LaneTable) -> str:
    """What of the camera's picture counts, for the technician's table."""
    told = [f"region of {len(lane.region)} corners, {_area(lane.region):.0%} of the picture"] if lane.region else []
    told += [f"plates from {lane.plate_width_min_px} px"] if lane.plate_width_min_px else []
    return ", ".join(told)


def without_secret(spec: str) -> str:
    """A camera's address without user name and password; anything else as it is."""
    return re.sub(r"//[^/]*@", "//", spec)


def _kinds(
    key: str, tables: Mapping[str, BoardTable] | Mapping[str, ReaderTable], kinds: tuple[str, ...]
) -> Iterator[str]:
    for name, entry in tables.items():
        if entry.kind not in kinds:
            yield f'{key}.{name}.kind: no kind "{entry.kind}"; {did_you_mean(entry.kind, kinds)}'


def _lines(readers: Mapping[str, ReaderTable]) -> Iterator[str]:
    plain = {field.name: field.default for field in fields(ReaderTable) if not field.required}
    for name, reader in readers.items():
        at = f"readers.{name}"
        if reader.kind != _LINE_READER:
            told = [key for key, default in plain.items() if getattr(reader, key) != default]
            yield from (f"{at}.{key}: only a {_LINE_READER} is told so; leave it out" for key in told)
        elif not reader.ends or set(reader.ends) & set(reader.start):
            yield f"{at}.ends: name at least one byte that ends a line and begins none, such as [13, 10]"
        elif len(reader.start) > LINE_START_LEN_MAX:
            yield f"{at}.start: {len(reader.start)} bytes; at most {LINE_START_LEN_MAX} begin a line"


def _ports(boards: Mapping[str, BoardTable], readers: Mapping[str, ReaderTable]) -> Iterator[str]:
    used: dict[str, str] = {}
    everything = [(f"boards.{n}", b.port) for n, b in boards.items()]
    everything += [(f"readers.{n}", r.port) for n, r in readers.items()]
    for at, port in everything:
        if port in used:
            yield f"{at}.port: {port} is already the port of {used[port]}; give each device its own"
        used.setdefault(port, at)


def _references(
    lanes: Mapping[str, LaneTable],
    board_names: Collection[str],
    readers: Mapping[str, ReaderTable],
    places: Collection[str],
) -> Iterator[str]:
    for name, lane in lanes.items():
        if board_names and lane.board not in board_names:
            yield f"lanes.{name}.board: no table [boards.{lane.board}]; {did_you_mean(lane.board, board_names)}"
        if lane.camera is None and not any(reader.lane == name for reader in readers.values()):
            yield f"lanes.{name}.camera: missing, and no reader names this lane; nobody could get in"
    for name, reader in readers.items():
        if places and reader.lane not in places:
            yield f"readers.{name}.lane: no table [lanes.{reader.lane}]; {did_you_mean(reader.lane, places)}"


def _inverted(lanes: Mapping[str, LaneTable]) -> Iterator[str]:
    for name, lane in lanes.items():
        for role in lane.inverted:
            if role not in lane.inputs.fitted():
                yield f"lanes.{name}.inverted: {role} is not among the inputs; wire it or leave it out here"


def _buildable(lanes: Mapping[str, LaneTable]) -> Iterator[str]:
    for name, lane in lanes.items():
        try:
            lane.setup(name)
        except ValueError as error:
            yield f"lanes.{name}.inputs: {str(error).removeprefix(f'lane {name}: ')}"
        if lane.inputs.fire is not None and lane.outputs.hold is None:
            yield f"lanes.{name}.outputs.hold: missing; in a fire that relay holds the boom open, so wire it"


def _seen(lanes: Mapping[str, LaneTable]) -> Iterator[str]:
    for name, lane in lanes.items():
        at = f"lanes.{name}"
        for key in ("region", "plate_width_min_px"):
            if lane.camera is None and getattr(lane, key):
                yield f"{at}.{key}: this lane has no camera; leave it out"
        least, most = REGION_CORNERS
        if lane.region and not least <= len(lane.region) <= most:
            yield f"{at}.region: {len(lane.region)} corners; give {least} to {most}, one after the other around it"
        elif lane.region and _area(lane.region) < REGION_AREA_MIN:
            yield f"{at}.region: next to nothing of the picture; give its corners one after the other around it"


def _area(corners: tuple[Point, ...]) -> float:
    """Of a polygon (the shoelace formula)."""
    following = corners[1:] + corners[:1]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(corners, following, strict=True))) / 2


def _channels(
    lanes: Mapping[str, LaneTable], kind: str, fitted: Callable[[LaneTable], dict[str, int]]
) -> Iterator[str]:
    used: dict[tuple[str, int], str] = {}
    for name, lane in lanes.items():
        for role, channel in fitted(lane).items():
            at = f"lanes.{name}.{kind}.{role}"
            shared = kind == "inputs" and role == "fire"
            before = used.setdefault((lane.board, channel), at)
            if before != at and not (shared and before.endswith(".fire")):
                yield f"{at}: channel {channel} of {lane.board} is already {before}; give each contact its own"
