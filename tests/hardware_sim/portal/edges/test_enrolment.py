"""The desk for certificates over real TLS: who gets one, who does not, and what a stranger can do to it."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gate_controller.errors import BadInput, EnrolmentRefused, PortalError
from hardware_sim.portal.edges.enrolment import CONNECTIONS_MAX, REFUSE_AFTER_S, REFUSED
from hardware_sim.portal.trust.registry import CODE_LIVES
from sync import enrolment
from sync.enrolment import Claim, Portal, Renewal
from sync.identity import TlsFiles, first_certificate, identity_of, new_key, signing_request, trusting
from tests.portal_desk import ROOT_KEY, RunningDesk, running_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    with running_desk(tmp_path / "portal") as running:
        yield running


def portal(desk: RunningDesk) -> Portal:
    return Portal.parse(desk.address)


def claim(desk: RunningDesk, serial: str, code: str, csr: str | None = None) -> enrolment.Enrolled:
    asked = Claim(serial, code, csr or signing_request(new_key(), "x"), "ab" * 32)
    return enrolment.claim(portal(desk), desk.enrolment.authority.pem, asked)


def raw(desk: RunningDesk, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """What the desk answers to bytes that no client of ours would send."""
    context = context or trusting(desk.enrolment.authority.pem)
    with (
        socket.create_connection(("127.0.0.1", desk.desk.port), 5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(data)
        answer = b""
        while part := tls.recv(65536):
            answer += part
    return answer


def test_a_claim_brings_all_that_an_edge_must_know(desk: RunningDesk) -> None:
    invited = desk.invite("gatehouse", "SB-2041")
    assert invited.fingerprint == first_certificate(desk.enrolment.authority.pem)[0]
    got = claim(desk, "SB-2041", invited.code)
    assert (got.tenant, got.site, got.edge) == ("acme", "north", "gatehouse")
    assert (got.host, got.port, got.root_key) == ("127.0.0.1", 8883, ROOT_KEY.hex())
    identity = identity_of(got.certificate.encode(), "it")
    assert identity.name == "acme.north.gatehouse"
    (seen,) = desk.call(desk.enrolment.edges())
    assert seen.certificate_until == identity.ends


def test_every_refused_claim_is_told_the_same_after_the_same_time(desk: RunningDesk) -> None:
    invited, late = desk.invite("gatehouse", "SB-1"), desk.invite("annex", "SB-2")
    used, dropped = desk.invite("mill", "SB-3"), desk.invite("old", "SB-4")
    claim(desk, "SB-3", used.code)
    desk.call(desk.enrolment.retire("old"))

    def refused(serial: str, code: str) -> tuple[str, float]:
        begun_s = time.monotonic()
        with pytest.raises(EnrolmentRefused) as said:
            claim(desk, serial, code)
        return str(said.value), time.monotonic() - begun_s

    tries = {
        "no such serial": refused("SB-9", invited.code),
        "wrong code": refused("SB-1", "0000-0000-0000-0000"),
        "no code": refused("SB-1", ""),
        "used": refused("SB-3", used.code),
        "retired": refused("SB-4", dropped.code),
    }
    desk.clock.ahead = CODE_LIVES
    tries["too late"] = refused("SB-2", late.code)
    assert {words for words, _ in tries.values()} == {f"{desk.address}: {REFUSED}"}
    assert min(took_s for _, took_s in tries.values()) >= REFUSE_AFTER_S


def test_a_bad_request_does_not_use_up_the_code(desk: RunningDesk) -> None:
    invited = desk.invite()
    with pytest.raises(EnrolmentRefused, match="not a signing request"):
        claim(desk, invited.serial, invited.code, "nonsense")
    assert claim(desk, invited.serial, invited.code).edge == "gatehouse"


def test_an_answer_that_was_lost_is_given_again_to_the_same_key(desk: RunningDesk) -> None:
    invited, key = desk.invite(), new_key()
    claim(desk, invited.serial, invited.code, signing_request(key, "x"))
    again = claim(desk, invited.serial, invited.code, signing_request(key, "x"))
    assert identity_of(again.certificate.encode(), "it").name == "acme.north.gatehouse"


@pytest.mark.parametrize(
    ("edge", "serial"),
    [
        ("portal", "1"),
        ("list", "1"),
        ("keys", "1"),
        ("a.b", "1"),
        ("x" * 64, "1"),
        ("a/b", "1"),
        ("", "1"),
        ("a", ""),
    ],
)
def test_names_that_would_mean_something_else_are_refused(desk: RunningDesk, edge: str, serial: str) -> None:
    with pytest.raises(BadInput):
        desk.invite(edge, serial)


def renewed(desk: RunningDesk, files: TlsFiles) -> str:
    return enrolment.renew(portal(desk), files.context(), Renewal(signing_request(new_key(), "x")))


def test_a_certificate_is_renewed_by_showing_it(desk: RunningDesk, tmp_path: Path) -> None:
    desk.invite("gatehouse")
    pem = renewed(desk, desk.files(tmp_path, "gatehouse"))
    assert identity_of(pem.encode(), "it").name == "acme.north.gatehouse"
    (seen,) = desk.call(desk.enrolment.edges())
    assert seen.certificate_until == identity_of(pem.encode(), "it").ends


def test_nobody_else_renews(desk: RunningDesk, tmp_path: Path) -> None:
    desk.invite("gatehouse")
    stranger, files = desk.files(tmp_path, "stranger"), desk.files(tmp_path, "gatehouse")
    with pytest.raises(EnrolmentRefused, match="registered here"):
        renewed(desk, stranger)
    with pytest.raises(EnrolmentRefused, match="registered here"):
        enrolment.renew(
            portal(desk), trusting(files.ca), Renewal(signing_request(new_key(), "acme.north.gatehouse"))
        )
    for name in (
        "acme.south.gatehouse",
        "other.north.gatehouse",
        "gatehouse",
        "acme.north",
        "acme.north.gatehouse.x",
    ):
        with pytest.raises(EnrolmentRefused, match="registered here"):
            renewed(desk, desk.files_of(tmp_path, "elsewhere", name))
    desk.call(desk.enrolment.retire("gatehouse"))
    with pytest.raises(EnrolmentRefused, match="registered here"):
        renewed(desk, files)


def test_an_expired_certificate_and_one_of_another_authority_renew_nothing(
    desk: RunningDesk, tmp_path: Path
) -> None:
    desk.invite("gatehouse")
    with pytest.raises(PortalError, match="does not accept this certificate"):
        renewed(desk, desk.files(tmp_path, "gatehouse", -timedelta(days=271)))
    with running_desk(tmp_path / "other") as other:
        foreign = other.files(tmp_path, "gatehouse")
    (tmp_path / "ca.pem").write_text(desk.enrolment.authority.pem)
    with pytest.raises(PortalError, match="does not accept this certificate"):
        renewed(desk, foreign)


def test_the_portals_own_certificate_is_for_the_portals_name(desk: RunningDesk) -> None:
    files = desk.enrolment.portal_files()
    files.context()
    assert files.identity().name == "acme.north.portal"
    assert files.key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(EnrolmentRefused, match="registered here"):
        renewed(desk, files)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /v1/enrol HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /v1/ca HTTP/1.1\r\n\r\n", b"404"),
        (b"\r\n\r\n", b"404"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST /v1/enrol HTTP/1.1\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000, b"400"),
        (b"GET /v1/ca HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n", b""),
    ],
)
def test_what_no_edge_would_send_is_answered_in_short(desk: RunningDesk, data: bytes, status: bytes) -> None:
    try:
        answer = raw(desk, data)
    except OSError:
        answer = b""
    assert answer[9:12] == status
    assert raw(desk, b"GET /v1/ca HTTP/1.1\r\n\r\n").endswith(desk.enrolment.authority.pem.encode())


def test_old_tls_is_not_spoken(desk: RunningDesk) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        raw(desk, b"GET /v1/ca HTTP/1.1\r\n\r\n", old)


async def test_a_crowd_is_turned_away_and_the_desk_is_there_again(desk: RunningDesk) -> None:
    context = trusting(desk.enrolment.authority.pem)

    async def come() -> tuple[Any, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", desk.desk.port, ssl=context)

    crowd = [await come() for _ in range(CONNECTIONS_MAX)]
    reader, writer = await come()
    assert await reader.read() == b""
    for _, other in (*crowd, (reader, writer)):
        other.transport.abort()
    for _ in range(100):
        reader, writer = await come()
        writer.write(b"GET /v1/ca HTTP/1.1\r\n\r\n")
        if await reader.read():
            break
    else:
        pytest.fail("the desk stayed closed")
    writer.transport.abort()


def test_a_sick_database_is_no_refusal(desk: RunningDesk) -> None:
    invited = desk.invite()
    database = desk.enrolment._database

    async def sick() -> None:
        await database.run(lambda: database.sql.execute("PRAGMA query_only = ON"))

    desk.call(sick())
    with pytest.raises(PortalError, match="status 503") as said:
        claim(desk, invited.serial, invited.code)
    assert not isinstance(said.value, EnrolmentRefused)


def test_what_stands_in_an_answer_is_json(desk: RunningDesk) -> None:
    answer = raw(desk, b"GET / HTTP/1.1\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"error": "there is nothing here"}
