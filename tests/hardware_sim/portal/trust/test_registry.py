"""Who may claim an edge: codes that count once, for a while and few tries, in a real database."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from gate_controller.errors import BadInput
from hardware_sim.portal.trust.registry import CODE_LIVES, TRIES_MAX, EnrolledEdge, Registry, new_code

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
CODE, OURS, THEIRS = "7KQ4-9TXM-2HPD-C6WN", b"our key", b"their key"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "portal.db", isolation_level=None)
    for script in sorted(
        f for f in resources.files("hardware_sim.portal.schema").iterdir() if f.name.endswith("sql")
    ):
        opened.executescript(script.read_text())
    yield opened
    opened.close()


@pytest.fixture
def registry(db: sqlite3.Connection) -> Registry:
    found = Registry(db)
    found.register("gate", "SB-1", CODE, NOW)
    return found


@pytest.mark.parametrize("typed", [CODE, CODE.lower(), CODE.replace("-", ""), f" {CODE.replace('-', ' ')}"])
def test_a_code_is_taken_however_it_is_typed(registry: Registry, typed: str) -> None:
    assert registry.claim("SB-1", typed, OURS, NOW) == "gate"


def test_letters_that_look_like_digits_are_those(registry: Registry) -> None:
    registry.register("other", "SB-2", "0110-0000-0000-0000", NOW)
    assert registry.claim("SB-2", "olio-0000-0000-0000", OURS, NOW) == "other"


def test_a_code_counts_once_but_its_key_may_ask_again(registry: Registry) -> None:
    assert registry.claim("SB-1", CODE, OURS, NOW) == "gate"
    assert registry.claim("SB-1", CODE, THEIRS, NOW) is None
    assert registry.claim("SB-1", CODE, OURS, NOW) == "gate"


def test_a_code_is_for_its_serial(registry: Registry) -> None:
    registry.register("other", "SB-2", new_code(), NOW)
    assert registry.claim("SB-2", CODE, OURS, NOW) is None
    assert registry.claim("SB-3", CODE, OURS, NOW) is None
    assert registry.claim("", "", OURS, NOW) is None


def test_a_code_is_good_for_its_time(registry: Registry) -> None:
    just = NOW + CODE_LIVES - timedelta(seconds=1)
    assert registry.claim("SB-1", CODE, OURS, NOW + CODE_LIVES) is None
    assert registry.claim("SB-1", CODE, OURS, just) == "gate"


def test_tries_are_few(registry: Registry) -> None:
    for _ in range(TRIES_MAX):
        assert registry.claim("SB-1", "wrong", OURS, NOW) is None
    assert registry.claim("SB-1", CODE, OURS, NOW) is None
    registry.register("gate", "SB-1", CODE, NOW)
    for _ in range(TRIES_MAX - 1):
        assert registry.claim("SB-1", "wrong", OURS, NOW) is None
    assert registry.claim("SB-1", CODE, OURS, NOW) == "gate"


def test_a_new_code_makes_the_old_one_void(registry: Registry) -> None:
    code = new_code()
    registry.register("gate", "SB-1", code, NOW)
    assert registry.claim("SB-1", CODE, OURS, NOW) is None
    assert registry.claim("SB-1", code, OURS, NOW) == "gate"


def test_a_new_code_may_be_claimed_by_a_new_key(registry: Registry) -> None:
    assert registry.claim("SB-1", CODE, OURS, NOW) == "gate"
    code = new_code()
    registry.register("gate", "SB-1", code, NOW)
    assert registry.claim("SB-1", code, THEIRS, NOW) == "gate"


def test_a_retired_edge_gets_nothing_and_its_name_is_never_given_again(registry: Registry) -> None:
    assert registry.may_renew("gate")
    registry.retire("gate", NOW)
    assert not registry.may_renew("gate")
    assert registry.claim("SB-1", CODE, OURS, NOW) is None
    with pytest.raises(BadInput, match="never given again"):
        registry.register("gate", "SB-1", CODE, NOW)
    registry.register("gate2", "SB-1", CODE, NOW)
    assert registry.claim("SB-1", CODE, OURS, NOW) == "gate2"


def test_who_is_not_registered_is_nobody(registry: Registry) -> None:
    assert not registry.may_renew("other")
    with pytest.raises(BadInput, match="no edge other"):
        registry.retire("other", NOW)
    registry.retire("by-its-key", NOW, known=True)
    assert registry.is_retired("by-its-key")
    assert not registry.is_retired("other")
    with pytest.raises(BadInput, match="that of edge gate"):
        registry.register("other", "SB-1", CODE, NOW)


def test_it_tells_of_every_edge(registry: Registry) -> None:
    until = NOW + timedelta(days=270)
    registry.register("annex", "SB-2", CODE, NOW)
    registry.certified("gate", until)
    assert registry.edges() == [
        EnrolledEdge("annex", "SB-2", None, False),
        EnrolledEdge("gate", "SB-1", until, False),
    ]


def test_no_code_stands_in_the_database(registry: Registry, db: sqlite3.Connection) -> None:
    assert CODE.replace("-", "") not in "".join(db.iterdump()).replace("-", "")


def test_codes_are_long_and_never_the_same() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(len(code.replace("-", "")) == 16 for code in codes)
    assert len(set("".join(codes)) - {"-"}) == 32
