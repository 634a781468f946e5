"""LIST.csv: an allowlist as people keep it in a spreadsheet, read all or nothing.

Columns: `external_id,plate` are needed; `country,user_id,name,badge,code,pass,groups,valid_from,valid_to,schedule,
pool_size` may be there. One row a plate; the rows of one external id are one user and must agree. A user with a
badge, guest code or QR pass may have no plate. UTF-8 with or without a
byte order mark; comma, semicolon or tab. Every user gets a permit to park at all devices, with its schedule and
validity. Not here: the list a portal sends (`sync.messages`), and writing such files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeVar

from rapidfuzz.distance import OSA

from gate_controller.allowlist import Allowlist
from gate_controller.changes import Change, PermitPut, UserPut
from gate_controller.credentials import Badge, GuestCode, PlateCredential, QrPass
from gate_controller.errors import BadgeError, CodeError, ListFileError, ListRejected, PlateError, ScheduleError
from gate_controller.layouts import country_sign
from gate_controller.plates import Plate, told_apart, unusual
from gate_controller.schedule import Schedule
from gate_controller.users import Action, Permit, User
from sync.sheet import Unusable, rows_of, text_of

NEEDED: Final = ("external_id", "plate")
OPTIONAL: Final = (
    "country", "user_id", "name", "badge", "code", "pass", "groups",
    "valid_from", "valid_to", "schedule", "pool_size",
)  # fmt: skip
_SHOWN: Final = ("badge", "code", "pass")
_OF_THE_USER: Final = tuple(column for column in OPTIONAL if column != "country")
FILE_LEN_MAX: Final = 256 * 1024 * 1024
"""Bytes; two million rows, far more than a gate's list."""
POOL_SIZE_MAX: Final = 100_000
PROBLEMS_MAX: Final = 100
"""Problems of one kind that are told one by one; the rest are counted."""
_Held = TypeVar("_Held", Badge, GuestCode, QrPass)
_MISSPELT: Final = 2  # edits between an unknown column and a known one below which it is taken for a slip


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong (`error`) or worth a look (`warning`); line 0 is the file itself, column "" a whole row."""

    line: int
    column: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else ""
        place += f", column {self.column}" if self.column and self.line else self.column
        return f"{place}: {self.message}" if place else self.message

    def in_log(self) -> str:
        """The same without what stands in a cell; ids may be told."""
        if self.column in ("", "user_id"):
            return str(self)
        return str(replace(self, message="cannot be used; `slagboom list check` tells why"))


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list that can be used: the changes that build it, the list they build, and what is worth a look.

    `lines` are the first lines of users by their external ids.
    """

    path: Path
    changes: tuple[Change, ...]
    allowlist: Allowlist
    problems: tuple[Problem, ...]
    lines: Mapping[str, int]

    def after(self, known: Allowlist) -> Allowlist:
        """The list that comes into force after `known`. Raises `ListFileError` for a user whose id changes.

        Takes as long as both lists are large.
        """
        try:
            return known.replaced(self.allowlist.epoch, self.changes, self.allowlist.revision)
        except ListRejected as rejected:
            line = self.lines.get(rejected.external_id, 0)
            raise _refused(self.path, [Problem(line, "user_id", str(rejected))]) from rejected


def read_list(path: Path, tz: tzinfo) -> ListFile:
    """The list in a file. Raises `ListFileError` with every problem, each naming line, column and fix.

    `tz` is the site's time zone: dates and times without an offset are meant there.
    """
    data = _bytes(path)
    try:
        scan = _Scan(tz)
        scan.read(text_of(data, NEEDED))
    except Unusable as unusable:
        raise _refused(path, [Problem(unusable.line, "", str(unusable))]) from None
    errors = [problem for problem in scan.problems if problem.severity == "error"]
    if errors:
        raise _refused(path, errors)
    changes = tuple(scan.changes())
    try:
        allowlist = Allowlist.empty(f"file-{blake2b(data, digest_size=8).hexdigest()}").apply(changes, 1)
    except ListRejected as rejected:
        raise _refused(path, [Problem(0, "", str(rejected))]) from rejected
    warnings = [*scan.problems, *_limited(list(scan.collisions(allowlist)), "pairs of plates")]
    lines = {external_id: person.line for external_id, person in scan.people.items()}
    return ListFile(path, changes, allowlist, tuple(warnings), lines)


