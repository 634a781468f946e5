import tomllib
from pathlib import Path

from hardware_sim.stories.technician import keys_of, prepare


def test_a_new_edge_has_settings_and_no_keys(tmp_path: Path) -> None:
    prepare(tmp_path / "annex")
    settings = tomllib.loads((tmp_path / "annex" / "site.toml").read_text())
    assert "portal" not in settings
    assert keys_of(tmp_path) == []
    (tmp_path / "annex" / "enrolled.toml").write_text('root_key = "00"\n')
    assert keys_of(tmp_path) == [tmp_path / "annex" / "enrolled.toml"]
