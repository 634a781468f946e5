from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.commands.check_config import check
from gate_controller.errors import ConfigError

Slagboom = Callable[..., Any]

SITE = """
[site]
name = "Depot [north]"
time_zone = "Europe/Amsterdam"

[list]
file = "users.csv"

[boards.main]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"

[lanes.entry]
direction = "in"
board = "main"
camera = "entry.mp4"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "users.csv").write_text("external_id,plate\n1,B-NO 1234\n")
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def test_the_wiring_is_a_table(slagboom: Slagboom, site: Path) -> None:
    said = slagboom("check-config", site)
    assert (said.code, said.err) == (0, "")
    assert "Depot [north]" in said.out
    rows = [line for line in said.out.splitlines() if "entry" in line]
    assert len(rows) == 5
    assert any(all(cell in row for cell in ("input approach", "main in 1", "/dev/ttyUSB0")) for row in rows)


def test_the_wiring_as_json(slagboom: Slagboom, site: Path) -> None:
    rows = slagboom("check-config", site, "--json").objects()
    assert rows[1] == {"lane": "entry", "what": "input approach", "wired_to": "main in 1", "where": "/dev/ttyUSB0"}
    assert len(rows) == 5


def test_every_mistake_is_a_line_with_its_path(slagboom: Slagboom, site: Path) -> None:
    site.write_text(SITE.replace("time_zone", "timezone").replace("safety = 2", "safety = 9"))
    said = slagboom("check-config", site)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        f"error: {site}: site.timezone: unknown key; did you mean time_zone?",
        f"error: {site}: site.time_zone: missing; give text in quotes, 1 to 100 characters",
        f"error: {site}: lanes.entry.inputs.safety: 9 given; expected a whole number from 1 up to 8",
    ]


def test_the_list_is_looked_at_too(slagboom: Slagboom, site: Path, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("external_id,plate\n1,\n")
    said = slagboom("check-config", site)
    assert said.code == 2
    assert said.err.startswith(f"error: {site}: list.file: {tmp_path / 'users.csv'}: line 2, column plate: empty")
    (tmp_path / "users.csv").unlink()
    said = slagboom("check-config", site)
    assert f"list.file: {tmp_path / 'users.csv'}: no such file" in said.err


def test_called_without_the_command_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        check(tmp_path / "none.toml", as_json=False)
