"""The site's settings: one TOML file, every mistake named by its path in it.

Here: what may be written, how it must belong together, and the wiring that follows. Not here: opening anything
the file names, and reading the file itself (`tables`).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field
from msgspec.structs import fields

from edge import desk_table, display_table
from edge.desk_table import Channel, DeskTable
from edge.display_table import DisplayTable
from edge.enrolled import with_enrolment
from edge.tables import did_you_mean, named_tables, read_toml, table
from gate_controller.access import ExitPolicy
from gate_controller.credentials import BADGE_BITS_MAX, BADGE_BITS_MIN
from gate_controller.devices import CODECS
from gate_controller.devices.codec import Codec
from gate_controller.devices.line_reader import CARD_BITS, LineFormat, LineReader, Lines
from gate_controller.errors import BadInput, ConfigError
from gate_controller.facts import Direction, LaneId
from gate_controller.lane import LaneSetup, Role, StorePolicy
from gate_controller.site import ClaimPolicy, Rules
from gate_controller.standing_orders import Switched, inactive_lanes

if TYPE_CHECKING:  # cryptography takes longer to load than most commands to run
    from sync.identity import TlsFiles
    from sync.messages import Address

Name = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}\Z", description="1 to 32 of a-z, 0-9, - and _, a letter first"),
]
Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 of 0-9 and a-f, a public key")]
Text = Annotated[str, Meta(min_length=1, max_length=100)]
Place = Annotated[str, Meta(min_length=1, max_length=500)]
Byte = Annotated[int, Meta(ge=0, le=255)]
Bits = Annotated[int, Meta(ge=BADGE_BITS_MIN, le=BADGE_BITS_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Hours = Annotated[float, Meta(gt=0, le=87_600)]  # ten years: more would not fit a date

IN_THE_CLEAR = "plates and badges can be read on the way to the broker; run `slagboom enrol`, or name certificates"
_BOARD_KINDS = ("modbus_relay8",)
_LINE_READER = "line_reader"
_READER_KINDS = ("rdm6300", _LINE_READER)
LINE_START_LEN_MAX = 8
_ONCE = ("site", "offline", "store", "portal", "list", "recognition")
TABLES = (*_ONCE, "boards", "readers", "lanes", "desks", "displays")


class SiteTable(Struct, forbid_unknown_fields=True):
    """`[site]`: the place and its own rules."""

    name: Text
    time_zone: Text
    capacity: Annotated[int, Meta(ge=1)] | None = None
    session_expires_after_h: Hours = 168.0
    missed_exit_grace_h: Hours | None = None
    claims: ClaimPolicy | None = None


class OfflineTable(Struct, forbid_unknown_fields=True):
    """`[offline]`: for how long the list counts that the portal has not confirmed. Exits heed none of it."""

    permanent_h: Hours | None = None
    temporary_h: Hours = 72.0


class StoreTable(Struct, forbid_unknown_fields=True):
    """`[store]`: the database and how long it keeps what names a person."""

    path: Place = "slagboom.db"
    evidence: Place = "evidence"
    keep_personal_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    keep_strangers_h: Annotated[int, Meta(ge=1, le=720)] = 24


class TlsTable(Struct, forbid_unknown_fields=True):
    """`[portal.tls]`: this edge's certificate and whom it trusts. `slagboom enrol` writes it."""

    ca: Place
    cert: Place
    key: Place | None = None
    renew: Place | None = None


class PortalTable(Struct, forbid_unknown_fields=True):
    """`[portal]`: the MQTT 5 broker between this edge and its portal. Leave the table out to run alone."""

    host: Place
    root_key: Key
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    tenant: Name = "default"
    site: Name = "site"
    edge: Name = "edge"
    enrolled: Place | None = None
    tls: TlsTable | None = None

    def address(self) -> "Address":
        """Where this edge lives in the tree of topics."""
        from sync.messages import Address

        return Address(self.tenant, self.site, self.edge)

    @property
    def in_the_clear(self) -> bool:
        """Whether the link leaves this machine and is not encrypted."""
        return self.tls is None and self.host not in ("127.0.0.1", "::1", "localhost")


class ListTable(Struct, forbid_unknown_fields=True):
    """`[list]`: an allowlist file for a site without a portal."""

    file: Place


class RecognitionTable(Struct, forbid_unknown_fields=True):
    """`[recognition]`: the models that find and read plates."""

    ocr: Place = "builtin"
    detector: Place = "builtin"


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


class Config(Struct):
    """The whole file, checked."""

    site: SiteTable
    lanes: dict[str, LaneTable]
    boards: dict[str, BoardTable]
    readers: dict[str, ReaderTable] = field(default_factory=dict)
    store: StoreTable = field(default_factory=StoreTable)
    portal: PortalTable | None = None
    list: ListTable | None = None
    recognition: RecognitionTable = field(default_factory=RecognitionTable)
    offline: OfflineTable = field(default_factory=OfflineTable)
    desks: dict[str, DeskTable] = field(default_factory=dict)
    displays: dict[str, DisplayTable] = field(default_factory=dict)
    folder: Path = Path()

    def tz(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.time_zone)

    def rules(self) -> Rules:
        """The site's own choices, as the core takes them."""
        site, hour = self.site, timedelta(hours=1)
        grace_h, permanent_h = site.missed_exit_grace_h, self.offline.permanent_h
        return Rules(
            capacity=site.capacity,
            session_expires_after=site.session_expires_after_h * hour,
            missed_exit_grace=None if grace_h is None else grace_h * hour,
            permanent_list_max_age=None if permanent_h is None else permanent_h * hour,
            temporary_list_max_age=self.offline.temporary_h * hour,
            claims=site.claims,
        )

    def inactive(self, switched: Iterable[Switched] = ()) -> frozenset[LaneId]:
        """The lanes that are off: by these settings, or by an order that came after them."""
        return inactive_lanes({LaneId(name): lane.active for name, lane in self.lanes.items()}, switched)

    def tls(self) -> "TlsFiles | None":
        """The files of the link's certificates; None where it is not encrypted."""
        tls = self.portal.tls if self.portal is not None else None
        if tls is None:
            return None
        from sync.identity import TlsFiles

        return TlsFiles(self.path(tls.ca), self.path(tls.cert), self.path(tls.key or tls.cert))

    def site_name(self) -> str:
        """What the portal calls the site, "" without one."""
        return self.portal.site if self.portal is not None else ""

    def path(self, relative: str) -> Path:
        """A path of the file, relative to the folder the file lies in."""
        return self.folder / relative


