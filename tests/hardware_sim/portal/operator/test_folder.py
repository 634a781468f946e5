"""A portal's folder: made once, found again, and named where it is none."""

import stat
from pathlib import Path

import pytest

from gate_controller.errors import ConfigError, PortalError, StoreError
from hardware_sim.portal.operator.folder import PortalFolder


async def test_what_was_made_is_found_and_opened(tmp_path: Path) -> None:
    path = tmp_path / "north"
    made = PortalFolder.create(path, "acme", "north", "Europe/Berlin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert PortalFolder.load(path) == made
    portal = await made.open()
    try:
        assert portal.keys.audience == "acme/north"
        with pytest.raises(StoreError, match="another slagboom runs"):
            await made.open()
    finally:
        await portal.close()


def test_a_folder_is_not_taken_twice(tmp_path: Path) -> None:
    PortalFolder.create(tmp_path, "acme", "north", "UTC")
    with pytest.raises(PortalError, match="there is a portal already"):
        PortalFolder.create(tmp_path, "acme", "south", "UTC")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("Acme", "north", "UTC"), r"portal.tenant: \"Acme\" given; expected"),
        (("acme", "no/rth", "UTC"), r"portal.site"),
        (("acme", "north", "Mars/Base"), r"no time zone \"Mars/Base\""),
    ],
)
def test_names_that_are_none_leave_no_folder(tmp_path: Path, names: tuple[str, str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        PortalFolder.create(tmp_path / "north", *names)
    assert not (tmp_path / "north").exists()


def test_a_folder_without_a_portal_and_wrong_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(PortalError, match="no portal is here; make one with `slagboom portal init"):
        PortalFolder.load(tmp_path)
    for text in ("", "[portal]\ntenant = 1\n", "nonsense"):
        (tmp_path / "portal.toml").write_text(text)
        with pytest.raises(ConfigError, match=r"portal\.toml"):
            PortalFolder.load(tmp_path)
