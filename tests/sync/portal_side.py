"""What a portal would sign, made by hand: keys, messages with every field free, a clock that is set at will."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from gate_controller.allowlist import Change, PermitPut, UserPut
from gate_controller.lane import Order
from gate_controller.moment import Moment
from sync.codec import encode_change
from sync.messages import Address, ClaimReply, Cmd, EventAck, Left, ListDelta, ListHead, ListMend, ListPart
from sync.orders import LaneOrder
from sync.packing import packed
from sync.roots import Buckets, bucket_of
from sync.signing import ROOT, Envelope, KeySet, Signer
from tests.sync.samples import T0

EDGE = Address("t", "s", "e1")
ROOT_KEY, ONLINE, NEXT, THIEF = (
    Signer.of(b"\1" * 32, ROOT), Signer.of(b"\2" * 32), Signer.of(b"\3" * 32), Signer.of(b"\4" * 32),
)  # fmt: skip
DEVICE = Signer.of(b"\7" * 32)
T = TypeVar("T")
NONCE = "boot-1"
OPEN = LaneOrder("entry", Order.OPEN, "joris", "ambulance")
LIVES = timedelta(hours=2)


class Clock:
    """The edge's clock: both times, set by the test."""

    def __init__(self) -> None:
        self.wall, self.mono_s = T0, 0.0

    def __call__(self) -> Moment:
        return Moment(self.wall, self.mono_s)

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono_s += seconds


def keyset(version: int, *signers: Signer, by: Signer = ROOT_KEY, **other: Any) -> bytes:
    keys = {signer.kid: signer.public for signer in signers}
    claims = {"aud": "t/s", "iat": T0, "exp": T0 + timedelta(days=3650)} | other
    return by.sign(KeySet(**claims, version=version, keys=keys))


def head(rev: int, era: int = 1, by: Signer = ONLINE, iat: datetime = T0, **other: Any) -> bytes:
    fields = {"aud": "t/s", "exp": iat + LIVES, "epoch": f"e{era}", "root": ""} | other
    return by.sign(ListHead(iat=iat, era=era, rev=rev, **fields))


def delta(
    from_: int,
    to: int,
    changes: Sequence[Change] = (),
    root: str = "",
    era: int = 1,
    by: Signer = ONLINE,
    iat: datetime = T0,
    **other: Any,
) -> bytes:
    fields = {"aud": "t/s", "exp": iat + LIVES, "epoch": f"e{era}", "ops": [*map(encode_change, changes)]} | other
    return by.sign(ListDelta(iat=iat, era=era, from_=from_, to=to, root=root, **fields))


def parts(
    rev: int,
    entries: Sequence[Change],
    size: int,
    era: int = 1,
    by: Signer = ONLINE,
    iat: datetime = T0,
    **other: Any,
) -> list[bytes]:
    """A whole list, so many entries a part."""
    cut = [entries[at : at + size] for at in range(0, len(entries), size)] or [[]]
    fields = {"aud": "t/s", "exp": iat + LIVES, "epoch": f"e{era}", "root": root_of(entries)} | other
    ops = [{"packed": packed(map(encode_change, part))} for part in cut]
    return [
        by.sign(ListPart(iat=iat, era=era, rev=rev, part=n, parts=len(cut), **(mine | fields)))
        for n, mine in enumerate(ops)
    ]


def mend(
    rev: int,
    entries: Sequence[Change],
    buckets: Sequence[int],
    era: int = 1,
    by: Signer = ONLINE,
    iat: datetime = T0,
    **other: Any,
) -> bytes:
    """Of a whole list, what is in these buckets."""
    ops = [op for kind, key, op in map(entry_of, entries) if bucket_of(kind, key.encode()) in buckets]
    fields = {"aud": "t/s", "exp": iat + LIVES, "epoch": f"e{era}", "root": root_of(entries), "ops": ops} | other
    return by.sign(ListMend(iat=iat, era=era, rev=rev, buckets=[*buckets], **fields))


def order(cseq: int, cmd_id: str = "", by: Signer = ONLINE, iat: datetime = T0, **other: Any) -> bytes:
    fields: dict[str, Any] = {"aud": EDGE.audience, "exp": iat + timedelta(seconds=10), "nonce": NONCE, "ask": OPEN}
    return by.sign(Cmd(iat=iat, cseq=cseq, cmd_id=cmd_id or f"c{cseq}", **(fields | other)))


def ack(through: int, by: Signer = ONLINE, **other: Any) -> bytes:
    return by.sign(EventAck(through=through, **({"aud": EDGE.audience, "ledger": "L1"} | other)))


def said(kind: type[T], payload: bytes) -> T:
    """What is in a signed message, whoever signed it."""
    return msgspec.json.decode(msgspec.json.decode(payload, type=Envelope).body, type=kind)


def entry_of(entry: Change) -> tuple[str, str, msgspec.Raw]:
    """Its kind, key and bytes."""
    assert isinstance(entry, UserPut | PermitPut)
    kind, key = ("user", entry.user.id) if isinstance(entry, UserPut) else ("permit", entry.permit.id)
    return kind, key, encode_change(entry)


def buckets_of(entries: Sequence[Change]) -> Buckets:
    buckets = Buckets()
    for kind, key, op in map(entry_of, entries):
        buckets.add(kind, key, bytes(op).decode())
    return buckets


def root_of(entries: Sequence[Change]) -> str:
    return buckets_of(entries).root


def claim_reply(claim_id: str, fence: int | None, by: Signer = ONLINE, **other: Any) -> bytes:
    fields: dict[str, Any] = {"aud": EDGE.audience, "iat": T0, "exp": T0 + timedelta(seconds=2), "holder": ""}
    return by.sign(ClaimReply(claim_id=claim_id, fence=fence, **(fields | other)))


def left(*sessions: str, by: Signer = ONLINE, **other: Any) -> bytes:
    fields: dict[str, Any] = {"aud": EDGE.audience, "iat": T0, "exp": T0 + LIVES}
    return by.sign(Left(sessions=[*sessions], **(fields | other)))
