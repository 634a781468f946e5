"""Somebody else's system that takes webhooks: a small HTTP server on this machine that checks signatures.

It can be away, as a machine that is switched off is, and come back on the same port.
"""

import asyncio
import base64
import hmac
import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

HEAD_BYTES_MAX = 16 * 1024


@dataclass(frozen=True, slots=True)
class Came:
    """A message: its id, whether it is signed with the secret, and what it says."""

    id: str
    genuine: bool
    body: dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """`answer` is the status line and headers that everybody gets; `secret` is what its owner was shown."""

    secret: str = ""
    answer: str = "200 OK"
    port: int = 0
    came: list[Came] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, on the port from before if there was one."""
        self._server = await asyncio.start_server(self._one, "127.0.0.1", self.port, limit=HEAD_BYTES_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be away: whoever calls is told by the machine that nobody is there."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    def told(self, kind: str) -> list[Came]:
        """Messages of a kind, in the order in which they came."""
        return [one for one in self.came if one.body["type"] == kind]

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = (line.partition(":") for line in head.splitlines()[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            self.came.append(Came(headers["webhook-id"], self._is_genuine(headers, body), json.loads(body)))
            writer.write(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        finally:
            writer.close()

    def _is_genuine(self, headers: dict[str, str], body: bytes) -> bool:
        """Written from the public description of the signature, not from what makes it."""
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        said = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        right = base64.b64encode(hmac.new(key, said, sha256).digest()).decode()
        return f"v1,{right}" in headers["webhook-signature"].split(" ")
