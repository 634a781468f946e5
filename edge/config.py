"""The site's settings: one TOML file, every mistake named by its path in it.

Here: what may be written, what is checked, and the wiring that follows. Not here: opening anything.
msgspec stops at its first error, so tables are decoded one by one and all problems are reported together.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, Struct, field

from gate_controller.access import ExitPolicy
from gate_controller.devices import CODECS
from gate_controller.errors import ConfigError

Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Channel = Annotated[int, Meta(ge=1, le=8)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]

FILE_BYTES_MAX = 1_000_000
_BOARD_KINDS = ("modbus_relay8",)
_READER_KINDS = ("rdm6300",)


class SiteTable(Struct, forbid_unknown_fields=True):
    """`[site]`: the place and its own rules."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    time_zone: str
    capacity: Annotated[int, Meta(ge=1)] | None = None
    session_expires_after_h: Annotated[float, Meta(gt=0)] = 168.0
    missed_exit_grace_h: Annotated[float, Meta(gt=0)] | None = None
    list_max_age_h: Annotated[float, Meta(gt=0)] | None = None


class StoreTable(Struct, forbid_unknown_fields=True):
    """`[store]`: the database and how long it keeps what names a person."""

    path: str = "slagboom.db"
    evidence: str = "evidence"
    keep_personal_days: Annotated[int, Meta(ge=1, le=3650)] = 30


class PortalTable(Struct, forbid_unknown_fields=True):
    """`[portal]`: the MQTT 5 broker between this edge and its portal. Leave the table out to run alone."""

    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    tenant: Name = "default"
    site: Name = "site"
    edge: Name = "edge"


class ListTable(Struct, forbid_unknown_fields=True):
    """`[list]`: an allowlist file for a site without a portal."""

    file: str


class BoardTable(Struct, forbid_unknown_fields=True):
    """`[boards.NAME]`: an input and relay board on a serial port."""

    kind: str
    port: Annotated[str, Meta(min_length=1)]


class ReaderTable(Struct, forbid_unknown_fields=True):
    """`[readers.NAME]`: a badge reader on a serial port and the lane it stands at."""

    kind: str
    port: Annotated[str, Meta(min_length=1)]
    lane: str


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

    direction: Annotated[str, Meta(pattern="^(in|out|both)$")]
    board: str
    inputs: InputsTable
    outputs: OutputsTable
    camera: str | None = None
    exit_policy: ExitPolicy = ExitPolicy.ANY_VEHICLE
    read_for_s: Seconds = 3.0
    pulse_width_s: Annotated[float, Meta(ge=0.1, le=5.0)] = 0.5
    open_without_store: bool = True


class Config(Struct):
    """The whole file, checked."""

    site: SiteTable
    lanes: dict[str, LaneTable]
    boards: dict[str, BoardTable]
    readers: dict[str, ReaderTable] = field(default_factory=dict)
    store: StoreTable = field(default_factory=StoreTable)
    portal: PortalTable | None = None
    list: ListTable | None = None
    folder: Path = Path()

    def tz(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.time_zone)

    def path(self, relative: str) -> Path:
        """A path of the file, relative to the folder the file lies in."""
        return self.folder / relative


def load_config(path: Path) -> Config:
    """Read and check a file. Raises `ConfigError` with every problem, each beginning with its path."""
    data = _read_toml(path)
    problems: list[str] = []
    known = {"site", "store", "portal", "list", "boards", "readers", "lanes"}
    problems += [f"{key}: unknown table; known are {', '.join(sorted(known))}" for key in data if key not in known]
    site = _table(data, "site", SiteTable, problems, required=True)
    store = _table(data, "store", StoreTable, problems) or StoreTable()
    portal = _table(data, "portal", PortalTable, problems)
    list_file = _table(data, "list", ListTable, problems)
    boards = _tables(data, "boards", BoardTable, problems, required=True)
    readers = _tables(data, "readers", ReaderTable, problems)
    lanes = _tables(data, "lanes", LaneTable, problems, required=True)
    problems += _cross_checks(data, site, boards, readers, lanes)
    if problems or site is None:
        raise ConfigError([f"{path}: {problem}" for problem in problems])
    return Config(site, lanes, boards, readers, store, portal, list_file, path.parent)


def wiring(config: Config) -> list[tuple[str, str, str, str]]:
    """Rows of (lane, what, wired to, where) in the order of the file, for the technician's table."""
    rows = []
    for name, lane in config.lanes.items():
        port = config.boards[lane.board].port
        rows.append((name, "direction", lane.direction, f"exit policy {lane.exit_policy}"))
        rows += [
            (name, f"input {role}", f"{lane.board} in {ch}", port) for role, ch in lane.inputs.fitted().items()
        ]
        rows += [
            (name, f"output {role}", f"{lane.board} out {ch}", port) for role, ch in lane.outputs.fitted().items()
        ]
        rows.append((name, "camera", lane.camera or "none", ""))
        rows += [
            (name, f"reader {reader}", table.kind, table.port)
            for reader, table in config.readers.items()
            if table.lane == name
        ]
    return rows


