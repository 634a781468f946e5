"""The pages on a port of this machine, until cancelled. Others come through a proxy that speaks TLS."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import uvicorn

from gate_controller.errors import BadInput
from hardware_sim.portal.house import House
from hardware_sim.portal.web.app import make_app

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
CONNECTIONS_MAX: Final = 200
ENDS_WITHIN_S: Final = 2
IDLE_S: Final = 15


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one. Raises BadInput."""
    if host not in LOOPBACK:
        raise BadInput(
            f"--web {host}:{port}: passwords would travel unencrypted; name 127.0.0.1, and let a proxy speak TLS"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise BadInput(f"--web {host}:{port}: cannot have this port ({error.strerror}); choose another") from None


def url_of(listening: socket.socket) -> str:
    """What browsers on this machine call it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(house: House, tz: ZoneInfo, listening: socket.socket, names: Sequence[str] = ()) -> None:
    """Serve until cancelled; `names` are the hosts that a proxy passes on."""
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        make_app(house, tz, [*LOOPBACK, *names]),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips="127.0.0.1",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
    )
    server = _Server(config)
    try:
        await server.serve(sockets=[listening])
    except asyncio.CancelledError:
        if server.started:
            await server.shutdown(sockets=[listening])
        raise


class _Server(uvicorn.Server):
    """Signals are the portal's own business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
