"""`slagboom portal serve`: the portal in the foreground, its log on stderr, ended by SIGTERM or Ctrl-C.

Here: where it speaks and with what. Not here: what it does there (`service`, `counter`, `enrolment`).
"""

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from edge import present
from edge.commands.run import LOG_FORMAT
from gate_controller.errors import BadInput
from hardware_sim.broker import Broker
from hardware_sim.portal.edges.enrolment import Desk
from hardware_sim.portal.edges.service import Portal
from hardware_sim.portal.fleet import licences
from hardware_sim.portal.following.following import followers
from hardware_sim.portal.house import House
from hardware_sim.portal.operator import counter
from hardware_sim.portal.operator.folder import PortalFolder

EMBEDDED: Final = "embedded"
EMBEDDED_PORT: Final = 1883


@dataclass(frozen=True, slots=True)
class Place:
    """A host and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, option: str) -> "Place":
        """HOST:PORT, an IPv6 host in brackets. Raises `BadInput`."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) <= 65535:
            raise BadInput(f"{option} {text!r}: write HOST:PORT, such as broker.example.net:8883")
        return cls(host.removeprefix("[").removesuffix("]"), int(port))


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a portal speaks; `enrol_at` is where edges get certificates, under `names`, if anywhere."""

    broker: Place
    embedded: bool
    tls: bool
    enrol_at: Place | None
    names: Sequence[str]
    web: Place | None = None
    web_url: str | None = None

    @classmethod
    def parse(
        cls,
        broker: str,
        tls: bool,
        enrol_at: str | None,
        names: Sequence[str],
        web: str | None = None,
        web_url: str | None = None,
    ) -> "Serving":
        """The options as typed. Raises `BadInput`."""
        word, _, port = broker.partition(":")
        embedded = word == EMBEDDED
        place = Place.parse(f"127.0.0.1:{port or EMBEDDED_PORT}" if embedded else broker, "--broker")
        if embedded and (tls or enrol_at is not None):
            raise BadInput("--broker embedded: speaks no TLS and takes no certificates; name a broker that does")
        if enrol_at is not None and not names:
            raise BadInput("--name: missing; name at least one host name or address that edges call this portal")
        if enrol_at is not None and not tls:
            raise BadInput(
                "--tls: missing; edges that are enrolled speak TLS with the broker, and so must the portal"
            )
        if web_url is not None and (web is None or not _is_url(web_url)):
            raise BadInput(f"--web-url {web_url!r}: goes with --web, and looks like https://portal.example.net")
        desk, pages = (
            Place.parse(enrol_at, "--enrol-at") if enrol_at else None,
            Place.parse(web, "--web") if web else None,
        )
        return cls(place, embedded, tls, desk, names, pages, web_url.rstrip("/") if web_url else None)


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/") and not parts.query
    )


def serve(folder: PortalFolder, serving: Serving) -> int:
    """Run until told to stop. Raises `SlagboomError` for what a person must mend first."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_told(folder, serving))
    return 0


async def _until_told(folder: PortalFolder, serving: Serving) -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        portal = await folder.open()
        stack.push_async_callback(portal.close)
        if serving.embedded:
            broker = Broker(serving.broker.port)
            await asyncio.to_thread(broker.start)
            stack.callback(broker.stop)
        at = f"{serving.broker.host}:{serving.broker.port}"
        present.say(f"portal {folder.tenant}/{folder.site} serves by the broker at {at}")
        pages = _pages_socket(serving, stack)
        await _serve(folder, portal, serving, pages)


def _pages_socket(serving: Serving, stack: AsyncExitStack) -> socket.socket | None:
    """Taken early, so that a port that cannot be had is told before anything runs."""
    from hardware_sim.portal.web import serving as pages

    if serving.web is None:
        return None
    listening = stack.enter_context(pages.bound(serving.web.host, serving.web.port))
    present.say(f"pages at {serving.web_url or pages.url_of(listening)}")
    return listening


async def _serve_pages(folder: PortalFolder, house: House, listening: socket.socket) -> None:
    from hardware_sim.portal.web import serving as pages

    await pages.serve(house, folder.tz, listening, [str(urlsplit(house.url).hostname)])


def _url(serving: Serving, listening: socket.socket | None) -> str:
    """What browsers call the pages, "" where none are served."""
    from hardware_sim.portal.web import serving as pages

    return "" if listening is None else serving.web_url or pages.url_of(listening)


async def _serve(folder: PortalFolder, portal: Portal, serving: Serving, listening: socket.socket | None) -> None:
    broker = serving.broker
    tls = portal.enrolment.portal_files() if serving.tls else None
    house = await House.open(portal, folder.tz.key, _url(serving, listening))
    async with asyncio.TaskGroup() as group:
        group.create_task(counter.serve(folder, portal))
        group.create_task(portal.serve(broker.host, broker.port, tls=tls))
        for follower in followers(house):
            group.create_task(follower)
        group.create_task(licences.sweep(house))
        if listening is not None:
            group.create_task(_serve_pages(folder, house, listening))
        if serving.enrol_at is not None:
            at = serving.enrol_at
            desk = Desk(at.host, at.port, serving.names, broker.host, broker.port)
            group.create_task(portal.enrolment.serve(desk))