T = TypeVar("T", bound=Struct)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError([f"{path}: larger than {FILE_BYTES_MAX} bytes; is this the settings file?"])
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; `slagboom demo --write-config` shows a complete one"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: a folder; name the settings file in it"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


def _table(
    data: Mapping[str, Any], key: str, kind: type[T], problems: list[str], *, required: bool = False
) -> T | None:
    if key not in data:
        if required:
            problems.append(f"{key}: missing; every site needs a [{key}] table")
        return None
    return _convert(data[key], key, kind, problems)


def _tables(
    data: Mapping[str, Any], key: str, kind: type[T], problems: list[str], *, required: bool = False
) -> dict[str, T]:
    tables = data.get(key, {})
    if not isinstance(tables, dict):
        problems.append(f"{key}: must hold tables, written as [{key}.NAME]")
        return {}
    if required and not tables:
        problems.append(f"{key}: missing; add at least one table [{key}.NAME]")
    found = {name: _convert(table, f"{key}.{name}", kind, problems) for name, table in tables.items()}
    return {name: table for name, table in found.items() if table is not None}


def _convert(table: Any, at: str, kind: type[T], problems: list[str]) -> T | None:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        problems.append(_located(str(error), at, kind))
        return None


def _located(message: str, at: str, kind: type[Struct]) -> str:
    """msgspec's `Expected `int`... - at `$.inputs.far`` as `lanes.entry.inputs.far: expected ...`."""
    text, _, where = message.partition(" - at `$")
    where = where.rstrip("`")
    if text.startswith("Object contains unknown field"):
        key = text.split("`")[1]
        fields = ", ".join(_fields_at(kind, where))
        return f"{at}{where}.{key}: unknown key; known are {fields}"
    if text.startswith("Object missing required field"):
        return f"{at}{where}.{text.split('`')[1]}: missing; this key is required"
    return f"{at}{where}: {text[0].lower()}{text[1:]}"


def _fields_at(kind: type[Struct], where: str) -> tuple[str, ...]:
    for step in where.strip(".").split("."):
        nested = kind.__annotations__.get(step)
        if isinstance(nested, type) and issubclass(nested, Struct):
            kind = nested
    return kind.__struct_fields__


def _cross_checks(
    data: Mapping[str, Any],
    site: SiteTable | None,
    boards: Mapping[str, BoardTable],
    readers: Mapping[str, ReaderTable],
    lanes: Mapping[str, LaneTable],
) -> Iterator[str]:
    if site is not None:
        yield from _time_zone(site)
    yield from _kinds("boards", boards, _BOARD_KINDS)
    yield from _kinds("readers", readers, _READER_KINDS)
    yield from _ports(boards, readers)
    named_boards, named_lanes = data.get("boards", {}), data.get("lanes", {})
    for name, lane in lanes.items():
        if lane.board not in named_boards:
            yield f"lanes.{name}.board: no table [boards.{lane.board}]"
        if lane.camera is None and not any(r.lane == name for r in readers.values()):
            yield f"lanes.{name}.camera: missing, and no reader names this lane; nobody could get in"
    for name, reader in readers.items():
        if reader.lane not in named_lanes:
            yield f"readers.{name}.lane: no table [lanes.{reader.lane}]"
    yield from _channels(lanes, "inputs", lambda lane: lane.inputs.fitted())
    yield from _channels(lanes, "outputs", lambda lane: lane.outputs.fitted())


def _time_zone(site: SiteTable) -> Iterator[str]:
    try:
        ZoneInfo(site.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f'site.time_zone: no time zone {site.time_zone!r}; write it like "Europe/Amsterdam"'


def _kinds(
    key: str, tables: Mapping[str, BoardTable] | Mapping[str, ReaderTable], kinds: tuple[str, ...]
) -> Iterator[str]:
    for name, table in tables.items():
        if table.kind not in kinds or table.kind not in CODECS:
            yield f"{key}.{name}.kind: unknown kind {table.kind!r}; known are {', '.join(kinds)}"


def _ports(boards: Mapping[str, BoardTable], readers: Mapping[str, ReaderTable]) -> Iterator[str]:
    used: dict[str, str] = {}
    everything = [(f"boards.{n}", b.port) for n, b in boards.items()]
    everything += [(f"readers.{n}", r.port) for n, r in readers.items()]
    for at, port in everything:
        if port in used:
            yield f"{at}.port: {port} is already the port of {used[port]}"
        used.setdefault(port, at)


def _channels(
    lanes: Mapping[str, LaneTable], table: str, fitted: Callable[[LaneTable], dict[str, int]]
) -> Iterator[str]:
    used: dict[tuple[str, int], str] = {}
    for name, lane in lanes.items():
        for role, channel in fitted(lane).items():
            at = f"lanes.{name}.{table}.{role}"
            shared = table == "inputs" and role == "fire"
            if (lane.board, channel) in used and not shared:
                yield f"{at}: channel {channel} of {lane.board} is already {used[lane.board, channel]}"
            used.setdefault((lane.board, channel), at)
