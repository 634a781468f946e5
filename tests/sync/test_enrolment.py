"""An edge's side of enrolment, against real portals and against those that only say so."""

import http.server
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.errors import BadInput, EnrolmentRefused, PortalError
from hardware_sim.broker import free_port
from hardware_sim.portal.trust.authority import Authority
from sync import enrolment
from sync.enrolment import Claim, Portal, claim, fetch_authority, plain_fingerprint
from sync.identity import key_pem, new_key, signing_request
from tests.portal_desk import RunningDesk, running_desk

Answer = Callable[[str, bytes], tuple[int, bytes]]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    with running_desk(tmp_path / "portal") as running:
        yield running


@contextmanager
def impostor(
    folder: Path, authority: Authority, answer: Answer, name: str = "127.0.0.1", at: datetime | None = None
) -> Iterator[Portal]:
    """An HTTPS server that answers whatever a test wants, with a certificate of this authority."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, data = answer(self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    key = new_key()
    pem = authority.server(key, [name], at or datetime.now(UTC))
    (folder / "impostor.pem").write_bytes(key_pem(key) + pem.encode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "impostor.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Portal("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def thief(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "thief", "acme north authority", datetime.now(UTC))


ASKED = Claim("SB-1", "7KQ4-9TXM-2HPD-C6WN", signing_request(new_key(), "x"), "ab" * 32)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("https://portal.example.net", "portal.example.net", 443),
        ("https://portal.example.net:8884/", "portal.example.net", 8884),
        ("https://[::1]:8884", "::1", 8884),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert Portal.parse(text) == Portal(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "http://x",
        "https://",
        "https://x:y",
        "https://x:99999",
        "https://x/a",
        "https://u@x",
        "https://[::1",
        "https://a b",
        "https://é",
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="no address of a portal"):
        Portal.parse(text)


def test_a_fingerprint_may_be_written_as_people_do() -> None:
    plain = "0f" * 32
    assert plain_fingerprint(":".join(["0F"] * 32)) == plain_fingerprint(f" {plain[:32]} {plain[32:]}") == plain
    for wrong in ("", plain[1:], plain + "0", "zz" * 32):
        with pytest.raises(BadInput, match="64 of 0-9 and a-f"):
            plain_fingerprint(wrong)


def test_the_portal_is_known_by_its_fingerprint(desk: RunningDesk) -> None:
    portal = Portal.parse(desk.address)
    assert fetch_authority(portal, desk.enrolment.authority.fingerprint) == desk.enrolment.authority.pem
    with pytest.raises(BadInput, match="nothing was sent"):
        fetch_authority(portal, "0f" * 32)


def test_a_fake_portal_is_told_nothing(tmp_path: Path, desk: RunningDesk, thief: Authority) -> None:
    """It shows the true authority, which is public, with its own behind it; and asks for the code."""
    heard: list[tuple[str, bytes]] = []

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        heard.append((path, body))
        return 200, (desk.enrolment.authority.pem + thief.pem).encode()

    with impostor(tmp_path, thief, answer) as fake:
        authority = fetch_authority(fake, desk.enrolment.authority.fingerprint)
        with pytest.raises(PortalError, match="not of the authority that was named"):
            claim(fake, authority, ASKED)
    assert heard == [("/v1/ca", b"")]


def test_a_portal_under_another_name_is_told_nothing(tmp_path: Path, thief: Authority) -> None:
    heard: list[str] = []

    def answer(path: str, body: bytes) -> tuple[int, bytes]:
        heard.append(path)
        return 200, b"{}"

    with (
        impostor(tmp_path, thief, answer, "elsewhere.example.net") as fake,
        pytest.raises(PortalError, match="for another name"),
    ):
        claim(fake, thief.pem, ASKED)
    assert heard == []


@pytest.mark.parametrize("years", [-20, 20])
def test_a_wrong_clock_is_named(tmp_path: Path, years: int) -> None:
    now = datetime.now(UTC)
    at = now.replace(year=now.year + years)
    other_time = Authority.open(tmp_path / "then", "x", at)
    with (
        impostor(tmp_path, other_time, lambda *_: (200, b""), at=at) as there,
        pytest.raises(PortalError, match="is this machine's clock right"),
    ):
        claim(there, other_time.pem, ASKED)


@pytest.mark.parametrize(
    ("status", "data", "said"),
    [
        (200, b"", "cannot be understood"),
        (200, b"\xff\xff", "cannot be understood"),
        (200, b'{"certificate": 1}', "cannot be understood"),
        (200, b"[" * 30000, "cannot be understood"),
        (200, b"x" * 100_000, "more than"),
        (403, b"<html>", "cannot be understood"),
        (500, b"", "status 500"),
        (302, b"", "status 302"),
    ],
)
def test_an_odd_answer_is_an_error_and_no_refusal(
    tmp_path: Path, thief: Authority, status: int, data: bytes, said: str
) -> None:
    with (
        impostor(tmp_path, thief, lambda *_: (status, data)) as odd,
        pytest.raises(PortalError, match=said) as error,
    ):
        claim(odd, thief.pem, ASKED)
    assert not isinstance(error.value, EnrolmentRefused)


def test_a_refusal_is_told_in_the_portals_words(tmp_path: Path, thief: Authority) -> None:
    with (
        impostor(tmp_path, thief, lambda *_: (403, b'{"error": "not today"}')) as strict,
        pytest.raises(EnrolmentRefused, match="not today"),
    ):
        claim(strict, thief.pem, ASKED)


def test_nobody_there_and_nobody_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PortalError, match="check the address and the network"):
        fetch_authority(Portal("127.0.0.1", free_port()), "0f" * 32)
    with pytest.raises(PortalError, match="check the address and the network"):
        fetch_authority(Portal("a..b", 1), "0f" * 32)
    monkeypatch.setattr(enrolment, "ANSWER_WITHIN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PortalError, match="timed out"):
        fetch_authority(Portal("127.0.0.1", silent.getsockname()[1]), "0f" * 32)


def test_a_web_site_is_no_portal(tmp_path: Path, thief: Authority) -> None:
    with (
        impostor(tmp_path, thief, lambda *_: (200, b"<html>")) as site,
        pytest.raises(BadInput, match="is no portal"),
    ):
        fetch_authority(site, thief.fingerprint)
