"""Every command's request with every field filled in wrongly: a line says so, and nothing is half done."""

import typing
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT, inspect

from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.house import House
from hardware_sim.portal.operator import counter
from hardware_sim.portal.operator.asked import Asked, BrokerFolder, Import
from hardware_sim.portal.operator.folder import PortalFolder

EVIL = [
    "",
    " ",
    "x" * 40_000,
    "a\0b",
    "a\nb",
    "\u202e",
    "'; DROP TABLE account; --",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "../../x",
    "\U0010ffff",
]
NUMBERS = [-1, 0, 2**31, 2**62]
PLACES = {BrokerFolder, Import}
"""Their texts are places on this machine, which the operator may write to."""


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[tuple[PortalFolder, Portal]]:
    folder = PortalFolder.create(tmp_path / "p", "acme", "north", "UTC")
    portal = await folder.open()
    await House.open(portal)
    await portal.add_user("anna", ["98-THD-4"], ["000414CD7E"], ["staff"])
    yield folder, portal
    await portal.close()


def requests(kind: type) -> Iterator[dict[str, Any]]:
    """A request that goes, then one with each field in turn wrong, and without it."""
    fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    usual = {one.encode_name: _usual(one) for one in fields}
    yield usual
    for one in fields:
        rest = {name: value for name, value in usual.items() if name != one.encode_name}
        yield rest
        for evil in [*EVIL, *NUMBERS, None, True, ["x"], {"x": 1}, [""] * 3, ["x" * 40_000]]:
            yield {**rest, one.encode_name: evil}


def _usual(field: inspect.Field) -> Any:
    if field.default is not NODEFAULT:
        return field.default
    named = {"external_id": "anna", "edge": "gatehouse", "groups": ["staff"], "group": "staff", "name": "olga"}
    kinds = {inspect.IntType: 1, inspect.BoolType: True, inspect.VarTupleType: ["x"]}
    return named.get(
        field.name, next((value for kind, value in kinds.items() if isinstance(field.type, kind)), "x")
    )


@pytest.mark.parametrize("kind", typing.get_args(Asked), ids=lambda kind: kind.__name__)
async def test_no_command_is_a_way_to_break_anything(
    kind: type, opened: tuple[PortalFolder, Portal], tmp_path: Path
) -> None:
    folder, portal = opened
    for request in requests(kind):
        line = msgspec.json.encode({"type": kind.__name__, **request}, enc_hook=str)
        if kind in PLACES and any(value not in ("", " ") for value in request.values() if isinstance(value, str)):
            continue
        rows, revision = await _rows(portal), portal.allowlist.revision
        reply = await counter._over_the_counter(folder, portal, line)
        assert isinstance(reply, counter.Reply)
        assert all(isinstance(problem, str) and problem for problem in reply.problems), line[:200]
        if reply.problems:
            assert (await _rows(portal), portal.allowlist.revision) == (rows, revision), line[:200]
        msgspec.json.encode(reply)


async def _rows(portal: Portal) -> int:
    """How many rows there are in all."""

    def count() -> int:
        db = portal.database.sql
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in tables)

    return await portal.database.run(count)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'{"type":"Nothing"}', b'{"type":7}', b"\xff", b"[" * 5000]
)
async def test_what_is_no_request_is_told(line: bytes, opened: tuple[PortalFolder, Portal]) -> None:
    reply = await counter._over_the_counter(*opened, line)
    assert reply.problems
