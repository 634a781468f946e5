"""Writes `scale.md`: what tens of thousands of edges ask of a broker and a database, reckoned from one edge's "
"measures.

Sizes are those of real messages, made and signed here by the code that sends them; speeds are what the benchmarks
`storm` and `sync` measured, and stand below with where they come from. Everything else is arithmetic.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Final

import msgspec

from gate_controller.allowlist import Action, Permit, PermitPut, User, UserPut
from gate_controller.credentials import PlateCredential
from gate_controller.facts import Basis, Direction, Fact, Granted, HoldId, LaneId, Matched, Opened, Passed
from gate_controller.facts import VehicleArrived as Arrived
from gate_controller.plates import Plate
from hardware_sim.portal.edges.service import HEAD_EVERY_S
from hardware_sim.portal.trust.mosquitto import QUEUE_LEN_MAX
from sync import messages as wire
from sync.codec import encode_change, encode_fact
from sync.mqtt import KEEPALIVE_S, Backoff
from sync.outbox import RESEND_AFTER_S
from sync.packing import packed
from sync.signing import Signer

# ---- measured: 22 November 2026, two shared cores of an AMD EPYC virtual machine ----

MESSAGE_MS: Final = 1.5
"""Processor time of the portal for one message of a storm: `storm`, 1,000 edges, 7,110 messages."""
VERIFY_MS: Final = 0.2
STORM_MESSAGES: Final = 7.1
"""Messages to the portal for each edge that came back with 40 rows: `storm`."""
ROWS_A_SECOND: Final = 7_600
"""One edge's journal in batches of 100, portal and edge on two cores, beside other work: `sync`."""
ROW_BYTES: Final = 300
"""Of the portal's SQLite table with its indexes: 20,000 rows of passages of 20 edges."""

MILLION_S: Final = 52
MILLION_CPU_S: Final = 16
"""Until a million entries are in force at an edge, and its processor time of it: `million`, load average 10."""
MILLION_EDGE_MIB: Final = 530
MILLION_PORTAL_MIB: Final = 820
MILLION_PEAK_MIB: Final = 970
"""Memory with such a list: an edge at most, the portal, and the portal while it is filled, 100,000 at a time."""
MILLION_BROKER_MIB: Final = 9
MILLION_EDGE_DISK_MIB: Final = 205
MILLION_PORTAL_DISK_MIB: Final = 238
MILLION_LOOKUP_US: Final = 15
MILLION_LOADED_S: Final = 21

# ---- assumed ----

PASSAGES_A_DAY: Final = 125
CHANGES_A_DAY: Final = 20
EDGES_A_SITE: Final = 4
PEAK: Final = 5
FLEETS: Final = (1_000, 10_000, 50_000)
ENTRIES_A_SITE: Final = 2_000

DAY_S: Final = 86_400
HEADER_BYTES: Final = 9
"""Fixed header, topic's length, packet's number and the length of no properties, of MQTT 5."""
AT: Final = datetime(2026, 11, 22, 7, 0, 0, 123456, UTC)
ADDRESS: Final = wire.Address("acme", "north", "gatehouse")
SIGNER: Final = Signer.of(b"1" * 32)
EPOCH, HASH, HOLD, LANE = "9f8e7d6c5b4a3921", "a" * 64, HoldId("entry-1a2b3c4d-17"), LaneId("entry")


def _rows(facts: Sequence[Fact]) -> bytes:
    events = []
    for seq, fact in enumerate(facts, 100_000):
        told = encode_fact(fact)
        events.append(
            wire.Event(seq=seq, at=AT, kind=told.kind, body=msgspec.Raw(told.body), personal=told.personal)
        )
    batch = wire.EventBatch(
        aud=ADDRESS.audience, conn=12, ledger="a" * 16, first=events[0].seq, last=events[-1].seq, events=events
    )
    return SIGNER.sign(batch)


def passage() -> list[Fact]:
    """The rows of a car that comes in."""
    read = "B-NO 1234", "BNO1234", 0.991234, 0.99712, 4, f"{HOLD}.jpg"
    basis = Basis(EPOCH, 812, Matched.EXACT, *read)
    granted = Granted(LANE, Direction.IN, HOLD, "u-0011223344556677", "4711", "BNO1234", basis)
    return [Arrived(LANE, Direction.IN), granted, Opened(LANE, HOLD), Passed(LANE, Direction.IN, HOLD)]


