"""The edge's own key: made once, private, and damaged only loudly."""

import stat
from pathlib import Path

import pytest

from gate_controller.errors import StoreError
from sync.device_key import device_key


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = device_key(tmp_path)
    assert device_key(tmp_path).public == first.public
    assert stat.S_IMODE((tmp_path / "device.key").stat().st_mode) == 0o600
    assert (tmp_path / "device.pub").read_text().strip() == first.public.hex()
    assert first.public.hex() not in (tmp_path / "device.key").read_text()


def test_every_device_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert device_key(tmp_path / "a").public != device_key(tmp_path / "b").public


def test_a_key_that_others_could_read_is_shut_again(tmp_path: Path) -> None:
    device_key(tmp_path)
    (tmp_path / "device.key").chmod(0o644)
    device_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "device.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "nonsense", "ab" * 31])
def test_what_is_no_key_is_named_and_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "device.key").write_text(content)
    with pytest.raises(StoreError, match=r"device\.key: this is no key"):
        device_key(tmp_path)
    assert (tmp_path / "device.key").read_text() == content


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be kept here"):
        device_key(tmp_path / "nowhere")
