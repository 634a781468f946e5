"""The envelope: what holds, and the one reason for each thing that does not."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.errors import MessageRefused
from sync.signing import (
    AHEAD_MAX,
    ROOT,
    Envelope,
    KeyRing,
    KeySet,
    Refusal,
    Signed,
    Signer,
    in_time,
    key_id,
    verify,
)

T0 = datetime(2026, 3, 1, 7, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIGNER, OTHER, ROOT_KEY = Signer.of(b"\1" * 32), Signer.of(b"\2" * 32), Signer.of(b"\3" * 32, ROOT)


class Note(Signed, frozen=True, kw_only=True):
    kind: Literal["note"] = "note"
    text: str


class Order(Signed, frozen=True, kw_only=True):
    kind: Literal["order"] = "order"
    text: str


def note(**other: Any) -> Note:
    return Note(**({"aud": "t/s", "iat": T0, "exp": T0 + MINUTE, "text": "hello"} | other))


def key_set(version: int, *signers: Signer) -> KeySet:
    keys = {signer.kid: signer.public for signer in signers}
    return KeySet(aud="t/s", iat=T0, exp=T0 + MINUTE, version=version, keys=keys)


RING = KeyRing.of_set(key_set(1, SIGNER))


def reason(payload: bytes, ring: KeyRing = RING, bytes_max: int = 4096) -> str:
    with pytest.raises(MessageRefused) as refused:
        verify(payload, Note, "t/s", ring, bytes_max)
    return refused.value.reason


def test_a_signed_message_comes_back_with_its_signer() -> None:
    assert verify(SIGNER.sign(note()), Note, "t/s", RING, 4096) == (SIGNER.kid, note())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", Refusal.MALFORMED),
        (b"{}", Refusal.MALFORMED),
        (b"[" * 5000, Refusal.OVERSIZED),
        (b"[" * 4000, Refusal.MALFORMED),
        (b"\xff" * 50, Refusal.MALFORMED),
        (OTHER.sign(note()), Refusal.UNKNOWN_KEY),
        (ROOT_KEY.sign(note()), Refusal.UNKNOWN_KEY),
        (Signer(OTHER.key, SIGNER.kid).sign(note()), Refusal.BAD_SIGNATURE),
        (SIGNER.sign(note()).replace(b"hello", b"hullo"), Refusal.BAD_SIGNATURE),
        (SIGNER.sign(note()).replace(b'"text":"', b'"text": "'), Refusal.BAD_SIGNATURE),
        (SIGNER.sign(Order(aud="t/s", iat=T0, exp=T0 + MINUTE, text="hello")), Refusal.WRONG_KIND),
        (SIGNER.sign(note(aud="t/other")), Refusal.WRONG_AUDIENCE),
        (SIGNER.sign(note(text=7)), Refusal.MALFORMED),
        (SIGNER.sign(note(iat=T0.replace(tzinfo=None))), Refusal.MALFORMED),
        (SIGNER.sign(note(text="x" * 5000)), Refusal.OVERSIZED),
    ],
)
def test_each_refusal_has_one_reason(payload: bytes, why: Refusal) -> None:
    assert reason(payload) == why


def test_a_signature_made_for_something_else_does_not_fit() -> None:
    body = msgspec.json.encode(note())
    assert reason(msgspec.json.encode(Envelope(SIGNER.kid, SIGNER.key.sign(body), msgspec.Raw(body)))) == (
        Refusal.BAD_SIGNATURE
    )


@given(st.data())
def test_no_change_of_a_byte_goes_unnoticed(data: st.DataObject) -> None:
    payload = bytearray(SIGNER.sign(note()))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    # Inside base64 a few spellings mean the same signature; the message is then still the one that was signed.
    try:
        found = verify(bytes(payload), Note, "t/s", RING, 4096)
    except MessageRefused as refused:
        why = refused.reason
    else:
        why = "" if found == (SIGNER.kid, note()) else "believed"
    assert why in ("", Refusal.MALFORMED, Refusal.UNKNOWN_KEY, Refusal.BAD_SIGNATURE)


def test_only_the_root_key_makes_a_key_set_and_it_makes_nothing_else() -> None:
    root = KeyRing.of_root(ROOT_KEY.public)
    _, found = verify(ROOT_KEY.sign(key_set(2, OTHER)), KeySet, "t/s", root, 4096)
    ring = KeyRing.of_set(found)
    assert ring.version == 2
    assert verify(OTHER.sign(note()), Note, "t/s", ring, 4096)[1] == note()
    assert reason(SIGNER.sign(note()), ring) == Refusal.UNKNOWN_KEY
    with pytest.raises(MessageRefused, match="unknown_key"):
        verify(SIGNER.sign(key_set(3, SIGNER)), KeySet, "t/s", root, 4096)


@pytest.mark.parametrize("keys", [{"me": SIGNER.public}, {key_id(b"x"): b"x"}, {ROOT: SIGNER.public}])
def test_a_key_that_is_none_or_has_another_s_name_is_refused(keys: dict[str, bytes]) -> None:
    with pytest.raises(MessageRefused, match="malformed"):
        KeyRing.of_set(KeySet(aud="t/s", iat=T0, exp=T0, version=1, keys=keys))


def test_a_message_is_over_at_its_end() -> None:
    in_time(note(), T0 + MINUTE - timedelta(microseconds=1))
    in_time(note(), T0 - timedelta(days=9000))
    for over in (note(exp=T0), note(exp=T0 - MINUTE), note(exp=T0 + MINUTE)):
        with pytest.raises(MessageRefused, match="expired"):
            in_time(over, T0 + MINUTE)
    with pytest.raises(MessageRefused, match="expired"):
        in_time(note(exp=T0 - MINUTE), T0 - timedelta(days=9000))


def test_an_order_lives_shortly_and_not_in_the_future() -> None:
    in_time(note(), T0, MINUTE)
    in_time(note(), T0 - AHEAD_MAX, MINUTE)
    with pytest.raises(MessageRefused, match="not_yet"):
        in_time(note(), T0 - AHEAD_MAX - timedelta(seconds=1), MINUTE)
    with pytest.raises(MessageRefused, match="too_long_lived"):
        in_time(note(), T0, MINUTE / 2)


def test_a_key_for_passes_signs_no_message() -> None:
    passes = Signer.of(bytes(31) + b"\x07")
    told = KeySet(aud="demo/garage", iat=T0, exp=T0, version=2, keys={}, passes={passes.kid: passes.public})
    ring = KeyRing.of_set(told)
    assert [*ring.passes] == [passes.kid]
    with pytest.raises(MessageRefused, match="unknown_key"):
        verify(passes.sign(told), KeySet, "demo/garage", ring, 4096)
