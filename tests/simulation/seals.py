"""Signatures for a hundredth of their price: as strict as Ed25519 for everybody who does not break into this file.

They stand in for the two classes of `cryptography` in `sync.signing`. That the real ones hold is tested where
somebody attacks them; here thousands of honest signatures would take most of the time.
"""

from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature

SECRETS: dict[bytes, bytes] = {}
"""The secret behind each public key, which is what makes this cheap."""


@dataclass(frozen=True)
class PublicSeal:
    """In place of `Ed25519PublicKey`."""

    raw: bytes

    @classmethod
    def from_public_bytes(cls, raw: bytes) -> "PublicSeal":
        """Any 32 bytes, as for the real one."""
        if len(raw) != 32:
            raise ValueError("a public key has 32 bytes")
        return cls(raw)

    def public_bytes_raw(self) -> bytes:
        """The 32 bytes."""
        return self.raw

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raises InvalidSignature."""
        secret = SECRETS.get(self.raw)
        if secret is None or not compare_digest(signature, _seal(secret, data)):
            raise InvalidSignature


@dataclass(frozen=True)
class Seal:
    """In place of `Ed25519PrivateKey`."""

    secret: bytes

    @classmethod
    def from_private_bytes(cls, secret: bytes) -> "Seal":
        """From 32 bytes."""
        SECRETS[blake2b(secret, digest_size=32).digest()] = secret
        return cls(secret)

    def public_key(self) -> PublicSeal:
        """Its other half."""
        return PublicSeal(blake2b(self.secret, digest_size=32).digest())

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return _seal(self.secret, data)


def _seal(secret: bytes, data: bytes) -> bytes:
    return blake2b(data, key=secret, digest_size=64).digest()
