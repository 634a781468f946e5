"""The site's settings: one TOML file, every mistake named by its path in it.

Here: what may be written, how it must belong together, and the wiring that follows. Not here: opening anything
the file names, and reading the file itself (`tables`).
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct, field

from edge import desk_table, display_table, lane_table
from edge.desk_table import DeskTable
from edge.display_table import DisplayTable
from edge.enrolled import with_enrolment
from edge.lane_table import BoardTable, LaneTable, ReaderTable
from edge.tables import Place, Text, did_you_mean, named_tables, read_toml, table
from gate_controller.errors import BadInput, ConfigError
from gate_controller.facts import LaneId
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
Hours = Annotated[float, Meta(gt=0, le=87_600)]  # ten years: more would not fit a date

IN_THE_CLEAR = "plates and badges can be read on the way to the broker; run `slagboom enrol`, or name certificates"
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
    problems += lane_table.problems(lanes, boards, readers, board_names, [*lane_names, *desk_names])
    readers_at = {reader.lane for reader in readers.values()}
    problems += desk_table.problems(desks, board_names, readers_at, lane_names, lane_table.wires(lanes))
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
        rows += lane_table.wiring(name, lane, config.boards[lane.board].port, config.readers)
        rows += display_table.wiring(name, config.displays)
    for name, desk in config.desks.items():
        rows += desk_table.wiring(name, desk, config.boards[desk.board].port if desk.board else "")
    return rows


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
