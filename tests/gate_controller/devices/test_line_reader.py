from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_controller.devices.codec import BadBytes, CardRead, DeviceOnline, LineRead, Pulse, PulseId, Signal
from gate_controller.devices.line_reader import (
    IDLE_FLUSH_S,
    LINE_LEN_MAX,
    SAME_LINE_WINDOW_S,
    LineFormat,
    LineReader,
    Lines,
)
from gate_controller.moment import Moment

FIXTURE = Path(__file__).parents[2] / "fixtures" / "devices" / "line_reader.txt"
GOOD = b"Q1.abc\r"
CODATEX = Lines(LineFormat.HEX, 40, b"\x02R", b"\x04")


def vectors() -> list[tuple[Lines, bytes, str]]:
    found = []
    for line in FIXTURE.read_text().splitlines():
        if not line.startswith("#"):
            head, rest = line.split(": ")
            kind, bits, start, ends = head.split()
            wire, meaning = rest.split(" = ")
            lines = Lines(
                LineFormat(kind), int(bits), b"" if start == "-" else bytes.fromhex(start), bytes.fromhex(ends)
            )
            found.append((lines, bytes.fromhex(wire), meaning))
    return found


def at(mono_s: float) -> Moment:
    return Moment(datetime(2026, 1, 1, tzinfo=UTC), mono_s)


def opened(lines: Lines | None = None) -> LineReader:
    codec = LineReader(lines) if lines else LineReader()
    assert codec.receive(b"", at(0)) == [DeviceOnline()]
    return codec


def texts(signals: list[Signal]) -> list[str]:
    return [signal.text for signal in signals if isinstance(signal, LineRead | CardRead)]


def thrown(signals: list[Signal]) -> int:
    return sum(signal.count for signal in signals if isinstance(signal, BadBytes))


@pytest.mark.parametrize(("lines", "wire", "meaning"), vectors())
def test_recorded_lines(lines: Lines, wire: bytes, meaning: str) -> None:
    signals = opened(lines).receive(wire, at(1))
    if meaning == "bad":
        (bad,) = signals
        assert isinstance(bad, BadBytes)
        assert bad.count == len(wire.rstrip(b"\r\n\x04"))
    elif lines.format is LineFormat.CODE:
        assert signals == [LineRead(meaning)]
    else:
        assert signals == [CardRead(lines.bits, int(meaning, 16), meaning)]


@pytest.mark.parametrize(("lines", "wire", "meaning"), [row for row in vectors() if row[2] == "bad"])
def test_the_line_after_a_bad_one_is_read(lines: Lines, wire: bytes, meaning: str) -> None:
    good = next(row for row in vectors() if row[0] == lines and row[2] != "bad")
    assert texts(opened(lines).receive(wire + good[1], at(1))) == [good[2]]


def test_an_end_alone_says_nothing() -> None:
    assert opened().receive(b"\r\n\r\r\n", at(1)) == []


def test_a_line_at_the_limit_is_read_and_one_beyond_it_is_counted_once() -> None:
    assert texts(opened().receive(b"x" * LINE_LEN_MAX + b"\r", at(1))) == ["x" * LINE_LEN_MAX]
    signals = opened().receive(b"x" * 100_000 + b"\r" + GOOD, at(1))
    assert [type(signal) for signal in signals] == [BadBytes, LineRead]
    assert thrown(signals) == 100_000


def test_a_line_without_end_is_given_up_and_its_rest_is_not_the_next_one() -> None:
    codec = opened()
    assert codec.receive(b"Q1.", at(1)) == []
    assert codec.deadline() == pytest.approx(1 + IDLE_FLUSH_S)
    assert codec.receive(b"", at(1 + IDLE_FLUSH_S / 2)) == []
    assert codec.receive(b"", at(1.01 + IDLE_FLUSH_S)) == [BadBytes(3, "no end of the line")]
    assert codec.deadline() is None
    assert texts(codec.receive(GOOD, at(1.2))) == ["Q1.abc"]


def test_bytes_that_are_handed_over_late_go_on_with_their_line() -> None:
    codec = opened()
    codec.receive(b"Q1.", at(1))
    assert texts(codec.receive(b"abc\r", at(1.5))) == ["Q1.abc"]


