"""`slagboom portal serve`: its options, a taken port, a broker that is away, and an end in good order."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import BadInput
from hardware_sim.broker import free_port
from hardware_sim.portal.commands.running import Place, Serving
from tests.running_site import running, until, until_said

Slagboom = Callable[..., Any]


@pytest.mark.parametrize(
    ("broker", "tls", "enrol_at", "names", "told"),
    [
        ("broker.example.net", False, None, (), "--broker 'broker.example.net': write HOST:PORT"),
        ("b:0", False, None, (), "HOST:PORT"),
        ("b:99999", False, None, (), "HOST:PORT"),
        (":1883", False, None, (), "HOST:PORT"),
        ("embedded:x", False, None, (), "HOST:PORT"),
        ("embedded", True, None, (), "--broker embedded: speaks no TLS"),
        ("b:8883", True, "0.0.0.0:8884", (), "--name: missing"),
        ("b:8883", False, "0.0.0.0:8884", ("p",), "--tls: missing"),
        ("b:8883", True, "8884", ("p",), "--enrol-at '8884'"),
    ],
)
def test_options_that_do_not_go_are_named(
    broker: str, tls: bool, enrol_at: str | None, names: tuple[str, ...], told: str
) -> None:
    with pytest.raises(BadInput, match=r"^--") as found:
        Serving.parse(broker, tls, enrol_at, names)
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("web", "web_url", "told"),
    [
        ("8080", None, "--web '8080'"),
        (None, "https://portal.example.net", "goes with --web"),
        ("127.0.0.1:8080", "portal.example.net", "--web-url"),
        ("127.0.0.1:8080", "https://portal.example.net/deep", "--web-url"),
    ],
)
def test_places_of_the_pages_that_do_not_go(web: str | None, web_url: str | None, told: str) -> None:
    with pytest.raises(BadInput) as found:
        Serving.parse("embedded", False, None, (), web, web_url)
    assert told in str(found.value)


def test_options_that_go() -> None:
    pages = Serving.parse("embedded", False, None, (), "127.0.0.1:8080", "https://portal.example.net/")
    assert (pages.web, pages.web_url) == (Place("127.0.0.1", 8080), "https://portal.example.net")
    assert Serving.parse("embedded", False, None, ()).broker == Place("127.0.0.1", 1883)
    assert Serving.parse("embedded:1900", False, None, ()).broker.port == 1900
    assert Serving.parse("[::1]:8883", True, None, ()).broker == Place("::1", 8883)


def test_a_taken_port_ends_it_with_a_line(slagboom: Slagboom, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    slagboom("portal", "init", folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = slagboom("portal", "serve", folder, "--broker", f"embedded:{taken.getsockname()[1]}")
    assert said.code == 2
    assert "cannot have port" in said.err


def test_it_works_without_its_broker_and_ends_when_told(slagboom: Slagboom, tmp_path: Path) -> None:
    folder, log = tmp_path / "p", tmp_path / "log"
    slagboom("portal", "init", folder)
    with running(log, "portal", "serve", str(folder), "--broker", f"127.0.0.1:{free_port()}") as child:
        until_said(log, "serves by the broker")
        until(lambda: (folder / "portal.db.control").exists(), log)
        assert slagboom("portal", "user", "add", folder, "anna").code == 0
        second = slagboom("portal", "serve", folder)
        assert (second.code, "another slagboom runs on this database" in second.err) == (2, True)
        child.terminate()
        assert child.wait(20) == 0
    assert not (folder / "portal.db.control").exists()
    assert "Traceback" not in log.read_text()