def _refused(path: Path, problems: Sequence[Problem]) -> ListFileError:
    told = _limited(problems, "problems")
    return ListFileError([f"{path}: {one}" for one in told], [f"{path}: {one.in_log()}" for one in told])


def _limited(problems: Sequence[Problem], what: str) -> list[Problem]:
    told = list(problems[:PROBLEMS_MAX])
    if len(problems) > PROBLEMS_MAX:
        rest = f"and {len(problems) - PROBLEMS_MAX} more {what}; mend these first"
        told.append(Problem(0, "", rest, problems[PROBLEMS_MAX].severity))
    return told


# ---- bytes ----


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise _refused(path, [Problem(0, "", "is a folder; name the CSV file in it")])
        with path.open("rb") as file:
            data = file.read(FILE_LEN_MAX + 1)
    except FileNotFoundError:
        raise _refused(path, [Problem(0, "", "no such file; check the name")]) from None
    except OSError as error:
        raise _refused(path, [Problem(0, "", f"cannot be read: {error.strerror}; check its permissions")]) from None
    if len(data) > FILE_LEN_MAX:
        raise _refused(path, [Problem(0, "", f"larger than {FILE_LEN_MAX} bytes; split the list by site")])
    return data


# ---- rows ----


@dataclass(slots=True)
class _Person:
    """The rows of one external id: the first with its line, and every plate with its line."""

    line: int
    cells: dict[str, str]
    plates: dict[int, Plate] = field(default_factory=dict)
    badge: Badge | None = None
    code: GuestCode | None = None
    qr_pass: QrPass | None = None
    groups: tuple[str, ...] = ()
    pool_size: int = 1
    schedule: Schedule | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class _Scan:
    """One pass over a file; collects problems instead of stopping at the first."""

    def __init__(self, tz: tzinfo) -> None:
        self.tz = tz
        self.problems: list[Problem] = []
        self.people: dict[str, _Person] = {}
        self.plates: dict[str, list[tuple[int, Plate, str]]] = {}
        self.shown: dict[str, tuple[int, str]] = {}
        self.user_ids: dict[str, tuple[int, str]] = {}

    def read(self, text: str) -> None:
        """Every row of the file into `people` or `problems`."""
        rows = rows_of(text, NEEDED)
        columns: list[str] | None = None
        for line, row in rows:
            if not any(row):
                continue
            if columns is None:
                columns = self._header(line, row)
            elif len(row) > len(columns) and any(row[len(columns) :]):
                here = f"{len(row)} cells under {len(columns)} columns"
                self._wrong(line, "", f"{here}; quote the cell that holds a separator")
            else:
                self._row(line, dict(zip(columns, row, strict=False)))
        if not self.people and not self.problems:
            raise Unusable(1, "no rows under the column names; write one row a plate")

    def _wrong(self, line: int, column: str, message: str) -> None:
        self.problems.append(Problem(line, column, message))

    def _warn(self, line: int, column: str, message: str) -> None:
        self.problems.append(Problem(line, column, message, "warning"))

    def _header(self, line: int, row: list[str]) -> list[str]:
        columns = [name.lower() for name in row]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise Unusable(
                line,
                f"column {' and '.join(missing)} missing; the first line must name at least {','.join(NEEDED)}",
            )
        known = (*NEEDED, *OPTIONAL)
        for name in sorted(set(columns), key=columns.index):
            if columns.count(name) > 1 and name:
                self._wrong(line, name, "named twice; keep one of the two columns")
            elif name and name not in known:
                near = [other for other in known if OSA.distance(name, other) <= _MISSPELT]
                if near:
                    self._wrong(line, name, f"unknown column; write {near[0]} if that is meant")
                else:
                    self._warn(line, name, f"unknown column, ignored; known are {','.join(known)}")
        return columns

    def _row(self, line: int, cells: dict[str, str]) -> None:
        external_id, text = cells.get("external_id", ""), cells.get("plate", "")
        if not external_id:
            self._wrong(line, "external_id", "empty; give every row the identifier of its user")
            return
        person = self.people.get(external_id)
        if person is None:
            person = self.people[external_id] = self._person(line, external_id, cells)
        else:
            self._agree(line, external_id, person, cells)
        if not text and any(cells.get(column) for column in _SHOWN):
            return
        if not text:
            self._wrong(line, "plate", "empty; write the plate as it is on the vehicle")
            return
        try:
            plate = Plate.parse(text, self._country(line, cells.get("country", "")))
        except PlateError as error:
            self._wrong(line, "plate", str(error))
            return
        self._plate(line, external_id, person, plate)

    def _country(self, line: int, text: str) -> str | None:
        if not text:
            return None
        sign = country_sign(text)
        if not (sign.isascii() and sign.isalpha() and len(sign) <= 3):
            self._wrong(line, "country", f"{text!r} is no country; write its sign, such as D, NL or F")
        return sign

    def _plate(self, line: int, external_id: str, person: _Person, plate: Plate) -> None:
        for other_line, other, owner in self.plates.get(plate.key, ()):
            if told_apart(plate, other):
                continue
            if owner == external_id:
                self._warn(line, "plate", f"{plate.display()} is on line {other_line} already; ignored")
                return
            if person.pool_size == 1 and self.people[owner].pool_size == 1:
                self._wrong(
                    line,
                    "plate",
                    f"{plate.display()} belongs to {owner!r} (line {other_line}) and to {external_id!r}; "
                    "a plate has one user",
                )
                return
        self.plates.setdefault(plate.key, []).append((line, plate, external_id))
        person.plates[line] = plate
        if unusual(plate):
            where = f"no layout of {plate.country}" if plate.country else "no known layout"
            self._warn(line, "plate", f"{plate.display()} fits {where}; accepted, but check the spelling")

    def _agree(self, line: int, external_id: str, person: _Person, cells: dict[str, str]) -> None:
        for column in _OF_THE_USER:
            here, there = cells.get(column, ""), person.cells.get(column, "")
            if here != there:
                self._wrong(
                    line,
                    column,
                    f"{here!r}, but {external_id!r} has {there!r} on line {person.line}; "
                    "make the rows of one user agree",
                )

    def _person(self, line: int, external_id: str, cells: dict[str, str]) -> _Person:
        person = _Person(line, cells)
        self._user_id(line, external_id, cells.get("user_id", ""))
        person.badge = self._held(line, external_id, cells, "badge", Badge.parse)
        person.code = self._held(line, external_id, cells, "code", GuestCode.parse)
        person.qr_pass = self._held(line, external_id, cells, "pass", QrPass.of)
        names = (name.strip() for name in cells.get("groups", "").split("|"))
        person.groups = tuple(dict.fromkeys(name for name in names if name))
        person.pool_size = self._pool_size(line, cells.get("pool_size", ""))
        try:
            person.schedule = Schedule(cells["schedule"]) if cells.get("schedule") else None
        except ScheduleError as error:
            self._wrong(line, "schedule", str(error))
        person.valid_from = self._moment(line, "valid_from", cells.get("valid_from", ""), time.min, 0)
        person.valid_to = self._moment(line, "valid_to", cells.get("valid_to", ""), time.min, 1)
        if person.valid_from and person.valid_to and person.valid_to <= person.valid_from:
            self._wrong(line, "valid_to", f"{cells['valid_to']} is not after valid_from {cells['valid_from']}")
        return person

    def _user_id(self, line: int, external_id: str, user_id: str) -> None:
        if user_id and user_id in self.user_ids:
            other_line, other = self.user_ids[user_id]
            self._wrong(line, "user_id", f"{user_id!r} is {other!r} on line {other_line}; an id is for one user")
        elif user_id:
            self.user_ids[user_id] = (line, external_id)

    def _held(
        self, line: int, external_id: str, cells: dict[str, str], column: str, parse: Callable[[str], _Held]
    ) -> _Held | None:
        """The badge, code or pass of a user, which nobody else has."""
        if not cells.get(column):
            return None
        try:
            held = parse(cells[column])
        except (BadgeError, CodeError) as error:
            self._wrong(line, column, str(error))
            return None
        if held.text in self.shown:
            other_line, other = self.shown[held.text]
            self._wrong(line, column, f"belongs to {other!r} (line {other_line}) too; a {column} has one user")
        self.shown[held.text] = (line, external_id)
        return held

    def _pool_size(self, line: int, text: str) -> int:
        if not text:
            return 1
        if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= POOL_SIZE_MAX:
            self._wrong(line, "pool_size", f"{text!r}; write how many vehicles may be inside, 1 to {POOL_SIZE_MAX}")
            return 1
        return int(text)

    def _moment(self, line: int, column: str, text: str, at: time, days: int) -> datetime | None:
        """An ISO 8601 moment; a bare date begins at midnight, and as an end it is the last day that counts."""
        if not text:
            return None
        try:
            if len(text) <= 10:
                moment = datetime.combine(date.fromisoformat(text) + timedelta(days), at)
            else:
                moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=self.tz)
        except (ValueError, OverflowError):
            self._wrong(line, column, f"{text!r} is no date; write 2026-12-31 or 2026-12-31T18:00")
            return None

    # ---- what the rows make ----

    def changes(self) -> Iterator[Change]:
        """One user and one permit for each external id, in the order of the file."""
        for external_id, person in self.people.items():
            user_id = person.cells.get("user_id") or derived_id(external_id)
            yield UserPut(
                User(
                    user_id,
                    external_id,
                    groups=person.groups,
                    name=person.cells.get("name") or None,
                    pool_size=person.pool_size,
                    plates=tuple(PlateCredential(plate) for plate in person.plates.values()),
                    badges=(person.badge,) if person.badge else (),
                    passes=(person.qr_pass,) if person.qr_pass else (),
                    codes=(person.code,) if person.code else (),
                )
            )
            yield PermitPut(
                Permit(
                    f"park-{user_id}",
                    Action.PARK,
                    user_id=user_id,
                    schedule=person.schedule,
                    valid_from=person.valid_from,
                    valid_to=person.valid_to,
                )
            )

    def collisions(self, allowlist: Allowlist) -> Iterator[Problem]:
        """Plates of different users that a doubtful read cannot tell apart."""
        lines = {(plate.key, owner): line for rows in self.plates.values() for line, plate, owner in rows}
        for pair in allowlist.colliding_pairs():
            one = (lines[pair.plate.key, pair.user.external_id], pair.plate, pair.user)
            two = (lines[pair.other_plate.key, pair.other_user.external_id], pair.other_plate, pair.other_user)
            first, second = sorted((one, two), key=lambda row: row[0])
            yield Problem(
                second[0],
                "plate",
                f"{second[1].display()} of {second[2].external_id!r} and {first[1].display()} of "
                f"{first[2].external_id!r} (line {first[0]}) could open for each other: only look-alikes differ",
                "warning",
            )


def derived_id(external_id: str) -> str:
    """The user id of a list that names none: the same for the same external id, in every file, on every machine."""
    return "x-" + blake2b(external_id.encode(), digest_size=8).hexdigest()
