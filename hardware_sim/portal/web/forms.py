"""Forms: fields told once, drawn by one template and read by one function that names what is wrong in which field.

A form is read strictly: missing, doubled, unknown, oversized and mistyped fields are problems, and nothing is done
while there is one. Not here: what a field means, which services check and say by raising `WrongField`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from hardware_sim.portal.records.inputs import NAME_LEN_MAX

CSRF_FIELD: Final = "_csrf"
VERSION_FIELD: Final = "_version"
TEXT_LEN_MAX: Final = 2000
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
FORM_BYTES_MAX: Final = 64 * 1024
UPLOAD_BYTES_MAX: Final = FILE_BYTES_MAX + FORM_BYTES_MAX
"""For handlers that take files: `request_max_body_size=UPLOAD_BYTES_MAX`."""
_DIGITS_MAX: Final = 12


class Kind(StrEnum):
    """What a field holds; the value is how a browser is told."""

    TEXT = "text"
    EMAIL = "email"
    PHONE = "tel"
    PASSWORD = "password"
    LONG = "long"
    NUMBER = "number"
    DAY = "date"
    MOMENT = "datetime-local"
    CHOICE = "choice"
    CHOICES = "choices"
    TICK = "tick"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody handed in; the name is the sender's word."""

    name: str
    data: bytes


Raw = Sequence[tuple[str, str | Upload]]
"""A form as it came: names and values in their order, doubled ones too."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `choices` are (value, what people read). `least` and `most` bound a number."""

    name: str
    label: str
    kind: Kind = Kind.TEXT
    mandatory: bool = False
    hint: str = ""
    len_max: int = NAME_LEN_MAX
    choices: Sequence[tuple[str, str]] = ()
    least: int = 0
    most: int = 1_000_000
    autocomplete: str = "off"
    value: str = ""

    @property
    def several(self) -> bool:
        """Whether it may come more than once."""
        return self.kind is Kind.CHOICES


@dataclass(slots=True)
class Filled:
    """A form with what was typed. `problems` are by field; `general` is about the whole."""

    form: "Form"
    typed: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    general: str = ""

    @property
    def ok(self) -> bool:
        """Whether it can be used."""
        return not self.problems and not self.general

    def text(self, name: str) -> str:
        """What was typed, without edges; empty if nothing was."""
        return (self.typed.get(name) or [""])[0].strip()

    def secret(self, name: str) -> str:
        """What was typed exactly, for passwords."""
        return (self.typed.get(name) or [""])[0]

    def maybe(self, name: str) -> str | None:
        """What was typed, or None."""
        return self.text(name) or None

    def number(self, name: str) -> int | None:
        """A whole number, or None."""
        return int(self.text(name)) if self.text(name) else None

    def day(self, name: str) -> date | None:
        """A day, or None."""
        return date.fromisoformat(self.text(name)) if self.text(name) else None

    def moment(self, name: str) -> datetime | None:
        """A wall-clock time without zone, as it is meant at the site, or None."""
        return datetime.fromisoformat(self.text(name)) if self.text(name) else None

    def several(self, name: str) -> tuple[str, ...]:
        """Everything that was chosen."""
        return tuple(self.typed.get(name, ()))

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.typed.get(name))

    def file(self, name: str) -> Upload | None:
        """A file, or None."""
        return self.files.get(name)

    @property
    def version(self) -> int:
        """The version that the form was drawn with; -1 for what is none."""
        said = self.text(VERSION_FIELD)
        return int(said) if said.isascii() and said.isdecimal() and len(said) <= _DIGITS_MAX else -1

    @property
    def mark(self) -> str:
        """The same for what has no numbered versions: whatever the form was drawn with."""
        return self.text(VERSION_FIELD)