def load_config(path: Path) -> Config:
    """Read and check a file. Raises `ConfigError` with every problem: the file, the path in it, the fix."""
    data = read_toml(path)
    problems = [f"{key}: unknown table; {did_you_mean(key, TABLES)}" for key in data if key not in TABLES]
    site = table(data, "site", SiteTable, problems, required=True)
    store = table(data, "store", StoreTable, problems) or StoreTable()
    portal = table(with_enrolment(data, path.parent, problems), "portal", PortalTable, problems)
    offline = table(data, "offline", OfflineTable, problems) or OfflineTable()
    list_file = table(data, "list", ListTable, problems)
    recognition = table(data, "recognition", RecognitionTable, problems) or RecognitionTable()
    desks, desk_names = named_tables(data, "desks", DeskTable, problems)
    boards, board_names = named_tables(data, "boards", BoardTable, problems, required=not desks)
    readers, _ = named_tables(data, "readers", ReaderTable, problems)
    displays, _ = named_tables(data, "displays", DisplayTable, problems)
    lanes, lane_names = named_tables(data, "lanes", LaneTable, problems, required=not desks)
    if site is not None:
        problems += _time_zone(site)
    if portal is None and "portal" not in data and site is not None and site.claims is not None:
        problems.append("site.claims: there is no [portal] to ask; add one, or leave this out")
    if portal is not None and list_file is not None:
        problems.append("list: the portal brings the list; leave out either [list] or [portal]")
    problems += _renewal(portal)
    problems += _kinds("boards", boards, _BOARD_KINDS)
    problems += _kinds("readers", readers, _READER_KINDS)
    problems += _lines(readers)
    problems += _ports(boards, readers)
    problems += _references(lanes, board_names, readers, [*lane_names, *desk_names])
    problems += _buildable(lanes)
    problems += _inverted(lanes)
    problems += _channels(lanes, "inputs", lambda lane: lane.inputs.fitted())
    problems += _channels(lanes, "outputs", lambda lane: lane.outputs.fitted())
    readers_at = {reader.lane for reader in readers.values()}
    problems += desk_table.problems(desks, board_names, readers_at, lane_names, _wires(lanes))
    entries = [name for name, lane in lanes.items() if lane.direction == "in"]
    ports = [board.port for board in boards.values()] + [reader.port for reader in readers.values()]
    problems += display_table.problems(displays, entries, ports, portal="portal" in data)
    if problems or site is None:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    tables = (site, lanes, boards, readers, store, portal, list_file, recognition, offline, desks, displays)
    return Config(*tables, path.parent)


def wiring(config: Config) -> list[tuple[str, str, str, str]]:
    """Rows of (lane, what, wired to, where) in the order of the file, for the technician's table."""
    rows: list[tuple[str, str, str, str]] = []
    for name, lane in config.lanes.items():
        port = config.boards[lane.board].port
        policy = "" if lane.direction == "in" else f"exit policy {lane.exit_policy}"
        rows.append((name, "direction", lane.direction, policy))
        rows += [
            (name, f"input {role}", f"{lane.board} in {ch}{' inverted' if role in lane.inverted else ''}", port)
            for role, ch in lane.inputs.fitted().items()
        ]
        rows += [
            (name, f"output {role}", f"{lane.board} out {ch}", port) for role, ch in lane.outputs.fitted().items()
        ]
        rows.append((name, "camera", without_secret(lane.camera or "none"), ""))
        rows += [
            (name, f"reader {reader}", table.named(), table.port)
            for reader, table in config.readers.items()
            if table.lane == name
        ]
        rows += display_table.wiring(name, config.displays)
    for name, desk in config.desks.items():
        rows += desk_table.wiring(name, desk, config.boards[desk.board].port if desk.board else "")
    return rows


def without_secret(spec: str) -> str:
    """A camera's address without user name and password; anything else as it is."""
    return re.sub(r"//[^/]*@", "//", spec)


def _renewal(portal: PortalTable | None) -> Iterator[str]:
    if portal is None or portal.tls is None or portal.tls.renew is None:
        return
    from sync.enrolment import Portal

    try:
        Portal.parse(portal.tls.renew)
    except BadInput as error:
        yield f"portal.tls.renew: {error}"
    if portal.tls.key not in (None, portal.tls.cert):
        yield "portal.tls.key: a certificate that renews itself has its key in its own file; leave out key or renew"


def _time_zone(site: SiteTable) -> Iterator[str]:
    try:
        ZoneInfo(site.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f'site.time_zone: no time zone "{site.time_zone}"; write it like "Europe/Amsterdam"'


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


def _wires(lanes: Mapping[str, LaneTable]) -> Iterator[tuple[str, str, int]]:
    """What lanes have wired: inputs or outputs, board and channel."""
    for lane in lanes.values():
        yield from (("inputs", lane.board, channel) for channel in lane.inputs.fitted().values())
        yield from (("outputs", lane.board, channel) for channel in lane.outputs.fitted().values())


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
