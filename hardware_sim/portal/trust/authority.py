"""The portal's small certificate authority: one key, and certificates for edges, for the portal and for its broker.

The key lies in a folder that only its owner may read, as the keys that sign the list do. Names decide rights: an
edge's certificate carries its client id, and a certificate for a client cannot pass for a server's. Who may have
one is `registry`'s business. There is no revocation list: a name without rights at the broker is enough, and a list
that nobody renews in time would lock everybody out.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gate_controller.errors import BadInput, PortalError
from sync.identity import Key, first_certificate, key_pem, load_key, new_key, write_whole

AUTHORITY_LIVES: Final = timedelta(days=3650)
CLIENT_LIVES: Final = timedelta(days=270)
"""Three times the 90 days that an edge may be alone; a third of it is left when it is renewed."""
SERVER_LIVES: Final = timedelta(days=397)
BACKDATED: Final = timedelta(hours=1)
"""So that a device whose clock is a little behind can use it at once."""
NAME_LEN_MAX: Final = 64
"""Of a common name: ub-common-name of RFC 5280."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority of one portal, and the certificate that everybody trusts. Made by `Authority.open`."""

    pem: str
    fingerprint: str
    _certificate: x509.Certificate
    _key: Key

    @classmethod
    def open(cls, folder: Path, name: str, now: datetime) -> "Authority":
        """Read key and certificate, or make them. Raises PortalError for a folder that cannot be used."""
        key_file, cert_file = folder / "authority.key", folder / "authority.pem"
        try:
            if not cert_file.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                key = new_key()
                write_whole(key_file, key_pem(key))
                write_whole(cert_file, _pem(_self_signed(key, name, now)).encode(), 0o644)
            fingerprint, pem = first_certificate(cert_file.read_text())
        except (OSError, ValueError) as error:
            raise PortalError(f"{folder}: the portal's authority cannot be used: {error}") from error
        key, certificate = load_key(key_file), x509.load_pem_x509_certificate(pem.encode())
        if certificate.public_key() != key.public_key():
            raise PortalError(f"{key_file}: is not the key of {cert_file}; bring back the one that is")
        return cls(pem, fingerprint, certificate, key)

    def client(self, name: str, csr: str, now: datetime) -> tuple[str, datetime]:
        """A certificate for the key of a request, under this name, and its end; what the request wishes is ignored.

        Raises BadInput for what is no request, or one whose key is not P-256 or did not sign it.
        """
        builder = self._begun(name, _key_of(csr), now, CLIENT_LIVES)
        builder = builder.add_extension(_usage(ExtendedKeyUsageOID.CLIENT_AUTH), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        return _pem(certificate), certificate.not_valid_after_utc

    def server(self, key: Key, names: Sequence[str], now: datetime) -> str:
        """A certificate in PEM for a server that answers under these names and addresses. Raises BadInput."""
        builder = self._begun(names[0], key.public_key(), now, SERVER_LIVES)
        builder = builder.add_extension(_usage(ExtendedKeyUsageOID.SERVER_AUTH), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([*map(_general, names)]), critical=False)
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def _begun(
        self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, lives: timedelta
    ) -> x509.CertificateBuilder:
        """What clients and servers have in common; it ends with the authority at the latest. Raises PortalError."""
        ends = self._certificate.not_valid_after_utc
        if now >= ends:
            raise PortalError(
                f"the portal's authority ended on {ends:%Y-%m-%d}; begin a new one and enrol every edge"
            )
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name[:NAME_LEN_MAX]))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATED)
            .not_valid_after(min(now + lives, ends))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )


def _self_signed(key: Key, name: str, now: datetime) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + AUTHORITY_LIVES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def key_name(csr: str) -> bytes:
    """What the key of a request is known by, in every request of that key. Raises BadInput."""
    whole = _key_of(csr).public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(whole).digest()


def _key_of(csr: str) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadInput("the request's key is not P-256")
        if not request.is_signature_valid:
            raise BadInput("the request is not signed with its own key")
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise BadInput(f"not a signing request: {error}") from error
    return key


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
            raise BadInput(f"{name!r}: neither a host name nor an address") from None
        return x509.DNSName(name)


def _usage(purpose: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([purpose])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
