"""Webhooks on the wire: which addresses are let out, how a message is signed, and one try to deliver it.

A message goes by TLS, or to this machine itself, to a host that the operator allows, as it was typed: nothing
follows a redirect elsewhere. It is signed as https://www.standardwebhooks.com describes, so that a receiver can use
what there is for that. Not here: what is told to whom and when it is tried again (`subscriptions`).
"""

import asyncio
import base64
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx

from hardware_sim.portal.records.inputs import WrongField, line

URL_LEN_MAX: Final = 500
TIMES_OUT_S: Final = 5.0
"""For everything from the name's address to the end of the answer."""
ANSWER_BYTES_MAX: Final = 4096
SAID_LEN_MAX: Final = 200
SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_PORTS: Final = {"https": 443, "http": 80}
_HOST: Final = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,39}\])(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try; `said` is for people."""

    taken: bool
    said: str


def host(text: str, field: str = "hosts") -> str:
    """A host that the operator allows, with its port unless that is the usual one. Raises WrongField."""
    clean = line(text, field).lower()
    found = _HOST.fullmatch(clean)
    if found is None or not 0 < int(found["port"] or 443) < 65536:
        raise WrongField(field, f"{text[:40]!r} is no host; write it like hooks.example.com or 127.0.0.1:8099")
    return clean


def address(text: str, allowed: Collection[str], field: str = "target") -> str:
    """A web address that messages may go to. Raises WrongField."""
    clean = line(text, field, URL_LEN_MAX)
    try:
        parts = urlsplit(clean)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise WrongField(field, "is no web address; write it like https://hooks.example.com/gates") from None
    if not clean.isascii() or parts.scheme not in _PORTS or not name or parts.fragment or " " in clean:
        raise WrongField(field, "is no web address; write it like https://hooks.example.com/gates")
    if "@" in parts.netloc:
        raise WrongField(field, "has a name or password in it; the signature is the proof, leave that out")
    if parts.scheme != "https" and name not in LOOPBACK:
        raise WrongField(field, "would be read by others on its way; begin it with https://")
    if _called(parts, name, port) not in allowed:
        raise WrongField(field, "is at a host that the operator of this portal does not allow; ask for it")
    return clean


def _called(parts: SplitResult, name: str, port: int | None) -> str:
    shown = f"[{name}]" if ":" in name else name
    return shown if port in (None, _PORTS[parts.scheme]) else f"{shown}:{port}"


def new_secret() -> str:
    """What both sides know, told to the receiver's owner once."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(secret: str, message: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message: its id, when it is sent, and that whoever knows the secret said so."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    seal = hmac.new(key, b".".join((message.encode(), str(at_s).encode(), body)), sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "slagboom",
        "webhook-id": message,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(seal).decode()}",
    }


async def post(client: httpx.AsyncClient, url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Try once. Never raises for what the other side does, or does not."""
    try:
        async with (
            asyncio.timeout(TIMES_OUT_S),
            client.stream("POST", url, content=body, headers=headers, follow_redirects=False) as answer,
        ):
            told = await _beginning(answer)
    except TimeoutError:
        return Answer(False, f"no answer within {TIMES_OUT_S:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Answer(False, f"not reached: {type(error).__name__} {error}"[:SAID_LEN_MAX])
    words = f"{answer.status_code} {answer.reason_phrase} {told}".strip()
    if answer.is_redirect:
        words = f"{answer.status_code}: it points elsewhere, and that is not followed"
    return Answer(answer.is_success, _readable(words)[:SAID_LEN_MAX])


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of an answer; what comes after them is not waited for."""
    found = b""
    async for chunk in answer.aiter_raw(ANSWER_BYTES_MAX):
        found += chunk
        if len(found) >= ANSWER_BYTES_MAX:
            break
    return found[:ANSWER_BYTES_MAX].decode(errors="replace")


def _readable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
