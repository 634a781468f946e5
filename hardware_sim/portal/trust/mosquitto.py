"""What Mosquitto needs to serve a portal and its edges: its settings, its certificate and who may use which topic.

An edge writes its own topics and reads its own and its site's; nothing that it may use holds a wildcard. Each edge
has its own paragraph, because a pattern with `%u` or `%c` cannot name the site that a client belongs to; what is
missing from the file has no rights, whatever certificate it shows.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from hardware_sim.portal.trust.authority import Authority
from sync.identity import key_pem, new_key, write_whole
from sync.messages import Address, topic_root

EDGE_WRITES: Final = ("state", "ev", "list/get", "cmd/r", "claim", "evidence", "enrol")
EDGE_READS: Final = ("ev/ack", "list/part", "list/mend", "list/delta", "cmd", "claim/r", "claim/left", "enrol/r")
SITE_READS: Final = ("keys", "list/head", "list/delta")

CONFIGURATION: Final = """\
# Written by slagboom. TLS 1.3 only; who shows no certificate of the portal's authority is not heard at all.
listener {port} {address}
cafile {folder}/authority.pem
certfile {folder}/broker.pem
keyfile {folder}/broker.key
tls_version tlsv1.3
require_certificate true
allow_anonymous false

# The certificate's name is the user, and the client id too: otherwise one edge could throw another one out.
use_identity_as_username true
use_username_as_clientid true
acl_file {folder}/acl

# Correctness lies in the two databases; a broker that keeps nothing is good enough.
persistence false
max_packet_size {packet_len_max}

# What waits for one client. All edges come back together after an outage, with some five messages each for the
# portal; those that find no room are dropped, and come again after half a minute.
max_queued_messages {queue_len_max}
max_queued_bytes {queue_bytes_max}
"""
PACKET_LEN_MAX: Final = 2 * 1024 * 1024
QUEUE_LEN_MAX: Final = 20_000
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
LIMITS: Final = {
    "packet_len_max": PACKET_LEN_MAX,
    "queue_len_max": QUEUE_LEN_MAX,
    "queue_bytes_max": QUEUE_BYTES_MAX,
}
"""What the settings say besides places and names."""


def access_list(tenant: str, site: str, edges: Iterable[str]) -> str:
    """The file of access rights for these edges and the portal."""
    portal = Address(tenant, site, "portal").client_id
    parts = [
        "# Written by slagboom. A client that is not named here may do nothing.",
        f"user {portal}\ntopic readwrite {topic_root(tenant, site)}/#",
    ]
    for edge in edges:
        address = Address(tenant, site, edge)
        rights = [f"topic write {address.topic(suffix)}" for suffix in EDGE_WRITES]
        rights += [f"topic read {address.topic(suffix)}" for suffix in EDGE_READS]
        rights += [f"topic read {address.site_topic(suffix)}" for suffix in SITE_READS]
        parts.append("\n".join([f"user {address.client_id}", *rights]))
    return "\n\n".join(parts) + "\n"


def write_broker_folder(
    folder: Path, authority: Authority, host: str, port: int, address: str, access: str, now: datetime
) -> Path:
    """A folder from which `mosquitto -c FOLDER/mosquitto.conf` serves; returns that file.

    `host` is what edges call the broker, `address` the one it listens at. Raises OSError and BadInput.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = new_key()
    certificate = authority.server(key, (host,), now)
    write_whole(folder / "authority.pem", authority.pem.encode(), 0o644)
    write_whole(folder / "broker.key", key_pem(key))
    write_whole(folder / "broker.pem", certificate.encode(), 0o644)
    write_whole(folder / "acl", access.encode(), 0o600)
    text = CONFIGURATION.format(folder=folder.resolve(), port=port, address=address, **LIMITS)
    write_whole(folder / "mosquitto.conf", text.encode(), 0o644)
    return folder / "mosquitto.conf"
