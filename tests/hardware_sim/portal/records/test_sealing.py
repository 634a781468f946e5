"""Secrets at rest: only the key opens them, and only as what they are."""

from pathlib import Path

import pytest

from gate_controller.errors import PortalError
from hardware_sim.portal.records.sealing import KEY_FILE, Seal


def test_what_is_sealed_opens_with_the_same_key_after_a_restart(tmp_path: Path) -> None:
    sealed = Seal.open(tmp_path).shut("ABCD-2345", "code 1")
    assert b"ABCD" not in sealed
    assert Seal.open(tmp_path).read(sealed, "code 1") == "ABCD-2345"
    assert Seal.open(tmp_path).shut("ABCD-2345", "code 1") != sealed, "a nonce counts once"
    picture = bytes(range(256))
    assert Seal.open(tmp_path).read_file(Seal.open(tmp_path).shut_file(picture, "file 1"), "file 1") == picture
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_it_opens_neither_as_something_else_nor_with_another_key_nor_bent(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path)
    sealed = seal.shut("ABCD-2345", "code 1")
    for bent, about in ((sealed, "code 2"), (sealed[:-1] + bytes([sealed[-1] ^ 1]), "code 1"), (b"", "code 1")):
        with pytest.raises(PortalError, match="another key"):
            seal.read(bent, about)
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(PortalError, match="another key"):
        Seal.open(tmp_path).read(sealed, "code 1")


@pytest.mark.parametrize("text", ["", "zz", "abcd"])
def test_a_key_that_is_none_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(PortalError, match=KEY_FILE):
        Seal.open(tmp_path)
