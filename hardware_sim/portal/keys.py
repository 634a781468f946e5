"""The reference portal's keys: made on first use, kept as files in a folder that only its owner may read.

`root.key` signs key sets and nothing else: where it matters it is moved to a machine without a network, and comes
back only for `rotate`. `online.key` signs the rest; `keyset.json` is the newest key set in its envelope.
"""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from gate_controller.errors import PortalError
from sync.signing import ROOT, Envelope, KeySet, Signer, Spoken

KEYS_LIVE: Final = timedelta(days=3650)


@dataclass(slots=True)
class PortalKeys:
    """The keys of one portal. Made by `PortalKeys.open`."""

    folder: Path
    audience: str
    root_key: bytes
    version: int
    keyset: bytes
    """The key set in its envelope."""
    _signer: Signer

    @classmethod
    def open(cls, folder: Path, audience: str, now: datetime) -> "PortalKeys":
        """Read the keys, or make them. Raises PortalError for a folder that cannot be used."""
        try:
            if not (folder / "keyset.json").is_file():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _new_key(folder / "root.key")
                (folder / "root.pub").write_text(_root(folder).public.hex())
                _issue(folder, audience, 1, now)
            keyset = (folder / "keyset.json").read_bytes()
            body = msgspec.json.decode(keyset, type=Envelope).body
            keys = msgspec.json.decode(body, type=KeySet)
            root_key = bytes.fromhex((folder / "root.pub").read_text())
            return cls(folder, audience, root_key, keys.version, keyset, _online(folder))
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise PortalError(f"{folder}: the portal's keys cannot be used: {error}") from error

    def sign(self, message: Spoken) -> bytes:
        """The message in an envelope of the online key."""
        return self._signer.sign(message)

    def rotate(self, now: datetime) -> None:
        """A new online key in place of the old one, which counts no more. Needs the root key."""
        try:
            _issue(self.folder, self.audience, self.version + 1, now)
        except OSError as error:
            raise PortalError(f"{self.folder}: the root key is needed to rotate: {error}") from error
        new = PortalKeys.open(self.folder, self.audience, now)
        self.version, self.keyset, self._signer = new.version, new.keyset, new._signer


def _issue(folder: Path, audience: str, version: int, now: datetime) -> None:
    root = _root(folder)
    _new_key(folder / "online.new")
    signer = Signer.of(bytes.fromhex((folder / "online.new").read_text()))
    keys = KeySet(aud=audience, iat=now, exp=now + KEYS_LIVE, version=version, keys={signer.kid: signer.public})
    (folder / "keyset.new").write_bytes(root.sign(keys))
    (folder / "online.new").replace(folder / "online.key")
    (folder / "keyset.new").replace(folder / "keyset.json")


def _new_key(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))


def _root(folder: Path) -> Signer:
    return Signer.of(bytes.fromhex((folder / "root.key").read_text()), ROOT)


def _online(folder: Path) -> Signer:
    return Signer.of(bytes.fromhex((folder / "online.key").read_text()))
