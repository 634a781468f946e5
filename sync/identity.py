"""Who an edge is on the wire: its key, its certificate, whom it trusts, and how long that holds.

The key is made here and never leaves its file; what leaves is a signing request. Key and certificate may lie in one
file, so that one rename swaps both. Not here: asking for a certificate (`enrolment`), and when to (`edge.renewal`).
"""

import os
import ssl
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gate_controller.errors import PortalError

RENEW_AFTER: Final = 2 / 3
"""Of a certificate's life; what is left is for a portal that does not answer."""
PEM_LEN_MAX: Final = 64 * 1024
"""Bytes of a file with a key or certificates; larger is another file."""

Key = ec.EllipticCurvePrivateKey


class Standing(StrEnum):
    """What the clock says of a certificate. NOT_YET is a wrong clock: of the device, or once of the portal."""

    NOT_YET = "not_yet"
    GOOD = "good"
    DUE = "due"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate's own words: whose it is, and when it holds."""

    name: str
    begins: datetime
    ends: datetime

    def standing(self, now: datetime) -> Standing:
        """Whether it holds, and whether a new one is due."""
        if now < self.begins:
            return Standing.NOT_YET
        if now >= self.ends:
            return Standing.EXPIRED
        return Standing.DUE if now >= self.begins + RENEW_AFTER * (self.ends - self.begins) else Standing.GOOD


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where an edge's certificates lie. `key` may be the same file as `cert`."""

    ca: Path
    cert: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 that trusts only `ca` and shows our certificate. Raises PortalError naming the file.

        The files are read now: after a renewal the next connection shows the new certificate.
        """
        context = trusting(self.ca)
        self.identity()
        _read(self.key)
        try:
            # A password is given so that none is asked for at the terminal.
            context.load_cert_chain(self.cert, self.key, password="")
        except (ssl.SSLError, OSError) as error:
            wrong = "of another certificate" if "MISMATCH" in str(error) else "not usable"
            raise PortalError(f"{self.key}: its key is {wrong}; enrol again") from error
        return context

    def identity(self) -> Identity:
        """What the certificate says. Raises PortalError."""
        return identity_of(_read(self.cert), str(self.cert))


def trusting(ca: Path | str) -> ssl.SSLContext:
    """A client's TLS 1.3 that trusts only these certificates: a file, or PEM text. Raises PortalError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        if isinstance(ca, Path):
            context.load_verify_locations(cadata=_read(ca).decode("ascii"))
        else:
            context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        place = ca if isinstance(ca, Path) else "the portal's answer"
        raise PortalError(f"{place}: holds no certificate in PEM; enrol again") from error
    return context


def new_key() -> Key:
    """A key on the curve P-256, out of the machine's own randomness."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """The key as text for its file; nothing encrypts it there but the file's mode and the disk."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(path: Path) -> Key:
    """The key in a file. Raises PortalError."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as error:
        raise PortalError(f"{path}: holds no key ({error}); delete it and enrol again") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PortalError(f"{path}: holds a key of another kind than P-256; delete it and enrol again")
    return key


def signing_request(key: Key, name: str) -> str:
    """A request in PEM, signed with the key; who it is for is decided by the portal, `name` is only a wish."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def identity_of(pem: bytes, place: str) -> Identity:
    """What the first certificate in PEM text says. Raises PortalError naming `place`."""
    try:
        cert = x509.load_pem_x509_certificate(pem)
        (name,) = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except ValueError as error:
        raise PortalError(f"{place}: holds no certificate with a name in PEM; enrol again") from error
    return Identity(str(name.value), cert.not_valid_before_utc, cert.not_valid_after_utc)


def refuse_foreign(pem: str, ca_pem: str, key: Key, name: str) -> None:
    """Raises PortalError unless the certificate is for this key and name, and issued by this authority."""
    try:
        cert, ca = x509.load_pem_x509_certificate(pem.encode()), x509.load_pem_x509_certificate(ca_pem.encode())
        cert.verify_directly_issued_by(ca)
    except Exception as error:  # an odd certificate may raise anything that a parser or a curve knows
        raise PortalError(f"the portal's answer: not a certificate of its authority ({error})") from error
    if cert.public_key() != key.public_key():
        raise PortalError("the portal's answer: a certificate for another key; nothing was changed")
    if identity_of(pem.encode(), "the portal's answer").name != name:
        raise PortalError(f"the portal's answer: a certificate for another edge than {name}; nothing was changed")


def first_certificate(pem: str) -> tuple[str, str]:
    """SHA-256 of the first certificate in hex, and that certificate alone. Raises ValueError for other text."""
    cert = x509.load_pem_x509_certificate(pem.encode())
    return cert.fingerprint(hashes.SHA256()).hex(), cert.public_bytes(serialization.Encoding.PEM).decode()


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that it is the old one or the new one whenever the power goes. Raises OSError.

    It belongs to whom the old one belonged; a new one that root writes, to the folder's owner.
    """
    owner = (path if path.exists() else path.parent).stat()
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        if os.geteuid() == 0:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(PEM_LEN_MAX + 1)
    except OSError as error:
        raise PortalError(_unreadable(path, error)) from error
    if len(data) > PEM_LEN_MAX:
        raise PortalError(f"{path}: larger than {PEM_LEN_MAX} bytes; is this the right file?")
    return data


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}: cannot be read ({error.strerror}); let the daemon's account read it, or enrol again"
