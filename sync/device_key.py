"""The key with which an edge signs what it sends up: made on the device on first use, and never leaving it.

It is Ed25519 like the portal's, and another one than the certificate's (P-256, for TLS): a broker checks that one
and sees no further, this one goes with each message to the portal, which knows the public half, `device.pub`.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from gate_controller.errors import StoreError
from sync.signing import Signer

SECRET: Final = "device.key"
PUBLIC: Final = "device.pub"


def device_key(folder: Path) -> Signer:
    """The key that lies in this folder, made if there is none. Raises StoreError naming the file and the fix."""
    secret = folder / SECRET
    try:
        if not secret.exists():
            _write(secret, secrets.token_hex(32), 0o600)
        signer = Signer.of(bytes.fromhex(secret.read_text(encoding="ascii")))
        if secret.stat().st_mode & 0o077:
            secret.chmod(0o600)
        public, said = folder / PUBLIC, f"{signer.public.hex()}\n"
        if not public.exists() or public.read_text(encoding="ascii", errors="replace") != said:
            _write(public, said, 0o644)
    except OSError as error:
        raise StoreError(
            f"{secret}: this edge's key cannot be kept here ({error.strerror}); mend the folder"
        ) from error
    except ValueError as error:
        raise StoreError(
            f"{secret}: this is no key; move it away, and register the new one at the portal ({error})"
        ) from error
    return signer


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all: half a key would be none for ever, and is nothing to register."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