@dataclass(frozen=True, slots=True)
class Form:
    """Fields and the words on the button. With `versioned`, the form carries what it was drawn from."""

    fields: Sequence[Field]
    button: str
    versioned: bool = False

    @property
    def has_file(self) -> bool:
        """Whether a browser must send it in parts."""
        return any(one.kind is Kind.FILE for one in self.fields)

    def choosing(self, **choices: Sequence[tuple[str, str]]) -> "Form":
        """The same form with these choices in these fields."""
        fields = [replace(one, choices=choices.get(one.name, one.choices)) for one in self.fields]
        return replace(self, fields=fields)

    def with_values(self, version: object = "", **values: object) -> Filled:
        """The form as it is first drawn, with what is known already."""
        typed = {name: _as_typed(value) for name, value in values.items()}
        for one in self.fields:
            typed.setdefault(one.name, [one.value] if one.value else [])
        return Filled(self, {**typed, VERSION_FIELD: [str(version)]})

    def read(self, raw: Raw) -> Filled:
        """What came, with a problem for each field that cannot be used."""
        filled = Filled(self)
        known = {one.name: one for one in self.fields}
        for name, value in raw:
            if name == CSRF_FIELD:
                continue
            if name not in known and not (name == VERSION_FIELD and self.versioned):
                filled.general = "There is a field that this form does not have. Load the page again."
            elif isinstance(value, Upload):
                _take_file(filled, known.get(name), name, value)
            else:
                _take_text(filled, known.get(name), name, value)
        for one in self.fields:
            if one.name not in filled.problems and (problem := _problem(one, filled)):
                filled.problems[one.name] = problem
        return filled


def _take_file(filled: Filled, of: Field | None, name: str, value: Upload) -> None:
    if of is None or of.kind is not Kind.FILE:
        filled.problems[name] = "is no file field"
    elif name in filled.files:
        filled.problems[name] = "came twice; fill it in once"
    elif len(value.data) > FILE_BYTES_MAX:
        filled.problems[name] = f"is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB"
    elif value.data:
        filled.files[name] = value


def _take_text(filled: Filled, of: Field | None, name: str, value: str) -> None:
    if of is not None and of.kind is Kind.FILE:
        if value:
            filled.problems[name] = "takes a file"
        return
    if name in filled.typed and not (of is not None and of.several):
        filled.problems[name] = "came twice; fill it in once"
        return
    filled.typed.setdefault(name, []).append(value)


def _problem(of: Field, filled: Filled) -> str:
    if of.kind is Kind.FILE:
        return "is missing" if of.mandatory and of.name not in filled.files else ""
    typed = [text for text in filled.typed.get(of.name, []) if text.strip()]
    if not typed:
        filled.typed[of.name] = []
        return ("must be ticked" if of.kind is Kind.TICK else "is missing") if of.mandatory else ""
    most = max(TEXT_LEN_MAX, of.len_max) if of.kind is Kind.LONG else of.len_max
    if len(typed) > len(of.choices) and of.several:
        return "has more than there is to choose"
    if any(len(text) > most for text in typed):
        filled.typed[of.name] = [text[:most] for text in typed]
        return f"has {max(map(len, typed))} characters; {most} are the most"
    if any(_unreadable(text, of.kind) for text in typed):
        return "has a character that cannot be seen; type it anew"
    return _mistyped(of, typed)


def _mistyped(of: Field, typed: list[str]) -> str:
    text = typed[0].strip()
    match of.kind:
        case Kind.NUMBER:
            if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= _DIGITS_MAX):
                return "is no whole number"
            return "" if of.least <= int(text) <= of.most else f"must be from {of.least} to {of.most}"
        case Kind.DAY:
            return "" if _is_time(date, text, 10) else "is no day; write it like 2026-03-31"
        case Kind.MOMENT:
            return "" if _is_time(datetime, text, 19) else "is no time; write it like 2026-03-31T18:00"
        case Kind.CHOICE | Kind.CHOICES:
            known = {value for value, _ in of.choices}
            return "" if known.issuperset(typed) else "is none of the choices"
        case _:
            return ""


def _is_time(kind: type[date], text: str, len_max: int) -> bool:
    try:
        found = kind.fromisoformat(text)
    except ValueError:
        return False
    return len(text) <= len_max and getattr(found, "tzinfo", None) is None


def _unreadable(text: str, kind: Kind) -> bool:
    if kind is Kind.PASSWORD:
        return False
    spared = "\r\n\t" if kind is Kind.LONG else ""
    return any((ord(letter) < 32 or ord(letter) == 127) and letter not in spared for letter in text)


def _as_typed(value: object) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return ["yes"]
    if isinstance(value, (list, tuple, frozenset, set)):
        return [str(one) for one in value]
    return [str(value)]


def told(error: Mapping[str, str] | str, filled: Filled) -> None:
    """Put a service's problem where it belongs: a field of this form, or the whole."""
    if isinstance(error, str):
        filled.general = error
        return
    for name, problem in error.items():
        if any(one.name == name for one in filled.form.fields):
            filled.problems[name] = problem
        else:
            filled.general = f"{name}: {problem}"
