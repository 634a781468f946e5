"""The portal's desk for certificates: edges are registered here, claimed over HTTPS, renewed and retired.

A claim is refused with the same words and after the same time, whatever is wrong with it. A renewal must show the
certificate that it renews. Only three paths are answered, one request a connection, all of it bounded.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from gate_controller.errors import BadInput, EnrolmentRefused, SlagboomError
from gate_controller.moment import Moment
from hardware_sim.portal.journals.ledgers import Ledgers
from hardware_sim.portal.trust.authority import NAME_LEN_MAX, SERVER_LIVES, Authority, key_name
from hardware_sim.portal.trust.mosquitto import access_list, write_broker_folder
from hardware_sim.portal.trust.registry import EnrolledEdge, Registry, new_code
from sync.database import Database
from sync.enrolment import (
    MESSAGE_LEN_MAX,
    PATH_CA,
    PATH_ENROL,
    PATH_RENEW,
    Claim,
    Enrolled,
    Issued,
    Refused,
    Renewal,
)
from sync.identity import TlsFiles, key_pem, new_key, signing_request, write_whole
from sync.messages import Address

REFUSED: Final = "refused; serial, code or its time is not right: check them, or ask for a new code"
REFUSE_AFTER_S: Final = 0.5
"""A refused claim is answered so long after it began, whatever was wrong: longer than any way of finding out."""
REQUEST_WITHIN_S: Final = 10.0
CONNECTIONS_MAX: Final = 64
HEAD_LEN_MAX: Final = 8 * 1024
RENEW_SERVER_EVERY_S: Final = 86_400.0
NOT_AN_EDGE: Final = ("portal", "list", "keys")
"""Names that mean something else in the tree of topics or at the broker."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a technician needs beside the portal's address. The code is told once and kept nowhere."""

    edge: str
    serial: str
    code: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the desk answers, and the broker that it sends edges to. `names` are those in its certificate."""

    host: str
    port: int
    names: Sequence[str]
    broker_host: str
    broker_port: int


class Enrolment:
    """The registered edges of one portal and their certificates. Everything may raise StoreError."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        tenant: str,
        site: str,
        root_key: bytes,
        clock: Callable[[], Moment],
    ) -> None:
        """`folder` keeps the authority's key and the desk's own; raises PortalError if it cannot."""
        self.authority = Authority.open(folder, f"{tenant} {site} authority"[:NAME_LEN_MAX], clock().wall)
        self._database, self._registry, self._ledgers = database, Registry(database.sql), Ledgers(database.sql)
        self._folder, self._tenant, self._site, self._root_key = folder, tenant, site, root_key
        self._clock = clock

    # ---- for the operator ----

    async def register(self, edge: str, serial: str) -> Invitation:
        """A new edge, or a new code for a known one, as after its certificate has expired. Raises BadInput."""
        address = Address(self._tenant, self._site, edge)
        if edge in NOT_AN_EDGE or len(address.client_id) > NAME_LEN_MAX or "." in edge:
            raise BadInput(
                f"edge {edge}: not a name for an edge; without dots, none of {', '.join(NOT_AN_EDGE)}, and"
                f" {address.client_id} at most {NAME_LEN_MAX} characters"
            )
        if not (
            serial.isascii() and serial.isprintable() and 0 < len(serial.strip()) == len(serial) <= NAME_LEN_MAX
        ):
            raise BadInput(f"serial: write it as it is on the device, 1 to {NAME_LEN_MAX} plain characters")
        code = new_code()
        await self._database.write(self._registry.register, edge, serial, code, self._clock().wall)
        return Invitation(edge, serial, code, self.authority.fingerprint)

    async def retire(self, edge: str) -> None:
        """Believe nothing of this edge any more; with a new access list its certificate is good for nothing.

        Raises BadInput for one that nobody knows.
        """
        now = self._clock().wall

        def retire() -> None:
            self._registry.retire(edge, now, known=self._ledgers.retire(edge, now))

        await self._database.write(retire)

    async def is_retired(self, edge: str) -> bool:
        """Whether the name is one that is not given again."""
        return await self._database.run(self._registry.is_retired, edge)

    async def edges(self) -> list[EnrolledEdge]:
        """Every edge that was ever registered, the retired ones too."""
        return await self._database.run(self._registry.edges)

    async def access_list(self) -> str:
        """The broker's file of rights: every registered edge that is not retired. Write it after each change."""
        edges = [found.edge for found in await self.edges() if not found.retired]
        return access_list(self._tenant, self._site, edges)

    async def write_broker_folder(self, folder: Path, host: str, port: int, address: str = "0.0.0.0") -> Path:
        """All that Mosquitto needs; returns its settings file. `host` is what edges call it.

        Raises OSError, and BadInput for a host that is none.
        """
        access, now = await self.access_list(), self._clock().wall
        return write_broker_folder(folder, self.authority, host, port, address, access, now)

    def portal_files(self) -> TlsFiles:
        """The portal's own certificate for the broker, made anew; as files. Raises OSError."""
        files = TlsFiles(*(self._folder / name for name in ("authority.pem", "portal.pem", "portal.pem")))
        key, name = new_key(), f"{self._tenant}.{self._site}.portal"
        pem, _ = self.authority.client(name, signing_request(key, name), self._clock().wall)
        write_whole(files.cert, key_pem(key) + pem.encode())
        return files

    # ---- for the edges ----

    async def claim(self, asked: Claim, desk: Desk) -> Enrolled:
        """A first certificate. Raises EnrolmentRefused, always in the same words, and BadInput for no request."""
        now = self._clock().wall
        # Before the code is looked at: a request that is none must not use it up.
        key = key_name(asked.csr)
        edge = await self._database.write(self._registry.claim, asked.serial, asked.code, key, now)
        if edge is None:
            log.warning("a claim was refused, for serial %r", asked.serial[:NAME_LEN_MAX])
            raise EnrolmentRefused(REFUSED)
        await self._database.write(self._ledgers.put_key, edge, bytes.fromhex(asked.device))
        return Enrolled(
            certificate=await self._certify(edge, asked.csr, now),
            tenant=self._tenant,
            site=self._site,
            edge=edge,
            host=desk.broker_host,
            port=desk.broker_port,
            root_key=self._root_key.hex(),
        )

    async def renew(self, name: str | None, asked: Renewal) -> Issued:
        """The next certificate for whoever showed one of this name. Raises EnrolmentRefused and BadInput."""
        now = self._clock().wall
        tenant, _, rest = (name or "").partition(".")
        site, _, edge = rest.partition(".")
        ours = (tenant, site) == (self._tenant, self._site)
        if not ours or not await self._database.run(self._registry.may_renew, edge):
            raise EnrolmentRefused("refused; show the certificate of an edge that is registered here")
        return Issued(await self._certify(edge, asked.csr, now))

    async def _certify(self, edge: str, csr: str, now: datetime) -> str:
        pem, until = self.authority.client(Address(self._tenant, self._site, edge).client_id, csr, now)
        await self._database.write(self._registry.certified, edge, until)
        log.info("edge %s has a certificate until %s", edge, f"{until:%Y-%m-%d}")
        return pem

    # ---- HTTPS ----

    async def serve(self, desk: Desk) -> None:
        """Answer at the desk, for ever. Raises OSError when the port is taken."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.pem)
        self._certify_server(context, desk)
        open_now: set[object] = set()

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(open_now) < CONNECTIONS_MAX:
                open_now.add(writer)
                try:
                    await self._answer_one(reader, writer, desk)
                finally:
                    open_now.discard(writer)
            writer.close()

        server = await asyncio.start_server(
            one, desk.host, desk.port, ssl=context, limit=HEAD_LEN_MAX, ssl_handshake_timeout=REQUEST_WITHIN_S
        )
        async with server, asyncio.TaskGroup() as group:
            group.create_task(self._renew_server(context, desk))
            await server.serve_forever()

    async def _renew_server(self, context: ssl.SSLContext, desk: Desk) -> None:
        since = self._clock().wall
        while True:
            await asyncio.sleep(RENEW_SERVER_EVERY_S)
            if self._clock().wall - since > SERVER_LIVES / 2:
                since = self._clock().wall
                self._certify_server(context, desk)

    def _certify_server(self, context: ssl.SSLContext, desk: Desk) -> None:
        file, key = self._folder / "desk.pem", new_key()
        pem = self.authority.server(key, desk.names, self._clock().wall)
        write_whole(file, key_pem(key) + pem.encode())
        context.load_cert_chain(file)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, desk: Desk) -> None:
        try:
            async with asyncio.timeout(REQUEST_WITHIN_S):
                status, body = await self._answer(reader, _shown_name(writer), desk)
                head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever does not speak HTTP, or does not come to an end, is owed no answer

    async def _answer(self, reader: asyncio.StreamReader, name: str | None, desk: Desk) -> tuple[str, bytes]:
        begun_s = self._clock().mono_s
        try:
            method, path, body = await _request(reader)
            match method, path:
                case "GET", _ if path == PATH_CA:
                    return "200 OK", self.authority.pem.encode()
                case "POST", _ if path == PATH_ENROL:
                    return "200 OK", msgspec.json.encode(await self.claim(_decoded(body, Claim), desk))
                case "POST", _ if path == PATH_RENEW:
                    return "200 OK", msgspec.json.encode(await self.renew(name, _decoded(body, Renewal)))
            return "404 Not Found", _refusal("there is nothing here")
        except EnrolmentRefused as error:
            await asyncio.sleep(begun_s + REFUSE_AFTER_S - self._clock().mono_s)
            return "403 Forbidden", _refusal(str(error))
        except BadInput as error:
            return "400 Bad Request", _refusal(str(error))
        except SlagboomError as error:
            log.error("no certificate could be given: %s", error)
            return "503 Service Unavailable", _refusal("not now; try again later")


def _shown_name(writer: asyncio.StreamWriter) -> str | None:
    """The common name of the certificate that was shown, and verified by TLS."""
    shown = writer.get_extra_info("peercert") or {}
    names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 else None


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Method, path and body of one HTTP request. Raises BadInput."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    method, path, *_ = [*head[0].split(" "), "", ""]
    length = fields.get("content-length", "0")
    if "transfer-encoding" in fields or not length.isdecimal() or int(length) > MESSAGE_LEN_MAX:
        raise BadInput(f"a request of at most {MESSAGE_LEN_MAX} bytes, with its length")
    return method, path, await reader.readexactly(int(length))


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadInput(f"not understood: {error}"[:200]) from error


def _refusal(why: str) -> bytes:
    return msgspec.json.encode(Refused(why[:200]))
