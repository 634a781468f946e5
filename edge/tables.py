"""A TOML file as typed tables: every mistake named by its path, with what was expected there.

Here: reading the text, and converting it key by key. Not here: what the keys mean and how they belong together
(`config`). msgspec stops at its first error, so each key is converted by itself and all problems are collected.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, inspect

from gate_controller.errors import ConfigError

FILE_LEN_MAX: Final = 1_000_000
"""Bytes; a site's settings are a few kilobytes, so anything larger is another file."""

TABLE_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
_SHOWN_LEN_MAX: Final = 40

Channel = Annotated[int, Meta(ge=1, le=8)]
Text = Annotated[str, Meta(min_length=1, max_length=100)]
Place = Annotated[str, Meta(min_length=1, max_length=500)]
"""A path, a port or an address."""

T = TypeVar("T", bound=Struct)


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises `ConfigError` naming the file, the line where it can, and the fix."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LEN_MAX + 1)
        if len(data) > FILE_LEN_MAX:
            raise ConfigError([f"{path}: larger than {FILE_LEN_MAX} bytes; is this the settings file?"])
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file; check the path"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{path}: a folder; name the settings file in it"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); check its permissions"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{path}: not TOML: {error}"]) from None


def table(
    data: Mapping[str, Any], key: str, kind: type[T], problems: list[str], *, required: bool = False
) -> T | None:
    """The table `[key]`; None where it is left out or wrong, with the problems added."""
    if key in data:
        return _convert(data[key], key, kind, problems)
    if required:
        problems.append(f"{key}: missing; add a table [{key}]")
    return None


def named_tables(
    data: Mapping[str, Any], key: str, kind: type[T], problems: list[str], *, required: bool = False
) -> tuple[dict[str, T], tuple[str, ...]]:
    """The good ones of the tables `[key.NAME]`, and all their names, so that a reference to a bad one is good."""
    tables = data.get(key, {})
    if not isinstance(tables, dict):
        problems.append(f"{key}: {_shown(tables)} given; write tables [{key}.NAME]")
        return {}, ()
    if required and not tables:
        problems.append(f"{key}: missing; add at least one table [{key}.NAME]")
    good: dict[str, T] = {}
    for name, value in tables.items():
        if not re.fullmatch(TABLE_NAME, name):
            problems.append(f"{key}.{name}: not a name; use 1 to 32 letters, digits, - and _")
        found = _convert(value, f"{key}.{name}", kind, problems)
        if found is not None:
            good[name] = found
    return good, tuple(tables)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is none of the known ones: the near one, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def _convert(value: Any, at: str, kind: type[T], problems: list[str]) -> T | None:
    if not isinstance(value, dict):
        problems.append(f"{at}: {_shown(value)} given; write a table [{at}]")
        return None
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    before = len(problems)
    problems += [f"{at}.{key}: unknown key; {did_you_mean(key, fields)}" for key in value if key not in fields]
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            found[name] = _value(value[name], f"{at}.{name}", field.type, problems)
        elif field.required:
            problems.append(f"{at}.{name}: missing; give {_expected(inspect.type_info(field.type))}")
    return kind(**found) if len(problems) == before else None


def _value(value: Any, at: str, kind: Any, problems: list[str]) -> Any:
    for one in get_args(kind) or (kind,):
        if isinstance(one, type) and issubclass(one, Struct):
            return _convert(value, at, one, problems)
    if isinstance(value, str) and not value.isprintable():
        problems.append(f"{at}: holds a control character; write it without")
        return None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        problems.append(f"{at}: {_shown(value)} given; expected {_expected(inspect.type_info(kind))}")
        return None


def _shown(value: Any) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"' if len(value) <= _SHOWN_LEN_MAX else f'"{value[:_SHOWN_LEN_MAX]}…"'
    return str(value)


def _expected(info: inspect.Type) -> str:
    """What a field takes, in words."""
    match info:
        case inspect.Metadata():
            return str((info.extra_json_schema or {}).get("description") or _expected(info.type))
        case inspect.UnionType():
            return " or ".join(_expected(t) for t in info.types if not isinstance(t, inspect.NoneType))
        case inspect.LiteralType():
            return "one of " + ", ".join(f'"{value}"' for value in info.values)
        case inspect.EnumType():
            return "one of " + ", ".join(f'"{member.value}"' for member in info.cls)
        case inspect.IntType():
            return "a whole number" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.BoolType():
            return "true or false"
        case inspect.StructType():
            return "a table"
        case inspect.VarTupleType():
            return f"a list in brackets, each {_expected(info.item_type)}"
        case inspect.StrType(min_length=int(shortest), max_length=int(longest)):
            return f"text in quotes, {shortest} to {longest} characters"
    return "text in quotes"


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    low = f"from {info.ge:g}" if info.ge is not None else f"above {info.gt:g}" if info.gt is not None else ""
    high = f"up to {info.le:g}" if info.le is not None else ""
    return "".join(f" {part}" for part in (low, high) if part)