def test_a_line_that_comes_again_is_said_once_until_it_was_away_for_two_seconds() -> None:
    codec = opened()
    seen = [texts(codec.receive(GOOD, at(1 + step * 0.5))) for step in range(10)]
    assert seen == [["Q1.abc"]] + [[]] * 9
    last_s = 1 + 9 * 0.5
    assert texts(codec.receive(GOOD, at(last_s + SAME_LINE_WINDOW_S))) == []
    assert texts(codec.receive(GOOD, at(last_s + 2 * SAME_LINE_WINDOW_S + 0.1))) == ["Q1.abc"]
    assert texts(codec.receive(b"other\r" + GOOD, at(last_s + 5.0))) == ["other", "Q1.abc"]


def test_a_frame_that_lost_its_end_does_not_spoil_the_next() -> None:
    signals = opened(CODATEX).receive(b"\x02R1D37\x02R1D37FA4B02\x04", at(1))
    assert texts(signals) == ["1D37FA4B02"]
    assert signals[0] == BadBytes(6, "bytes before a line")


def test_half_a_line_does_not_survive_the_loss_of_the_port() -> None:
    codec = opened()
    codec.receive(b"Q1.", at(1))
    codec.lost()
    assert codec.receive(b"abc\r", at(2)) == [DeviceOnline(), LineRead("abc")]


def test_it_writes_nothing_and_shows_no_line_in_a_log() -> None:
    codec = opened()
    assert codec.send([Pulse(0, PulseId("a"), 0.5, 99.0)], at(1)) == b""
    assert "Q1" not in repr(codec.receive(GOOD, at(1)))
    assert "Q1" not in repr(codec)


KINDS = st.sampled_from([Lines(), CODATEX, Lines(LineFormat.DECIMAL, 32), Lines(LineFormat.HEX, 24, b"", b"\r")])
NEXT = b"\rQ1.abc\r0000123478\r12CDEF\r\x02R1D37FA4B02\x04"
"""For each of the kinds one good line."""
NOISE = st.lists(
    st.sampled_from([b"\r", b"\n", b"\x02R", b"\x04", b"\x00", b"\xff", b"12CDEF", b"x" * 600]) | st.binary()
)


@given(KINDS, NOISE)
def test_whatever_comes_the_next_line_is_read(lines: Lines, chunks: list[bytes]) -> None:
    codec = opened(lines)
    for step, chunk in enumerate(chunks):
        codec.receive(chunk, at(1 + step))
        codec.receive(b"", at(1.5 + step))
    meant = {LineFormat.CODE: "Q1.abc", LineFormat.DECIMAL: "0001E256", LineFormat.HEX: "12CDEF"}[lines.format]
    said = texts(codec.receive(NEXT, at(len(chunks) + 10.0)))
    assert ("1D37FA4B02" if lines == CODATEX else meant) in said


@given(NOISE)
def test_every_byte_is_read_or_counted_or_an_end_and_what_is_read_is_tame(chunks: list[bytes]) -> None:
    codec, signals = opened(), []
    for step, chunk in enumerate(chunks):
        signals += codec.receive(chunk, at(1 + step))
        signals += codec.receive(b"", at(1.5 + step))
    said = texts(signals)
    assert all(text.isascii() and text.isprintable() and 0 < len(text) <= LINE_LEN_MAX for text in said)
    wire = b"".join(chunks)
    ends = sum(byte in b"\r\n" for byte in wire)
    left_out = len(wire) - ends - thrown(signals) - sum(map(len, said))
    # The pause after each chunk ends a line, too, that has no end: it is given up.
    ended = [chunk.replace(b"\n", b"\r").split(b"\r")[:-1] for chunk in chunks]
    lines = [line for chunk in ended for line in chunk if line]
    assert left_out == 0 or (left_out > 0 and len(set(lines)) < len(lines)), "only what is said again is left out"


@given(KINDS, st.binary(max_size=80), st.lists(st.integers(0, 120)))
def test_chunking_does_not_change_what_is_read(lines: Lines, noise: bytes, cuts: list[int]) -> None:
    wire = noise + GOOD + b"0000123478\r\n12CDEF\r\x02R1D37FA4B02\x04" + b"y" * 700
    whole = opened(lines).receive(wire, at(1))
    codec, pieces, start = opened(lines), [], 0
    for cut in [*sorted(cuts), len(wire)]:
        pieces += codec.receive(wire[start:cut], at(1))
        start = max(start, cut)
    assert pieces == whole
