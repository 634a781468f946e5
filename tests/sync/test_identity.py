"""Keys and certificates in files: what they say, when they hold, and what is said of files that are wrong."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gate_controller.errors import PortalError
from hardware_sim.portal.trust.authority import CLIENT_LIVES, Authority
from sync.identity import (
    Identity,
    Standing,
    TlsFiles,
    first_certificate,
    identity_of,
    key_pem,
    load_key,
    new_key,
    refuse_foreign,
    signing_request,
    trusting,
    write_whole,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NAME = "acme.north.gate"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "keys", "x", NOW)


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> TlsFiles:
    """Authority, certificate and key, each in its own file."""
    key = new_key()
    pem, _ = authority.client(NAME, signing_request(key, "x"), NOW)
    for name, data in {"ca": authority.pem.encode(), "cert": pem.encode(), "key": key_pem(key)}.items():
        (tmp_path / f"{name}.pem").write_bytes(data)
    return TlsFiles(*(tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")))


@pytest.mark.parametrize(
    ("at_d", "standing"),
    [
        (-0.001, Standing.NOT_YET),
        (0, Standing.GOOD),
        (19.99, Standing.GOOD),
        (20, Standing.DUE),
        (29.99, Standing.DUE),
        (30, Standing.EXPIRED),
        (3000, Standing.EXPIRED),
    ],
)
def test_a_certificate_is_due_after_two_thirds_of_its_life(at_d: float, standing: Standing) -> None:
    identity = Identity(NAME, NOW, NOW + timedelta(days=30))
    assert identity.standing(NOW + timedelta(days=at_d)) is standing


def test_the_files_make_a_connection_of_tls_1_3_that_trusts_one_authority(files: TlsFiles) -> None:
    context = files.context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) == 1
    assert files.identity() == Identity(NAME, NOW - timedelta(hours=1), NOW + CLIENT_LIVES)


def test_key_and_certificate_may_lie_in_one_file(files: TlsFiles) -> None:
    files.cert.write_bytes(files.key.read_bytes() + files.cert.read_bytes())
    one = TlsFiles(files.ca, files.cert, files.cert)
    one.context()
    assert one.identity().name == NAME


def test_each_wrong_file_is_named(tmp_path: Path, files: TlsFiles) -> None:
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "other").write_bytes(key_pem(new_key()))
    (tmp_path / "large").write_bytes(files.ca.read_bytes() * 200)
    from cryptography.hazmat.primitives import serialization as s

    locked = new_key().private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"x"))
    (tmp_path / "locked").write_bytes(locked)
    for field, name, said in (
        ("ca", "none", "cannot be read"),
        ("ca", "junk", "no certificate"),
        ("ca", "other", "no certificate"),
        ("ca", "large", "larger than"),
        ("cert", "none", "cannot be read"),
        ("cert", "junk", "no certificate"),
        ("key", "none", "cannot be read"),
        ("key", "junk", "not usable"),
        ("key", "locked", "not usable"),
        ("key", "other", "of another certificate"),
        ("key", ".", "cannot be read"),
    ):
        paths = {"ca": files.ca, "cert": files.cert, "key": files.key, field: tmp_path / name}
        with pytest.raises(PortalError, match=said) as wrong:
            TlsFiles(**paths).context()
        assert str(wrong.value).startswith(str(tmp_path / name)), (field, name)


def test_a_key_comes_back_from_its_file(tmp_path: Path) -> None:
    key = new_key()
    write_whole(tmp_path / "k", key_pem(key))
    assert load_key(tmp_path / "k").private_numbers() == key.private_numbers()
    (tmp_path / "k").write_text("junk")
    with pytest.raises(PortalError, match="holds no key"):
        load_key(tmp_path / "k")


def test_a_certificate_that_is_not_ours_is_refused(tmp_path: Path, authority: Authority) -> None:
    key, other = new_key(), Authority.open(tmp_path / "other", "x", NOW)
    csr = signing_request(key, "x")
    good, _ = authority.client(NAME, csr, NOW)
    refuse_foreign(good, authority.pem, key, NAME)
    for pem, said in (
        (other.client(NAME, csr, NOW)[0], "not a certificate of its authority"),
        (authority.client(NAME, signing_request(new_key(), "x"), NOW)[0], "another key"),
        (authority.client("acme.north.other", csr, NOW)[0], "another edge"),
        ("junk", "not a certificate"),
    ):
        with pytest.raises(PortalError, match=said):
            refuse_foreign(pem, authority.pem, key, NAME)


def test_only_the_first_certificate_of_a_text_is_the_authority(tmp_path: Path, authority: Authority) -> None:
    other = Authority.open(tmp_path / "other", "x", NOW)
    assert first_certificate(authority.pem + other.pem) == (authority.fingerprint, authority.pem)
    with pytest.raises(ValueError, match="PEM"):
        first_certificate("junk")


def test_trust_may_come_as_text(authority: Authority) -> None:
    assert len(trusting(authority.pem).get_ca_certs()) == 1
    with pytest.raises(PortalError, match="the portal's answer"):
        trusting("junk")


def test_a_text_without_a_name_is_none(authority: Authority) -> None:
    with pytest.raises(PortalError, match=r"^here: holds no certificate"):
        identity_of(b"junk", "here")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    (tmp_path / ".secret.new").write_text("left by a power cut")
    write_whole(path, b"one")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o600)
    (tmp_path / "watched").symlink_to(path)
    held = path.open("rb")
    write_whole(path, b"two", 0o644)
    assert (held.read(), path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", b"two", 0o644)
    held.close()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["secret", "watched"]
    with pytest.raises(OSError, match="No such file"):
        write_whole(tmp_path / "none" / "x", b"")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "settings"
    path.write_text("old")
    os.chown(path, 1234, 1235)
    write_whole(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235)
    os.chown(tmp_path, 1236, 1237)
    write_whole(tmp_path / "fresh", b"")
    assert (tmp_path / "fresh").stat().st_uid == 1236
