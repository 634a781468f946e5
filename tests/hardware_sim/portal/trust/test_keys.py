"""The portal's keys: made once, private, and replaced by a set of a higher version."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_controller.errors import MessageRefused, PortalError
from hardware_sim.portal.trust.keys import PortalKeys
from sync.signing import KeyRing, KeySet, Signed, verify

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)


def ring(keys: PortalKeys, root_key: bytes) -> KeyRing:
    _, found = verify(keys.keyset, KeySet, "t/s", KeyRing.of_root(root_key), 4096)
    assert found.version == keys.version
    return KeyRing.of_set(found)


def test_keys_stay_the_same_and_are_nobody_else_s(tmp_path: Path) -> None:
    first = PortalKeys.open(tmp_path / "keys", "t/s", T0)
    again = PortalKeys.open(tmp_path / "keys", "t/s", T0)
    assert (again.root_key, again.keyset) == (first.root_key, first.keyset)
    for name in ("root.key", "online.key", "pass.key"):
        assert stat.S_IMODE((tmp_path / "keys" / name).stat().st_mode) == 0o600


def test_a_rotation_shuts_the_old_key_out(tmp_path: Path) -> None:
    keys = PortalKeys.open(tmp_path, "t/s", T0)
    old, old_ring = keys.sign(Note(aud="t/s", iat=T0, exp=T0)), ring(keys, keys.root_key)
    keys.rotate(T0)
    new, new_ring = keys.sign(Note(aud="t/s", iat=T0, exp=T0)), ring(keys, keys.root_key)
    assert keys.version == 2
    verify(old, Note, "t/s", old_ring, 4096)
    verify(new, Note, "t/s", new_ring, 4096)
    with pytest.raises(MessageRefused, match="unknown_key"):
        verify(old, Note, "t/s", new_ring, 4096)


def test_a_printed_pass_outlives_a_rotation(tmp_path: Path) -> None:
    keys = PortalKeys.open(tmp_path, "t/s", T0)
    assert keys.passes is not None
    before = keys.passes.kid
    keys.rotate(T0)
    assert [*ring(keys, keys.root_key).passes] == [before]


def test_without_the_root_key_everything_but_a_rotation_goes_on(tmp_path: Path) -> None:
    PortalKeys.open(tmp_path, "t/s", T0)
    (tmp_path / "root.key").unlink()
    keys = PortalKeys.open(tmp_path, "t/s", T0)
    verify(keys.sign(Note(aud="t/s", iat=T0, exp=T0)), Note, "t/s", ring(keys, keys.root_key), 4096)
    with pytest.raises(PortalError, match="root key is needed"):
        keys.rotate(T0)


def test_damaged_keys_are_named(tmp_path: Path) -> None:
    PortalKeys.open(tmp_path, "t/s", T0)
    (tmp_path / "online.key").write_text("nonsense")
    with pytest.raises(PortalError, match="cannot be used"):
        PortalKeys.open(tmp_path, "t/s", T0)


class Note(Signed, frozen=True, kw_only=True):
    kind: str = "note"
