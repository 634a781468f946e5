"""The portal's authority: what its certificates say, what they may be used for, and that it survives a restart."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from gate_controller.errors import BadInput, PortalError
from hardware_sim.portal.trust.authority import AUTHORITY_LIVES, BACKDATED, CLIENT_LIVES, Authority, key_name
from sync.identity import new_key, signing_request

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.open(tmp_path / "keys", "acme north authority", NOW)


def test_it_is_the_same_after_a_restart_and_its_key_is_nobody_elses_to_read(
    tmp_path: Path, authority: Authority
) -> None:
    again = Authority.open(tmp_path / "keys", "another name", NOW + timedelta(days=1))
    assert (again.pem, again.fingerprint) == (authority.pem, authority.fingerprint)
    assert (tmp_path / "keys" / "authority.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_the_fingerprint_is_what_openssl_says(tmp_path: Path, authority: Authority) -> None:
    command = ["openssl", "x509", "-in", tmp_path / "keys" / "authority.pem", "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip().split("=")[1].replace(":", "").lower() == authority.fingerprint


def test_a_clients_certificate_has_the_name_it_is_given_and_not_the_one_it_wishes(authority: Authority) -> None:
    key = new_key()
    pem, until = authority.client("acme.north.gate", signing_request(key, "acme.north.portal"), NOW)
    cert = x509.load_pem_x509_certificate(pem.encode())
    assert [name.value for name in cert.subject] == ["acme.north.gate"]
    assert cert.public_key() == key.public_key()
    assert (cert.not_valid_before_utc, cert.not_valid_after_utc) == (NOW - BACKDATED, NOW + CLIENT_LIVES)
    assert until == NOW + CLIENT_LIVES
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_no_certificate_outlives_the_authority(authority: Authority) -> None:
    late = NOW + AUTHORITY_LIVES - timedelta(days=10)
    _, until = authority.client("a.b.c", signing_request(new_key(), "x"), late)
    assert until == NOW + AUTHORITY_LIVES
    with pytest.raises(PortalError, match="ended on 2036-02-28"):
        authority.client("a.b.c", signing_request(new_key(), "x"), NOW + AUTHORITY_LIVES)


def tampered(key: ec.EllipticCurvePrivateKey) -> str:
    """A request whose name was changed after it was signed."""
    pem = signing_request(key, "aaaa")
    der = x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER)
    forged = x509.load_der_x509_csr(der.replace(b"aaaa", b"bbbb"))
    return forged.public_bytes(serialization.Encoding.PEM).decode()


def of_key(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    hashed = hashes.SHA256() if isinstance(key, ec.EllipticCurvePrivateKey) else None
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashed)
    return request.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "csr",
    [
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        tampered(new_key()),
        of_key(ec.generate_private_key(ec.SECP384R1())),
        of_key(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["empty", "junk", "tampered", "other curve", "other kind"],
)
def test_what_is_no_request_of_ours_gets_nothing(authority: Authority, csr: str) -> None:
    with pytest.raises(BadInput, match="request"):
        authority.client("a.b.c", csr, NOW)


def test_a_key_has_one_name_in_every_request() -> None:
    key = new_key()
    assert key_name(signing_request(key, "a")) == key_name(signing_request(key, "b"))
    assert key_name(signing_request(key, "a")) != key_name(signing_request(new_key(), "a"))


def trusts(authority: Authority, folder: Path, pem: str, purpose: str) -> bool:
    """Whether OpenSSL takes a certificate for this purpose."""
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "it.pem").write_text(pem)
    command = ["openssl", "verify", "-attime", str(int(NOW.timestamp())), "-CAfile", folder / "ca.pem"]
    done = subprocess.run([*command, "-purpose", purpose, folder / "it.pem"], capture_output=True, check=False)
    return done.returncode == 0


def test_an_edge_cannot_pass_for_the_broker_nor_the_broker_for_an_edge(
    tmp_path: Path, authority: Authority
) -> None:
    key = new_key()
    client, _ = authority.client("a.b.c", signing_request(key, "x"), NOW)
    server = authority.server(key, ["broker.example.net", "10.0.0.1"], NOW)
    assert trusts(authority, tmp_path, client, "sslclient")
    assert trusts(authority, tmp_path, server, "sslserver")
    assert not trusts(authority, tmp_path, client, "sslserver")
    assert not trusts(authority, tmp_path, server, "sslclient")


def test_a_server_answers_to_its_names(authority: Authority) -> None:
    pem = authority.server(new_key(), ["broker.example.net", "10.0.0.1"], NOW)
    names = x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["broker.example.net"]
    assert [str(found) for found in names.value.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    with pytest.raises(BadInput, match="neither"):
        authority.server(new_key(), ["broker example"], NOW)


def test_a_folder_that_holds_something_else_is_named(tmp_path: Path, authority: Authority) -> None:
    other = Authority.open(tmp_path / "other", "x", NOW)
    assert other.fingerprint != authority.fingerprint
    (tmp_path / "other" / "authority.pem").write_text(authority.pem)
    with pytest.raises(PortalError, match=r"authority\.key: is not the key of"):
        Authority.open(tmp_path / "other", "x", NOW)
    (tmp_path / "other" / "authority.pem").write_text("x")
    with pytest.raises(PortalError, match="cannot be used"):
        Authority.open(tmp_path / "other", "x", NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(PortalError, match="cannot be used"):
        Authority.open(tmp_path / "file", "x", NOW)