def sizes() -> dict[str, int]:
    """Bytes of each message with its topic and header, as examples of usual length come to."""
    user = User("u-0011223344556677", "4711", plates=(PlateCredential(Plate.parse("B-NO 1234", "D")),))
    entry = [UserPut(user), PermitPut(Permit(f"park-{user.id}", Action.PARK, user_id=user.id))]
    listed = {"aud": ADDRESS.site_audience, "iat": AT, "exp": AT + wire.LIST_LIVES, "era": 1_700_000_000_000}
    listed |= {"epoch": EPOCH, "root": HASH}
    ack = wire.EventAck(
        aud=ADDRESS.audience, ledger="a" * 16, through=10**5, upto=10**5, batch=wire.Rows(99_997, 10**5),
        tail=wire.Tail(10**5, "a" * 32),
    )  # fmt: skip
    state = wire.State(
        aud=ADDRESS.audience, status="online", conn=1_700_000_000_000, told=3, ledger="a" * 16, next_seq=10**5,
        acked=10**5, list=wire.Revision(EPOCH, 812), list_at=AT, said_at=AT, keyset=2, nonce="a" * 16, sw="0.1.0",
        sqlite="3.40.1",
    )  # fmt: skip
    claim = wire.Claim(aud=ADDRESS.audience, claim_id=HOLD, action="enter", at=AT, user=user.id)
    reply = wire.ClaimReply(
        aud=ADDRESS.audience, iat=AT, exp=AT + timedelta(seconds=2), claim_id=HOLD, fence=1_700_000_000_000
    )
    made = {
        "state": SIGNER.sign(state),
        "ev, each row of a passage by itself": b"".join(_rows([fact]) for fact in passage()),
        "ev, the 4 rows of a passage": _rows(passage()),
        "ev, 100 rows": _rows(passage() * 25),
        "ev/ack": SIGNER.sign(ack),
        "claim": SIGNER.sign(claim),
        "claim/r": SIGNER.sign(reply),
        "list/head": SIGNER.sign(wire.ListHead(**listed, rev=812, conn="a" * 16)),
        "list/delta, a user and a permit": SIGNER.sign(
            wire.ListDelta(**listed, from_=811, to=812, ops=[encode_change(change) for change in entry])
        ),
        "list/get": wire.encode(wire.ListGet(keyset=2, have=wire.Revision(EPOCH, 812))),
    }
    times = {"ev, each row of a passage by itself": len(passage())}
    found = {}
    for name, payload in made.items():
        suffix = name.split(",")[0]
        topic = (
            ADDRESS.site_topic(suffix) if name.startswith(("list/head", "list/delta")) else ADDRESS.topic(suffix)
        )
        found[name] = len(payload) + times.get(name, 1) * (len(topic) + HEADER_BYTES)
    return found


@cache
def whole_list(entries: int) -> float:
    """Bytes of a whole list on its way, half users and half permits, reckoned from a part of each."""
    chance, each = Random(7), 1000
    users = [
        User(f"u-{chance.randbytes(8).hex()}", f"{n}", plates=(PlateCredential(Plate.parse(_plate(chance), "D")),))
        for n in range(each)
    ]
    of_users = packed(encode_change(UserPut(user)) for user in users)
    of_permits = packed(
        encode_change(PermitPut(Permit(f"park-{user.id}", Action.PARK, user_id=user.id))) for user in users
    )
    # As text in their envelopes.
    return entries / 2 * (len(of_users) + len(of_permits)) / each * 4 / 3


def _plate(chance: Random) -> str:
    letters = "".join(chance.choices("ABCDEFGHIKLMNOPRSTUVWXYZ", k=2))
    return f"{chance.choice(('B', 'HH', 'KA', 'OG'))}-{letters} {chance.randrange(1, 10_000)}"


