"""How an edge asks its portal for a certificate: HTTPS, because without a certificate no broker lets it in.

The portal is known by the fingerprint of its authority, which came with the code: first the authority's certificate
is fetched and compared, and nothing is told before; then all goes through TLS that trusts it alone. A renewal shows
the certificate that it renews. Blocking calls: the daemon makes them in a thread.
"""

import http.client
import re
import ssl
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from gate_controller.errors import BadInput, EnrolmentRefused, PortalError
from sync.identity import first_certificate, trusting

ANSWER_WITHIN_S: Final = 10.0
"""For each step of a request: connecting, sending, every read."""
MESSAGE_LEN_MAX: Final = 64 * 1024
"""Bytes of a request or an answer."""
PATH_CA, PATH_ENROL, PATH_RENEW = "/v1/ca", "/v1/enrol", "/v1/renew"

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
Line = Annotated[str, msgspec.Meta(max_length=200)]
Pem = Annotated[str, msgspec.Meta(max_length=16 * 1024)]


class Claim(msgspec.Struct, frozen=True):
    """An edge that has no certificate yet says who it is; `code` counts once.

    `device` is the public half, in hex, of the key with which the edge signs what it sends up (`sync.device_key`).
    """

    serial: Line
    code: Line
    csr: Pem
    device: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Renewal(msgspec.Struct, frozen=True):
    """An edge that shows its certificate asks for the next one."""

    csr: Pem


class Issued(msgspec.Struct, frozen=True):
    """A certificate."""

    certificate: Pem


class Enrolled(Issued, frozen=True):
    """A certificate, and all that an edge must know of its portal."""

    tenant: str
    site: str
    edge: str
    host: str
    port: int
    root_key: str


class Refused(msgspec.Struct, frozen=True):
    """Why there is no certificate."""

    error: Line


@dataclass(frozen=True, slots=True)
class Portal:
    """Where a portal answers."""

    host: str
    port: int

    @classmethod
    def parse(cls, address: str) -> "Portal":
        """From `https://HOST` or `https://HOST:PORT`. Raises BadInput."""
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or 443
        except ValueError:
            host, port = None, 0
        if (
            not _HOST.fullmatch(host or "")
            or parts.scheme != "https"
            or parts.path not in ("", "/")
            or parts.query
            or parts.username
        ):
            raise BadInput(f"{address}: no address of a portal; write it like https://portal.example.net:8884")
        return cls(str(host), port)

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}"


def fetch_authority(portal: Portal, wanted: str) -> str:
    """The portal's authority in PEM if it has this fingerprint. Raises BadInput; PortalError without a network.

    Whoever answers is told nothing but that somebody asks.
    """
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.minimum_version = ssl.TLSVersion.TLSv1_3
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    answer = _call(portal, anybody, "GET", PATH_CA, b"").decode("ascii", "replace")
    try:
        # Alone: what somebody may have put behind it must not be trusted with it.
        found, authority = first_certificate(answer)
    except ValueError:
        raise BadInput(f"{portal}: is no portal; check the address, nothing was sent") from None
    if found != plain_fingerprint(wanted):
        raise BadInput(
            f"{portal}: is not the portal that the code came from: its fingerprint is {found}; check the address"
            " and the fingerprint, nothing was sent"
        )
    return authority


def plain_fingerprint(text: str) -> str:
    """A fingerprint as 64 hex digits, however it was written. Raises BadInput."""
    plain = "".join(c for c in text.lower() if c not in " :-")
    if len(plain) != 64 or not all(c in "0123456789abcdef" for c in plain):
        raise BadInput(f"fingerprint: {len(plain)} characters; it has 64 of 0-9 and a-f, and came with the code")
    return plain


def claim(portal: Portal, authority: str, asked: Claim) -> Enrolled:
    """Claim an edge. Raises EnrolmentRefused, and PortalError when nobody knows whether the portal heard it."""
    return _decoded(_call(portal, trusting(authority), "POST", PATH_ENROL, msgspec.json.encode(asked)), Enrolled)


def renew(portal: Portal, context: ssl.SSLContext, asked: Renewal) -> str:
    """The next certificate in PEM; `context` shows the one of now. Raises EnrolmentRefused and PortalError."""
    return _decoded(_call(portal, context, "POST", PATH_RENEW, msgspec.json.encode(asked)), Issued).certificate


def _call(portal: Portal, context: ssl.SSLContext, method: str, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPSConnection(portal.host, portal.port, timeout=ANSWER_WITHIN_S, context=context)
    try:
        _connect(portal, connection)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        data = answer.read(MESSAGE_LEN_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        # In TLS 1.3 a server looks at our certificate when we already take the connection for made.
        what = f"ended the connection ({error or type(error).__name__})"
        raise PortalError(f"{portal}: {what}; it is no portal, or does not accept this certificate") from error
    finally:
        connection.close()
    if len(data) > MESSAGE_LEN_MAX:
        raise PortalError(f"{portal}: answers with more than {MESSAGE_LEN_MAX} bytes; is this a portal?")
    if 400 <= answer.status < 500:
        raise EnrolmentRefused(f"{portal}: {_decoded(data, Refused).error}")
    if answer.status != 200:
        raise PortalError(f"{portal}: answers with status {answer.status}; try again later")
    return data


def _connect(portal: Portal, connection: http.client.HTTPSConnection) -> None:
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise PortalError(f"{portal}: {_doubt(error)}") from error
    except (OSError, UnicodeError) as error:  # the latter for a name with an empty or too long part
        what = str(error) or type(error).__name__
        raise PortalError(f"{portal}: {what}; check the address and the network") from error


def _doubt(error: ssl.SSLCertVerificationError) -> str:
    match error.verify_code:
        case 9 | 10:  # X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED in openssl/x509_vfy.h
            return f"its certificate is outside its time ({error.verify_message}); is this machine's clock right?"
        case 62 | 64:  # X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH
            return f"its certificate is for another name ({error.verify_message}); use the address that was given"
    return f"its certificate is not of the authority that was named ({error.verify_message}); nothing was sent"


T = TypeVar("T")


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise PortalError(f"the portal's answer cannot be understood: {error}") from error
