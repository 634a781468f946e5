from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.commands.check_config import check
from gate_controller.errors import ConfigError
from hardware_sim.portal.trust.authority import CLIENT_LIVES, Authority
from sync.identity import key_pem, new_key, signing_request

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


def test_the_models_are_opened_too(slagboom: Slagboom, site: Path, tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(b"cut short")
    site.write_text(SITE + '[recognition]\ndetector = "own.onnx"\n')
    said = slagboom("check-config", site)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {site}: recognition: {tmp_path / 'own.onnx'}: no usable ONNX model")
    reader = '[readers.badge]\nkind = "rdm6300"\nport = "/dev/ttyUSB1"\nlane = "entry"\n'
    named = '[recognition]\ndetector = "own.onnx"\n'
    site.write_text(SITE.replace('camera = "entry.mp4"\n', "") + reader + named)
    assert slagboom("check-config", site).code == 0, "without a camera nothing is read"


@pytest.fixture
def link(site: Path, tmp_path: Path) -> Callable[..., None]:
    """Puts a certificate beside the site and names it: begun so long ago, for this edge, with more settings."""
    now = datetime.now(UTC)
    authority = Authority.open(tmp_path / "keys", "x", now - timedelta(days=1000))

    def put(begins: timedelta = timedelta(), edge: str = "gate", more: str = "") -> None:
        key = new_key()
        pem, _ = authority.client(f"acme.north.{edge}", signing_request(key, "x"), now + begins)
        (tmp_path / "ca.pem").write_text(authority.pem)
        (tmp_path / "cert.pem").write_text(pem)
        (tmp_path / "key.pem").write_bytes(key_pem(key))
        files = f'tls = {{ ca = "ca.pem", cert = "cert.pem", key = "key.pem"{more} }}'
        names = 'tenant = "acme"\nsite = "north"\nedge = "gate"'
        portal = f'[portal]\nhost = "broker.example.net"\nroot_key = "{"0" * 64}"\n{names}\n{files}'
        site.write_text(SITE.replace('[list]\nfile = "users.csv"', portal))

    return put


def test_a_good_certificate_needs_no_word(slagboom: Slagboom, site: Path, link: Any) -> None:
    link()
    said = slagboom("check-config", site)
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (-CLIENT_LIVES * 0.7, "does not renew itself"),
        (-CLIENT_LIVES - timedelta(days=1), "then run `slagboom enrol`"),
        (timedelta(days=2), "set this machine's clock"),
    ],
)
def test_a_certificate_out_of_its_time_is_warned_of(
    slagboom: Slagboom, site: Path, link: Any, begins: timedelta, said: str
) -> None:
    link(begins)
    got = slagboom("check-config", site)
    (line,) = got.err.splitlines()
    assert got.code == 0
    assert line.startswith(f"warning: {site}: portal.tls.cert: ")
    assert said in line


def test_files_that_make_no_certificate_are_named(
    slagboom: Slagboom, site: Path, link: Any, tmp_path: Path
) -> None:
    for name, content, said in (
        ("key.pem", key_pem(new_key()), "its key is of another certificate"),
        ("key.pem", None, "cannot be read (No such file or directory)"),
        ("cert.pem", b"junk", "holds no certificate"),
        ("ca.pem", b"junk", "holds no certificate"),
    ):
        link()
        (tmp_path / name).unlink()
        if content is not None:
            (tmp_path / name).write_bytes(content)
        got = slagboom("check-config", site)
        assert (got.code, got.out) == (2, "")
        (line,) = got.err.splitlines()
        assert line.startswith(f"error: {site}: portal.tls: {tmp_path / name}: ")
        assert said in line


def test_a_certificate_of_another_edge_is_named(slagboom: Slagboom, site: Path, link: Any) -> None:
    link(edge="other")
    said = slagboom("check-config", site)
    assert said.code == 2
    assert "the certificate is for acme.north.other, not for acme.north.gate" in said.err


def test_a_key_apart_does_not_renew_itself(slagboom: Slagboom, site: Path, link: Any) -> None:
    link(more=', renew = "https://portal.example.net"')
    assert "portal.tls.key: a certificate that renews itself" in slagboom("check-config", site).err
    link(more=', renew = "portal.example.net"')
    assert "portal.tls.renew: portal.example.net: no address of a portal" in slagboom("check-config", site).err


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("10.0.0.5", True)])
def test_a_link_that_is_not_encrypted_is_warned_of(slagboom: Slagboom, site: Path, host: str, warned: bool) -> None:
    portal = f'[portal]\nhost = "{host}"\nroot_key = "{"0" * 64}"'
    site.write_text(SITE.replace('[list]\nfile = "users.csv"', portal))
    said = slagboom("check-config", site)
    assert said.code == 0
    assert said.err.startswith(f"warning: {site}: portal.tls: missing; plates") is warned


def test_called_without_the_command_it_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        check(tmp_path / "none.toml", as_json=False)
