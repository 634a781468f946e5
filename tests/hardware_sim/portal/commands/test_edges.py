"""`slagboom portal` about edges, while no portal runs: what can be known and done, and what is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hardware_sim.portal.commands.edges import edge_columns

Slagboom = Callable[..., Any]
NOW = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


@pytest.fixture
def portal(tmp_path: Path, slagboom: Slagboom) -> Callable[..., Any]:
    folder = tmp_path / "north"
    assert slagboom("portal", "init", folder, "--tenant", "acme", "--site", "north").code == 0

    def call(words: str, *args: object) -> Any:
        return slagboom("portal", *words.split(), folder, *args)

    return call


def test_an_edge_is_registered_and_retired(portal: Slagboom) -> None:
    said = portal("edge add", "gatehouse", "--serial", "SB-2041")
    told = dict(line.split() for line in said.out.splitlines())
    assert told["serial"] == "SB-2041"
    assert len(told["code"]) == 19
    assert told["fingerprint"] == portal("about", "--json").objects()[0]["fingerprint"]
    (row,) = portal("edges", "--json").objects()
    assert (row["edge"], row["serial"], row["retired"], row["last_seen"]) == ("gatehouse", "SB-2041", False, None)
    assert "never seen" in portal("edges").out
    assert portal("edge retire", "gatehouse").code == 0
    assert "retired" in portal("edges").out
    assert portal("edge add", "gatehouse", "--serial", "SB-1").err.startswith("error: edge gatehouse is retired")


def test_an_edge_that_is_not_enrolled_is_known_by_its_key(portal: Slagboom) -> None:
    key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert portal("edge key", "gatehouse", f"{key}\n").code == 0
    assert portal("edge key", "gatehouse", "xyz").err.startswith("error: key 'xyz': write the 64 characters")
    assert portal("edge key", "Gate House", key).code == 2
    assert portal("edge retire", "gatehouse").code == 0, "it was never enrolled, and is retired all the same"
    assert portal("edge key", "gatehouse", key).err.startswith("error: edge gatehouse is retired")
    assert portal("alarms", "--json").objects() == []
    assert portal("conflicts", "--json").objects() == []
    assert portal("settle", "c1").err.startswith("error: no conflict 'c1'")


def test_the_broker_s_folder_is_written_and_later_only_its_access_list(portal: Slagboom, tmp_path: Path) -> None:
    to = tmp_path / "broker"
    assert portal("broker", to).err.startswith(f"error: {to}: no broker's folder")
    assert portal("broker", to, "--host", "broker.example.net").code == 0
    certificate = (to / "broker.pem").read_bytes()
    assert "gatehouse" not in (to / "acl").read_text()
    portal("edge add", "gatehouse", "--serial", "SB-2041")
    assert "kill -HUP" in portal("broker", to).out
    assert "user acme.north.gatehouse" in (to / "acl").read_text()
    assert (to / "broker.pem").read_bytes() == certificate


def test_keys_are_rotated(portal: Slagboom) -> None:
    assert portal("keys rotate", "--json").objects() == [{"keys": 2}]
    assert portal("about", "--json").objects()[0]["keys"] == 2


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ("open", ("gatehouse", "entry", "--reason", "ambulance")),
        ("clear", ("gatehouse", "anna", "--reason", "left")),
        ("deactivate", ("gatehouse", "entry", "--reason", "rebuilt")),
        ("activate", ("gatehouse", "entry", "--reason", "tried")),
        ("sync", ("gatehouse",)),
        ("watch", ()),
    ],
)
def test_what_only_a_running_portal_can_do_is_refused_and_not_kept(
    portal: Slagboom, words: str, args: tuple[str, ...]
) -> None:
    said = portal(words, *args)
    assert (said.code, said.out) == (2, "")
    assert "the portal does not run; start it with `slagboom portal serve" in said.err


def test_an_order_needs_a_reason(portal: Slagboom) -> None:
    assert portal("open", "gatehouse", "entry", "--reason", " ").err.startswith("error: --reason: write 1 to 200")
    assert portal("open", "gatehouse", "entry").code == 2


ROW: dict[str, Any] = {
    "edge": "gatehouse", "online": True, "last_seen": NOW.isoformat(), "revision": 7, "newest": 7, "stale": False,
    "list_at": NOW.isoformat(), "trouble": "", "waiting": 0, "certificate_until": None, "software": "1.2",
    "retired": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({}, ("online", "", "7, newest")),
        ({"online": False}, ("offline", "3 min", "7, newest")),
        ({"online": None, "newest": 9, "stale": True}, ("?", "3 min", "7, 2 behind, stale")),
        ({"trouble": "immutable_id: x"}, ("online", "", "7, newest: immutable_id: x")),
        ({"revision": None}, ("online", "", "none of ours")),
        ({"revision": None, "trouble": "immutable_id: x"}, ("online", "", "none of ours: immutable_id: x")),
    ],
)
def test_how_an_edge_stands_is_told_in_words(changed: dict[str, Any], shown: tuple[str, ...]) -> None:
    columns = dict(edge_columns(UTC, NOW + timedelta(minutes=3)))
    assert tuple(columns[head]({**ROW, **changed}) for head in ("Link", "Seen", "List")) == shown
