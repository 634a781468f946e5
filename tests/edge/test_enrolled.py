"""What `slagboom enrol` wrote, read back as part of the site's settings."""

import tomllib
from pathlib import Path

import pytest

from edge.config import load_config
from edge.enrolled import settings_text, with_enrolment
from gate_controller.errors import ConfigError
from sync.enrolment import Enrolled

GIVEN = Enrolled("(pem)", "acme", "north", "gate", "broker.example.net", 8883, "ab" * 32)
TEXT = settings_text(GIVEN, "a.ca.pem", "a.pem", "https://portal.example.net:8884")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "portal.toml").write_text(TEXT)
    return tmp_path


def test_the_text_says_what_was_given() -> None:
    assert tomllib.loads(TEXT) == {
        "host": "broker.example.net",
        "port": 8883,
        "root_key": "ab" * 32,
        "tenant": "acme",
        "site": "north",
        "edge": "gate",
        "tls": {"ca": "a.ca.pem", "cert": "a.pem", "renew": "https://portal.example.net:8884"},
    }
    odd = settings_text(GIVEN, 'a"\\\n', "é", "x")
    assert tomllib.loads(odd)["tls"] == {"ca": 'a"\\\n', "cert": "é", "renew": "x"}


def test_it_becomes_the_table_with_paths_from_the_sites_folder(folder: Path) -> None:
    problems: list[str] = []
    data = with_enrolment({"site": {}, "portal": {"enrolled": "link"}}, folder, problems)
    assert problems == []
    assert data["site"] == {}
    assert data["portal"]["enrolled"] == "link"
    assert data["portal"]["edge"] == "gate"
    assert data["portal"]["tls"] == {
        "ca": "link/a.ca.pem",
        "cert": "link/a.pem",
        "renew": "https://portal.example.net:8884",
    }


def test_a_folder_anywhere_else_keeps_its_path(folder: Path, tmp_path: Path) -> None:
    data = with_enrolment({"portal": {"enrolled": str(folder / "link")}}, Path("elsewhere"), [])
    assert data["portal"]["tls"]["cert"] == str(folder / "link" / "a.pem")


@pytest.mark.parametrize("portal", [None, 3, {}, {"host": "x"}, {"enrolled": 3}])
def test_settings_without_an_enrolment_stay_as_they_are(portal: object) -> None:
    data = {} if portal is None else {"portal": portal}
    assert with_enrolment(data, Path(), []) is data


def test_what_both_say_is_named(folder: Path) -> None:
    problems: list[str] = []
    with_enrolment({"portal": {"enrolled": "link", "host": "x", "tls": {}}}, folder, problems)
    assert problems == [
        "portal.host: the enrolment in link says it; leave it out",
        "portal.tls: the enrolment in link says it; leave it out",
    ]


@pytest.mark.parametrize("text", [None, "junk", "host = 3", "tls = 3", '[tls]\nca = 3\ncert = "x"', "\xff"])
def test_a_folder_without_an_enrolment_is_named(folder: Path, text: str | None) -> None:
    site = folder / "site.toml"
    site.write_text('[portal]\nenrolled = "link"\n')
    settings = folder / "link" / "portal.toml"
    settings.unlink()
    if text is not None:
        settings.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        load_config(site)
    assert any("portal." in problem for problem in error.value.problems)
    if text is None:
        assert any("`slagboom enrol` writes it" in problem for problem in error.value.problems)
