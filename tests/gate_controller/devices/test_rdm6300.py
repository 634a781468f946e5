from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.devices.codec import BadBytes, CardRead, DeviceOnline, Pulse, PulseId
from gate_controller.devices.rdm6300 import SAME_CARD_WINDOW_S, Rdm6300
from gate_controller.moment import Moment

FIXTURE = Path(__file__).parents[2] / "fixtures" / "devices" / "rdm6300.txt"
VECTORS = [
    (bytes.fromhex(wire), meaning.strip())
    for wire, meaning in (line.split("=") for line in FIXTURE.read_text().splitlines() if not line.startswith("#"))
]
GOOD, GOOD_TEXT = VECTORS[0]


def at(mono_s: float) -> Moment:
    return Moment(datetime(2026, 1, 1, tzinfo=UTC), mono_s)


def opened() -> Rdm6300:
    codec = Rdm6300()
    assert codec.receive(b"", at(0)) == [DeviceOnline()]
    return codec


def cards(signals):
    return [signal.text for signal in signals if isinstance(signal, CardRead)]


@pytest.mark.parametrize(("wire", "meaning"), VECTORS)
def test_recorded_frames(wire, meaning):
    signals = opened().receive(wire, at(1))
    if meaning == "bad":
        assert signals == [BadBytes(len(wire), "no RDM6300 frame")]
    else:
        assert signals == [CardRead(40, int(meaning, 16), meaning)]


@pytest.mark.parametrize(("wire", "meaning"), VECTORS)
def test_the_frame_after_a_recorded_one_is_read(wire, meaning):
    other = VECTORS[1] if wire == GOOD else VECTORS[0]
    assert cards(opened().receive(wire + other[0], at(1)))[-1] == other[1]


def test_a_wrong_checksum_is_no_card():
    wrong = GOOD.replace(b"A3", b"A4")
    assert opened().receive(wrong, at(1)) == [BadBytes(14, "wrong checksum")]


def test_a_badge_held_there_is_read_once_until_it_was_away_for_two_seconds():
    codec = opened()
    seen = [cards(codec.receive(GOOD, at(1 + step * 0.5))) for step in range(10)]
    assert seen == [[GOOD_TEXT]] + [[]] * 9
    last_s = 1 + 9 * 0.5
    assert cards(codec.receive(GOOD, at(last_s + SAME_CARD_WINDOW_S))) == []
    assert cards(codec.receive(GOOD, at(last_s + 2 * SAME_CARD_WINDOW_S + 0.1))) == [GOOD_TEXT]


def test_another_badge_is_read_at_once():
    assert cards(opened().receive(GOOD + VECTORS[1][0], at(1))) == [GOOD_TEXT, VECTORS[1][1]]


def test_half_a_frame_does_not_survive_the_loss_of_the_port():
    codec = opened()
    codec.receive(GOOD[:7], at(1))
    codec.lost()
    assert codec.receive(GOOD[7:], at(2))[0] == DeviceOnline()
    assert cards(codec.receive(GOOD, at(3))) == [GOOD_TEXT]


def test_it_writes_nothing():
    codec = opened()
    assert codec.send([Pulse(0, PulseId("a"), 0.5, 99.0)], at(1)) == b""
    assert codec.deadline() is None


@given(st.lists(st.sampled_from([b"\x02", b"\x03", b"\r\n", b"0", b"A", b"<", GOOD, GOOD[:9]]) | st.binary()))
def test_whatever_came_before_the_second_good_frame_is_read(chunks):
    codec = Rdm6300()
    for step, chunk in enumerate(chunks):
        codec.receive(chunk, at(step))
    later_s = len(chunks) + 10
    # Noise that ends inside a frame may cost the next one, never the one after.
    texts = cards(codec.receive(GOOD, at(later_s))) + cards(codec.receive(GOOD, at(later_s + 10)))
    assert GOOD_TEXT in texts


@given(st.binary(), st.lists(st.integers(0, 80)))
def test_chunking_does_not_change_what_is_read(noise, cuts):
    wire = noise + GOOD + VECTORS[1][0] + GOOD[:5] + VECTORS[2][0]
    whole = opened().receive(wire, at(1))
    codec, pieces, start = opened(), [], 0
    for cut in [*sorted(cuts), len(wire)]:
        pieces += codec.receive(wire[start:cut], at(1))
        start = max(start, cut)
    assert cards(pieces) == cards(whole)
    assert sum(s.count for s in pieces if isinstance(s, BadBytes)) == sum(
        s.count for s in whole if isinstance(s, BadBytes)
    )
