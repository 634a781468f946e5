"""Secrets that somebody must read again: encrypted at rest, with a key in a file that only its owner may read.

Whoever gets hold of the database alone learns nothing. Passwords and one-time codes are never kept in this way.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from gate_controller.errors import PortalError

KEY_FILE: Final = "sealing.key"
_NONCE_LEN: Final = 12
"""Bytes: RFC 8439, 2.8. They are random: a portal seals far fewer than 2^32 texts with one key."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Seals texts and files and opens them again; made by `Seal.open`."""

    _key: bytes

    @classmethod
    def open(cls, folder: Path) -> "Seal":
        """Read the key, or make it on first use. Raises PortalError for a folder that cannot be used."""
        path = folder / KEY_FILE
        try:
            if not path.exists():
                _make(path)
            key = bytes.fromhex(path.read_text())
            if len(key) != 32:
                raise ValueError("it has not 32 bytes")
            return cls(key)
        except (OSError, ValueError) as error:
            raise PortalError(f"{path}: codes cannot be unsealed: {error}; take it from a backup") from error

    def shut(self, text: str, about: str) -> bytes:
        """The text, sealed; it opens only as what is `about` the same thing."""
        return self.shut_file(text.encode(), about)

    def shut_file(self, data: bytes, about: str) -> bytes:
        """The same of a file."""
        nonce = os.urandom(_NONCE_LEN)
        return nonce + ChaCha20Poly1305(self._key).encrypt(nonce, data, about.encode())

    def read(self, sealed: bytes, about: str) -> str:
        """The text again. Raises PortalError for what was sealed with another key or about something else."""
        return self.read_file(sealed, about).decode()

    def read_file(self, sealed: bytes, about: str) -> bytes:
        """The same of a file."""
        try:
            box = ChaCha20Poly1305(self._key)
            return box.decrypt(sealed[:_NONCE_LEN], sealed[_NONCE_LEN:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise PortalError(f"{about}: was sealed with another key than {KEY_FILE}; make it anew") from error


def _make(path: Path) -> None:
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