def page() -> str:
    """The page."""
    size = sizes()
    day = _day(size)
    up = sum(count for count, _, way in day.values() if way == "up")
    down = sum(count for count, _, way in day.values() if way == "down")
    bytes_ = sum(count * each for count, each, _ in day.values())
    rows = PASSAGES_A_DAY * len(passage())
    parts = [
        "# Tens of thousands of gates",
        "<!-- Written by docs/scale_page.py from the messages themselves; `make docs` writes it anew. -->",
        "On an MQTT 5 cluster and a database that are there already. Sizes are those of real signed messages, "
        "speeds "
        "those of the benchmarks [storm and sync](benchmarks.md) on two shared cores beside other work; the rest "
        "is "
        "arithmetic. A site is a list and a portal's books, and no topic, row or lock goes across two sites, so a "
        "fleet is as many sites as it has.",
        "## One edge, one day",
        f"Assumed: {PASSAGES_A_DAY} passages of {len(passage())} rows, each row sent by itself as it is written, a "
        f"place asked for at each; {CHANGES_A_DAY} changes of the site's list; one reconnection.",
        _table(
            ("Message", "A day", "Bytes each", "Way"),
            [(name, f"{count:,}", f"{each:,.0f}", way) for name, (count, each, way) in day.items()],
        ),
        f"Together {up:,} messages up and {down:,} down, {bytes_ / 1e6:.2f} MB, of which "
        f"{rows:,} are rows; over a metered line {30 * bytes_ / 1e6:.0f} MB a month, with a ping of 2 bytes and "
        f"its "
        f"answer every {KEEPALIVE_S} s at most and TLS besides. Together in one message a passage takes "
        f"{size['ev, the 4 rows of a passage']:,} bytes instead of "
        f"{size['ev, each row of a passage by itself']:,}, and 100 rows after an outage "
        f"{size['ev, 100 rows']:,}.",
        "## A fleet",
        f"{EDGES_A_SITE} edges a site; a peak is {PEAK} times the day's mean.",
        _fleet(up, down, rows),
        f"A commit for each batch, as the reference portal makes it. Processors: {MESSAGE_MS} ms a message, a "
        f"verified signature is {VERIFY_MS} ms of it. Rows are kept for a year at {ROW_BYTES} bytes.",
        "## All come back",
        _storm(size),
        "## A million entries",
        _million(),
        "## What bends first, and then",
        _bends(size),
    ]
    return "\n\n".join(parts) + "\n"


def _million() -> str:
    return (
        "Half users with a plate each, half their permits, from a portal to one edge: "
        f"{whole_list(10**6) / 1e6:,.0f} MB on the way. In force {MILLION_S} s after the connection began, beside "
        f"a load of 10 on two cores; {MILLION_CPU_S} s of it are the edge's processor. The edge has "
        f"{MILLION_EDGE_MIB} MiB then and at most, and {MILLION_EDGE_DISK_MIB} MiB on the disk, from which a start "
        f"loads them in {MILLION_LOADED_S} s; the portal {MILLION_PORTAL_MIB} MiB and {MILLION_PORTAL_DISK_MIB} "
        f"MiB, the broker {MILLION_BROKER_MIB} MiB. A plate is found in {MILLION_LOOKUP_US} µs, look-alikes too."
        "\n\n"
        f"What bends above that is memory: some {_each(MILLION_EDGE_MIB)} bytes an entry at an edge, twice that "
        "while one such list takes another's place, because the old one is in force until then; "
        f"{_each(MILLION_PEAK_MIB)} at a portal that is filled. A portal cuts a long list beside its other work, "
        "packs it once, and reads only the parts that it sends."
    )


def _each(mib: int) -> str:
    """Bytes of each of a million, in words."""
    return f"{round(mib * 2**20 / 1e6, -1):,.0f}"


def _day(size: dict[str, int]) -> dict[str, tuple[int, float, str]]:
    """Messages of one edge a day: how many, bytes of each, which way."""
    rows, heads = PASSAGES_A_DAY * len(passage()), round(DAY_S / HEAD_EVERY_S)
    return {
        "`ev`, a row each": (rows, size["ev, each row of a passage by itself"] / len(passage()), "up"),
        "`ev/ack`": (rows, size["ev/ack"], "down"),
        "`claim`": (PASSAGES_A_DAY, size["claim"], "up"),
        "`claim/r`": (PASSAGES_A_DAY, size["claim/r"], "down"),
        "`list/head`, every half hour and with each change": (heads + CHANGES_A_DAY, size["list/head"], "down"),
        "`list/delta`": (CHANGES_A_DAY, size["list/delta, a user and a permit"], "down"),
        "`state`, after each of them": (heads + CHANGES_A_DAY + 3, size["state"], "up"),
        "`list/get`": (2, size["list/get"], "up"),
    }


