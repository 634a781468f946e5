"""Webhooks on the wire: where they may go, what they are signed with, and every way in which a receiver fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from hardware_sim.portal.records.inputs import WrongField
from hardware_sim.portal.webhooks import webhooks
from hardware_sim.portal.webhooks.webhooks import (
    ANSWER_BYTES_MAX,
    SAID_LEN_MAX,
    Answer,
    address,
    host,
    new_secret,
    post,
    signed,
)

ALLOWED = ("hooks.example.com", "127.0.0.1:8099", "[::1]:8099", "hooks.example.com:8443")


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c",
        "https://hooks.example.com:443/",
        "https://HOOKS.example.com:8443",
        "http://127.0.0.1:8099/x",
        "http://[::1]:8099/x",
    ],
)
def test_addresses_that_go(url: str) -> None:
    assert address(f" {url} ", ALLOWED) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "https://other.example.com/",
        "https://hooks.example.com:9/",
        "http://hooks.example.com/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8099@evil.example/",
        "https://hooks.example.com/#part",
        "https://hooks.example.com/a b",
        "https://hooks.example.com:port/",
        "https://[::1/",
        "https://höoks.example.com/",
        "file:///etc/passwd",
        "https://hooks.example.com/\r\nX: y",
        "https://hooks.example.com\\@evil.example/",
        "https://hooks.example.com/" + "x" * 500,
    ],
)
def test_addresses_that_do_not(url: str) -> None:
    with pytest.raises(WrongField):
        address(url, ALLOWED)


def test_hosts() -> None:
    assert [host(one) for one in ("Hooks.example.com", " a:1 ", "[::1]:80", "[::1]")] == [
        "hooks.example.com",
        "a:1",
        "[::1]:80",
        "[::1]",
    ]
    for wrong in ("", "a b", "a:0", "a:65536", "a/b", "-a", "http://a", "a@b", "*", "[::1", "a:"):
        with pytest.raises(WrongField, match="hosts"):
            host(wrong)


def test_the_signature_is_the_one_that_others_make() -> None:
    """An example by which other libraries for this signature are checked."""
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")
    assert new_secret() != new_secret()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def a_server(serve: Serve) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return serve


async def tried(url: str) -> Answer:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await post(client, url, signed(new_secret(), "m", 1, b"{}"), b"{}")


@pytest.mark.parametrize(
    ("answer", "taken", "said"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, "204 No Content"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nth\x00nk", True, "200 OK th nk"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", False, "500 Oops"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
            False,
            "points elsewhere",
        ),
        (b"nonsense\r\n\r\n", False, "not reached"),
        (b"", False, "not reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\nnot gzip!", True, "200 OK"),
    ],
)
async def test_what_receivers_answer(answer: bytes, taken: bool, said: str) -> None:
    async with a_server(saying(answer)) as url:
        got = await tried(url)
    assert (got.taken, said in got.said) == (taken, True), got
    assert got.said.isprintable()


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * ANSWER_BYTES_MAX)
            await writer.drain()

    async with a_server(endless) as url:
        got = await tried(url)
    assert got.taken
    assert len(got.said) <= SAID_LEN_MAX


async def test_one_that_is_silent_or_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMES_OUT_S", 0.2)

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for serve in (drips, silent):
        async with a_server(serve) as url:
            assert await tried(url) == Answer(False, "no answer within 0.2 s")


async def test_nobody_there() -> None:
    async with a_server(saying(b"")) as url:
        pass
    got = await tried(url)
    assert (got.taken, got.said.startswith("not reached")) == (False, True)
