"""`slagboom enrol` against a real portal's desk: what it leaves behind when it works, and when it does not."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.commands import enrol
from edge.config import load_config
from gate_controller.errors import PortalError
from hardware_sim.broker import free_port
from hardware_sim.portal.edges.enrolment import Invitation
from sync.identity import new_key, signing_request
from tests.portal_desk import ROOT_KEY, RunningDesk, running_desk

Slagboom = Callable[..., Any]

SITE = """\
[site]
name = "Depot" # a comment that stays
time_zone = "Europe/Amsterdam"

[boards.main]
kind = "modbus_relay8"
port = "/dev/ttyUSB0"

[lanes.entry]
direction = "in"
board = "main"
camera = "entry.mp4"
inputs = { approach = 1, safety = 2 }
outputs = { open = 1 }"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    with running_desk(tmp_path / "portal-side", broker_port=8883) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "gate" / "site.toml"
    path.parent.mkdir()
    path.write_text(SITE)
    return path


@pytest.fixture
def claim(slagboom: Slagboom, desk: RunningDesk, site: Path) -> Callable[..., Any]:
    """Runs the command for an invitation, with what a test wants otherwise."""

    def call(invited: Invitation, **other: object) -> Any:
        given = {
            "portal": desk.address,
            "serial": invited.serial,
            "code": invited.code,
            "fingerprint": invited.fingerprint,
            "config": site,
            **other,
        }
        return slagboom("enrol", *(part for key, value in given.items() for part in (f"--{key}", value)))

    return call


