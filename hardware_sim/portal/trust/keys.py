"""The reference portal's keys: made on first use, kept as files in a folder that only its owner may read.

`root.key` signs key sets and nothing else: where it matters it is moved to a machine without a network, and comes
back only for `rotate`. `online.key` signs the rest but passes; `pass.key` signs those, so that printed ones outlive
a rotation. `keyset.json` is the newest key set in its envelope.
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
ONLINE_KEY: Final = "online.key"
PASS_KEY: Final = "pass.key"


@dataclass(slots=True)
class PortalKeys:
    """The keys of one portal. Made by `PortalKeys.open`."""

    folder: Path
    audience: str
    root_key: bytes
    version: int
    keyset: bytes
    """The key set in its envelope."""
    passes: Signer | None
    """Signs passes; None until a portal of an older version is rotated once."""
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
            passes = _signer(folder, PASS_KEY) if keys.passes else None
            return cls(folder, audience, root_key, keys.version, keyset, passes, _signer(folder, ONLINE_KEY))
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
        self.version, self.keyset, self.passes, self._signer = new.version, new.keyset, new.passes, new._signer


def _issue(folder: Path, audience: str, version: int, now: datetime) -> None:
    root = _root(folder)
    _new_key(folder / "online.new")
    signer = Signer.of(bytes.fromhex((folder / "online.new").read_text()))
    if not (folder / PASS_KEY).exists():
        _new_key(folder / PASS_KEY)
    passes = _signer(folder, PASS_KEY)
    keys = KeySet(
        aud=audience,
        iat=now,
        exp=now + KEYS_LIVE,
        version=version,
        keys={signer.kid: signer.public},
        passes={passes.kid: passes.public},
    )
    (folder / "keyset.new").write_bytes(root.sign(keys))
    (folder / "online.new").replace(folder / ONLINE_KEY)
    (folder / "keyset.new").replace(folder / "keyset.json")


def _new_key(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))


def _root(folder: Path) -> Signer:
    return Signer.of(bytes.fromhex((folder / "root.key").read_text()), ROOT)


def _signer(folder: Path, name: str) -> Signer:
    return Signer.of(bytes.fromhex((folder / name).read_text()))