def _fleet(up: int, down: int, rows: int) -> str:
    lines: dict[str, list[str]] = {
        name: []
        for name in (
            "connections",
            "kept messages: a state each; head and keys a site",
            "messages a second through the broker, mean",
            "the same at a peak",
            "rows, and commits, a second at a peak",
            "processors of all portals at a peak",
            "rows a year",
            "database a year",
        )
    }
    for edges in FLEETS:
        sites = edges // EDGES_A_SITE
        second = edges / DAY_S
        values = (
            f"{edges + sites:,}",
            f"{edges + 2 * sites:,}",
            f"{(up + down) * second:,.0f}",
            f"{PEAK * (up + down) * second:,.0f}",
            f"{PEAK * rows * second:,.0f}",
            f"{PEAK * up * second * MESSAGE_MS / 1000:,.1f}",
            f"{365 * rows * edges / 1e6:,.0f} million",
            f"{365 * rows * edges * ROW_BYTES / 1e9:,.0f} GB",
        )
        for name, value in zip(lines, values, strict=True):
            lines[name].append(value)
    head = ("", *(f"{edges:,} edges" for edges in FLEETS))
    return _table(head, [(name, *values) for name, values in lines.items()])


def _storm(size: dict[str, int]) -> str:
    waits = Backoff()
    first_s, edges = 2 * waits.least_s, FLEETS[-1]
    work_s = edges * STORM_MESSAGES * MESSAGE_MS / 1000
    per_second = 1000 / MESSAGE_MS
    history = edges * 7 * PASSAGES_A_DAY * len(passage())
    return (
        f"The first wait of an edge is drawn from {waits.least_s:.0f} to {3 * waits.least_s:.0f} s, each later "
        f"one up "
        f"to three times the one before and {waits.most_s:.0f} s at most. After a blink of the broker {edges:,} "
        f"edges "
        f"come back within {first_s:.0f} s, {edges / first_s:,.0f} connections a second; after an hour within "
        f"{waits.most_s:.0f} s, {edges / waits.most_s:,.0f} a second.\n\n"
        f"Each then sends {STORM_MESSAGES} messages: births, questions for the list, and rows. That is "
        f"{edges * STORM_MESSAGES:,.0f} messages and {work_s:,.0f} s of one processor: spread over the "
        f"{edges // EDGES_A_SITE:,} sites {1000 * work_s / (edges / EDGES_A_SITE):,.0f} ms each. One portal "
        f"process "
        f"handles {per_second:,.0f} a second, {per_second / STORM_MESSAGES:,.0f} returning edges: a site of 1,000 "
        f"takes {1000 * STORM_MESSAGES / per_second:,.0f} s. What falls out of a broker's queue comes again after "
        f"{RESEND_AFTER_S:.0f} s.\n\n"
        f"A week alone is {history / 1e6:,.0f} million rows of the whole fleet, "
        f"{history / ROWS_A_SECOND / 3600:,.1f} h "
        f"at the {ROWS_A_SECOND:,} rows a second of one portal on two cores, {history / ROWS_A_SECOND / 600:,.0f} "
        f"minutes at ten of them; live rows go first, and the portal says with each acknowledgement how long to "
        f"wait."
    )


def _bends(size: dict[str, int]) -> str:
    queue = round(QUEUE_LEN_MAX / STORM_MESSAGES, -2)
    whole = whole_list(ENTRIES_A_SITE)
    rows = [
        (
            "1. a portal's line of messages: one after the other, a commit each",
            f"{1000 / MESSAGE_MS:,.0f} messages a second a process; seen in `storm`",
            "workers on the shared subscription `$share/ingest/...`, which the books allow because an event is "
            "known "
            "by edge, ledger and number; then portals by site, which share nothing",
        ),
        (
            "2. the database's commits",
            "one for each message: as many a second as its disk takes",
            "several batches in one transaction; a database with several writers, its events partitioned by site "
            "and "
            "month, the unique key (edge, ledger, seq)",
        ),
        (
            "3. connections after a blink",
            f"{FLEETS[-1] / 2:,.0f} TLS handshakes a second (not measured here)",
            "a limit of new connections at the load balancer: who is refused waits longer the next time",
        ),
        (
            "4. the broker's queue to a portal",
            f"{STORM_MESSAGES} messages an edge: {QUEUE_LEN_MAX:,} hold {queue:,.0f} edges; at the usual 1,000 "
            f"only "
            f"{1000 / STORM_MESSAGES:,.0f}",
            "raise it for portals' clients; nothing is lost without, only later by half a minute",
        ),
        (
            "5. whole lists, if portals were lost",
            f"{ENTRIES_A_SITE:,} entries are {whole / 1e3:,.0f} kB an edge, packed, "
            f"{FLEETS[-1] * whole / 1e9:,.1f} GB for the fleet; a million {whole_list(10**6) / 1e6:,.0f} MB",
            "they are asked for in parts, 8 ahead, and go on where they were cut; lists stay by site",
        ),
    ]
    return _table(("What", "Where", "What to do"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