def contents(folder: Path) -> dict[str, bytes]:
    """All but the key that a device has, enrolled or not."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.stem != "device")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_edge_is_claimed(claim: Any, desk: RunningDesk, site: Path, slagboom: Slagboom) -> None:
    said = claim(desk.invite("gatehouse", "SB-1"))
    assert (said.code, said.err) == (0, "")
    assert "enrolled as acme.north.gatehouse" in said.out
    config = load_config(site)
    assert config.portal is not None
    assert (config.portal.host, config.portal.port) == ("127.0.0.1", 8883)
    assert config.portal.root_key == ROOT_KEY.hex()
    assert config.portal.address().client_id == "acme.north.gatehouse"
    tls = config.tls()
    assert tls is not None
    tls.context()
    assert tls.identity().name == "acme.north.gatehouse"
    assert site.read_text().startswith(SITE)
    checked = slagboom("check-config", site)
    assert (checked.code, checked.err) == (0, "")


def test_the_key_is_the_daemons_alone_and_was_told_nobody(claim: Any, desk: RunningDesk, site: Path) -> None:
    claim(desk.invite())
    folder = site.parent / "portal"
    assert folder.stat().st_mode & 0o777 == 0o700
    (cert,) = [path for path in folder.glob("*.pem") if ".ca." not in path.name]
    assert cert.stat().st_mode & 0o777 == (folder / "portal.toml").stat().st_mode & 0o777 == 0o600
    key = cert.read_text().partition("-----END PRIVATE KEY-----")[0]
    portals = contents(desk.folder)
    assert key.startswith("-----BEGIN PRIVATE KEY-----")
    assert not any(key.splitlines()[1].encode() in data for data in portals.values())
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["portal.toml", cert.name, f"{desk.enrolment.authority.fingerprint[:8]}.ca.pem"]
    )


def test_the_code_is_asked_for(
    desk: RunningDesk, site: Path, slagboom: Slagboom, monkeypatch: pytest.MonkeyPatch
) -> None:
    invited = desk.invite()
    options = ("--portal", desk.address, "--serial", invited.serial, "--fingerprint", invited.fingerprint)

    def typed(text: str, terminal: bool) -> Any:
        keyboard = io.StringIO(text)
        monkeypatch.setattr(keyboard, "isatty", lambda: terminal)
        monkeypatch.setattr("sys.stdin", keyboard)
        monkeypatch.setattr("getpass.getpass", lambda *_: keyboard.readline())
        return slagboom("enrol", *options, "--config", site)

    assert typed("\n", terminal=False).err.startswith("error: --code: missing")
    from_a_pipe = typed(f"{invited.code}\n", terminal=False)
    assert (from_a_pipe.code, from_a_pipe.err) == (0, "")
    assert typed(f"{desk.invite().code}\n", terminal=True).code == 0


def test_what_is_wrong_is_one_clear_error_and_nothing_is_left(claim: Any, desk: RunningDesk, site: Path) -> None:
    invited = desk.invite()
    before = contents(site.parent)
    for other, said in (
        ({"code": "0000-0000-0000-0000"}, "refused; serial, code or its time is not right"),
        ({"serial": "SB-9"}, "refused; serial, code or its time is not right"),
        ({"fingerprint": "0f" * 32}, "is not the portal that the code came from"),
        ({"fingerprint": "0f"}, "2 characters; it has 64"),
        ({"portal": "portal.example.net"}, "no address of a portal"),
        ({"config": site.with_name("none.toml")}, "no such file"),
    ):
        got = claim(invited, **other)
        assert (got.code, got.out) == (2, "")
        (line,) = got.err.splitlines()
        assert line.startswith("error: ")
        assert said in line
        assert contents(site.parent) == before, other
    assert claim(invited).code == 0


def test_without_a_network_the_same_command_helps_later(claim: Any, desk: RunningDesk, site: Path) -> None:
    got = claim(desk.invite(), portal=f"https://127.0.0.1:{free_port()}")
    assert got.code == 2
    assert "check the address and the network" in got.err
    assert site.read_text() == SITE
    assert claim(desk.invite()).code == 0


def test_a_lost_answer_is_fetched_by_the_same_command(
    claim: Any, desk: RunningDesk, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invited, real = desk.invite(), enrol.claim

    def cut(*args: Any) -> None:
        real(*args)
        raise PortalError("the cable was pulled")

    monkeypatch.setattr(enrol, "claim", cut)
    assert claim(invited).code == 2
    assert site.read_text() == SITE
    monkeypatch.setattr(enrol, "claim", real)
    assert claim(invited).code == 0
    assert not (site.parent / "portal" / "pending.key").exists()


def test_power_that_goes_between_two_files_is_mended_by_the_same_command(
    claim: Any, desk: RunningDesk, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = enrol.write_whole
    for survived in range(6):  # trial, pending key, authority, certificate, settings, the site's settings
        site.write_text(SITE)
        shutil.rmtree(site.parent / "portal", ignore_errors=True)
        invited, left = desk.invite(), iter([True] * survived)

        def write(*args: Any, left: Iterator[bool] = left) -> None:
            if not next(left, False):
                raise KeyboardInterrupt
            real(*args)

        monkeypatch.setattr(enrol, "write_whole", write)
        assert claim(invited).code == 130
        monkeypatch.setattr(enrol, "write_whole", real)
        assert claim(invited).code == 0, survived
        tls = load_config(site).tls()
        assert tls is not None
        tls.context()


def test_a_used_code_leaves_the_enrolment_as_it_is(claim: Any, desk: RunningDesk, site: Path) -> None:
    invited = desk.invite()
    assert claim(invited).code == 0
    before = contents(site.parent)
    assert claim(invited).code == 2
    assert contents(site.parent) == before


def test_enrolling_again_renews_in_place(claim: Any, desk: RunningDesk, site: Path) -> None:
    """As after the certificate has expired: a running daemon finds the new one where the old one was."""
    assert "start slagboom again" in claim(desk.invite()).out
    settings, tls = site.read_text(), load_config(site).tls()
    assert tls is not None
    old = tls.cert.read_bytes()
    said = claim(desk.invite())
    assert (said.code, "start slagboom again" in said.out) == (0, False)
    assert site.read_text() == settings
    assert load_config(site).tls() == tls
    assert tls.cert.read_bytes() != old
    tls.context()


def test_moving_to_another_portal_leaves_nothing_of_the_old_one(
    claim: Any, desk: RunningDesk, site: Path, tmp_path: Path
) -> None:
    claim(desk.invite())
    (site.parent / "portal" / "notes.txt").write_text("mine")
    with running_desk(tmp_path / "other", broker_port=8885) as other:
        said = claim(other.invite("annex"), portal=other.address)
        assert "start slagboom again" in said.out
        config = load_config(site)
        assert config.portal is not None
        assert (config.portal.port, config.portal.edge) == (8885, "annex")
        names = sorted(path.name for path in (site.parent / "portal").iterdir())
        begins = other.enrolment.authority.fingerprint[:8]
        assert names == sorted(["notes.txt", "portal.toml", f"{begins}.ca.pem", f"{begins}.acme.north.annex.pem"])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[list]\nfile = "users.csv"', "list: the portal will bring the list"),
        ('[portal]\nhost = "broker.example.net"', "portal: names a broker by hand"),
        ("portal = 3", "portal: names a broker by hand"),
        ("[portal", "not TOML"),
    ],
)
def test_settings_that_say_otherwise_come_first(
    claim: Any, desk: RunningDesk, site: Path, table: str, said: str
) -> None:
    invited = desk.invite()
    site.write_text(f"{table}\n{SITE}" if "=" in table and "[" not in table else f"{SITE}\n\n{table}\n")
    before = contents(site.parent)
    got = claim(invited)
    assert got.code == 2
    assert said in got.err
    assert contents(site.parent) == before


def test_a_folder_of_ones_own_is_named_in_the_settings(
    claim: Any, desk: RunningDesk, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "var").mkdir()
    site.write_text(f'{SITE}\n\n[portal]\nenrolled = "{tmp_path / "var" / "link"}"\n')
    before = site.read_text()
    assert claim(desk.invite()).code == 0
    assert site.read_text() == before
    assert load_config(site).portal is not None
    assert (tmp_path / "var" / "link" / "portal.toml").exists()


def test_a_folder_that_cannot_be_written_costs_no_code(claim: Any, desk: RunningDesk, site: Path) -> None:
    invited = desk.invite()
    (site.parent / "portal").write_text("a file")
    got = claim(invited)
    assert (got.code, got.out) == (2, "")
    assert "use the daemon's account, where it may write" in got.err
    (site.parent / "portal").unlink()
    site.write_text(f'{SITE}\n\n[portal]\nenrolled = "no/such/folder"\n')
    assert "no/such/folder" in claim(invited).err
    site.write_text(SITE)
    assert claim(invited).code == 0


def test_a_certificate_for_somebody_else_is_not_kept(
    claim: Any, desk: RunningDesk, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrol, "signing_request", lambda _, name: signing_request(new_key(), name))
    got = claim(desk.invite())
    assert got.code == 2
    assert "for another key" in got.err
    assert site.read_text() == SITE


def test_names_that_no_daemon_would_start_with_are_not_kept(claim: Any, desk: RunningDesk, site: Path) -> None:
    got = claim(desk.invite("Gate_House"))
    assert got.code == 2
    assert "the portal's answer: portal.edge" in got.err
    assert site.read_text() == SITE
    assert not (site.parent / "portal" / "portal.toml").exists()
