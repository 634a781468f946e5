from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate_controller.devices.codec import (
    BadBytes,
    ContactChanged,
    DeviceOnline,
    DeviceSilent,
    Level,
    LevelRefused,
    Pulse,
    PulseDone,
    PulseId,
    PulseUncertain,
)
from gate_controller.devices.modbus_relay8 import (
    CHANNELS,
    LEVEL_REFRESH_S,
    POLL,
    POLL_EVERY_S,
    REPLY_WITHIN_S,
    ModbusRelay8,
    coil,
    crc16,
    flash,
)
from gate_controller.moment import Moment

FIXTURE = Path(__file__).parents[2] / "fixtures" / "devices" / "modbus_relay8.txt"
FRAMES = {
    name.strip(): bytes.fromhex(wire)
    for name, wire in (line.split("=") for line in FIXTURE.read_text().splitlines() if not line.startswith("#"))
}


def at(mono_s: float) -> Moment:
    return Moment(datetime(2026, 1, 1, tzinfo=UTC), mono_s)


def inputs_reply(bits: int) -> bytes:
    body = bytes([1, 2, 1, bits])
    return body + crc16(body)


def pulse(name: str, channel: int = 0, width_s: float = 0.5, expires_s: float = 1e9) -> Pulse:
    return Pulse(channel, PulseId(name), width_s, expires_s)


@dataclass
class Bench:
    """A codec, a clock and a board that answers unless told otherwise: the caller's part of the contract."""

    codec: ModbusRelay8 = field(default_factory=ModbusRelay8)
    now_s: float = 0.0
    bits: int = 0
    answers: bool = True
    levels: list[Level] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    signals: list[object] = field(default_factory=list)

    def reply(self, request: bytes) -> bytes:
        return inputs_reply(self.bits) if request == POLL else request

    def drive(self, *wanted):
        self.levels = [drive for drive in wanted if isinstance(drive, Level)]
        self._write(self.codec.send(wanted, at(self.now_s)))

    def _write(self, request: bytes):
        if request:
            self.written.append(request)
            self.now_s += 0.02
            if self.answers:
                self.signals += self.codec.receive(self.reply(request), at(self.now_s))

    def turn(self):
        deadline_s = self.codec.deadline()
        assert deadline_s is not None
        self.now_s = max(self.now_s, deadline_s)
        self.signals += self.codec.receive(b"", at(self.now_s))
        self._write(self.codec.send(self.levels, at(self.now_s)))

    def run(self, for_s: float):
        until_s = self.now_s + for_s
        for _ in range(100_000):
            if (self.codec.deadline() or 0.0) > until_s:
                self.now_s = until_s
                return
            self.turn()
        raise AssertionError("the codec asks to be called without end")

    def online(self):
        self.run(0.03)
        assert self.signals[0] == DeviceOnline()
        return self


def test_frames_of_the_manual():
    assert coil(Level(0, True)) == FRAMES["relay 0 on"]
    assert coil(Level(0, False)) == FRAMES["relay 0 off"]
    assert flash(pulse("a", width_s=1.0)) == FRAMES["relay 0 flash 1 s"]
    assert bytes.fromhex("01 02 00 00 00 08 79 CC") == POLL


def test_the_board_comes_online_with_all_its_contacts():
    bench = Bench(bits=0b1000_0001).online()
    assert bench.signals[1:] == [ContactChanged(ch, ch in (0, 7)) for ch in range(CHANNELS)]


def test_it_polls_ten_times_a_second():
    bench = Bench().online()
    bench.run(2.0)
    assert bench.written.count(POLL) == pytest.approx(2.0 / POLL_EVERY_S, abs=2)


def test_a_contact_change_is_told_once_within_200_ms():
    bench = Bench().online()
    bench.signals.clear()
    bench.bits = 0b100
    bench.run(0.2)
    assert bench.signals == [ContactChanged(2, True)]
    bench.run(1.0)
    assert bench.signals == [ContactChanged(2, True)]


def test_a_glitch_of_one_poll_is_no_change():
    bench = Bench().online()
    bench.signals.clear()
    bench.bits = 0b100
    polls = bench.written.count(POLL)
    while bench.written.count(POLL) == polls:
        bench.turn()
    bench.bits = 0
    bench.run(1.0)
    assert bench.signals == []


def test_a_pulse_is_written_at_once_and_confirmed():
    bench = Bench().online()
    bench.run(0.02)
    bench.drive(pulse("a", channel=3))
    assert bench.written[-1] == flash(pulse("a", channel=3))
    bench.turn()
    assert PulseDone(3, PulseId("a")) in bench.signals


def test_no_reply_to_a_pulse_is_uncertain_and_never_tried_again():
    bench = Bench().online()
    bench.run(0.02)
    bench.answers = False
    bench.drive(pulse("a"))
    bench.run(REPLY_WITHIN_S + 0.001)
    assert PulseUncertain(0, PulseId("a"), "no reply within 200 ms") in bench.signals
    bench.answers = True
    bench.run(5.0)
    assert bench.written.count(flash(pulse("a"))) == 1
    assert not [signal for signal in bench.signals if isinstance(signal, PulseDone)]


def test_a_late_echo_does_not_confirm_the_next_pulse():
    bench = Bench().online()
    bench.run(0.02)
    bench.answers = False
    bench.drive(pulse("a"))
    bench.run(REPLY_WITHIN_S + 0.001)
    bench.drive(pulse("b"))
    bench.run(0.01)
    bench.signals += bench.codec.receive(flash(pulse("a")), at(bench.now_s))
    assert not [signal for signal in bench.signals if isinstance(signal, PulseDone)]
    bench.answers = True
    bench.run(1.0)
    assert PulseDone(0, PulseId("b")) in bench.signals


def test_a_refused_pulse_is_uncertain():
    bench = Bench().online()
    bench.run(0.02)
    bench.reply = lambda request: b"\x01\x85\x02" + crc16(b"\x01\x85\x02")
    bench.drive(pulse("a"))
    bench.turn()
    assert PulseUncertain(0, PulseId("a"), "the board answered exception 2") in bench.signals


def test_an_expired_pulse_is_not_written():
    bench = Bench().online()
    bench.drive(pulse("a", expires_s=bench.now_s))
    bench.run(1.0)
    assert flash(pulse("a")) not in bench.written
    assert PulseUncertain(0, PulseId("a"), "not sent: it expired while waiting") in bench.signals


def test_a_pulse_offered_to_a_silent_board_is_not_sent_when_it_returns():
    bench = Bench(answers=False)
    bench.run(1.0)
    bench.drive(pulse("a"))
    bench.answers = True
    bench.run(2.0)
    assert DeviceOnline() in bench.signals
    assert flash(pulse("a")) not in bench.written
    assert PulseUncertain(0, PulseId("a"), "not sent: the board does not answer") in bench.signals


def test_three_missed_polls_are_silence_within_a_second_and_a_return_tells_all_contacts():
    bench = Bench(bits=0b10).online()
    bench.signals.clear()
    bench.answers = False
    bench.run(1.0)
    silences = [signal for signal in bench.signals if isinstance(signal, DeviceSilent)]
    assert len(silences) == 1
    bench.run(10.0)
    assert bench.signals == silences
    bench.answers = True
    bench.run(0.5)
    assert bench.signals[1:] == [DeviceOnline(), *(ContactChanged(ch, ch == 1) for ch in range(CHANNELS))]


def test_a_board_that_never_answered_is_silent_too():
    bench = Bench(answers=False)
    bench.run(1.0)
    assert [type(signal) for signal in bench.signals] == [DeviceSilent]


def test_levels_are_written_refreshed_and_asserted_after_a_return():
    bench = Bench().online()
    bench.drive(Level(4, True), Level(5, False))
    bench.run(0.2)
    assert bench.written.count(coil(Level(4, True))) == 1
    assert bench.written.count(coil(Level(5, False))) == 1
    bench.run(3 * LEVEL_REFRESH_S)
    assert bench.written.count(coil(Level(4, True))) == 4
    bench.drive(Level(4, False), Level(5, False))
    bench.run(0.1)
    assert coil(Level(4, False)) in bench.written
    bench.answers = False
    bench.run(2.0)
    bench.written.clear()
    bench.answers = True
    bench.run(0.5)
    assert bench.written.count(coil(Level(4, False))) == 1


def refusing(request: bytes) -> bytes:
    """A board that answers polls and takes no level."""
    return inputs_reply(0) if request == POLL else b"\x01\x85\x04" + crc16(b"\x01\x85\x04")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (refusing, "the board answered exception 4"),
        (lambda r: inputs_reply(0) * (r == POLL), "no reply within 200 ms"),
    ],
    ids=["refused", "unanswered"],
)
def test_a_level_that_the_board_does_not_take_is_told_once_until_it_does(reply, why):
    bench = Bench().online()
    taking, bench.reply = bench.reply, reply
    bench.signals.clear()
    bench.drive(Level(4, True), Level(5, False))
    bench.run(10 * LEVEL_REFRESH_S)
    told = [signal for signal in bench.signals if not isinstance(signal, BadBytes)]
    assert told == [LevelRefused(4, True, why), LevelRefused(5, False, why)]
    assert bench.written.count(coil(Level(4, True))) > 5
    bench.reply = taking
    bench.run(2 * LEVEL_REFRESH_S)
    assert bench.signals[-1] == told[-1]
    bench.reply = reply
    bench.run(3 * LEVEL_REFRESH_S)
    assert {signal.channel for signal in bench.signals[-4:] if isinstance(signal, LevelRefused)} == {4, 5}
    assert len([signal for signal in bench.signals if isinstance(signal, LevelRefused)]) == 4


def test_one_write_of_a_level_lost_to_noise_is_no_news():
    bench = Bench().online()
    taking, bench.reply = bench.reply, refusing
    bench.signals.clear()
    bench.drive(Level(4, True))
    while coil(Level(4, True)) not in bench.written:
        bench.turn()
    bench.reply = taking
    bench.run(3 * LEVEL_REFRESH_S)
    assert bench.signals == []
    assert bench.written.count(coil(Level(4, True))) >= 3


def test_a_board_that_falls_silent_is_not_said_to_refuse_levels_too():
    bench = Bench().online()
    bench.drive(Level(4, True), Level(5, True))
    bench.run(0.5)
    bench.answers = False
    bench.run(10.0)
    assert not [signal for signal in bench.signals if isinstance(signal, LevelRefused)]


def test_a_lost_port_forgets_a_waiting_pulse():
    bench = Bench().online()
    bench.codec.send([], at(bench.codec.deadline()))
    assert bench.codec.send([pulse("a")], at(bench.now_s + 0.11)) == b""
    bench.codec.lost()
    bench.now_s += 5.0
    bench.run(1.5)
    assert flash(pulse("a")) not in bench.written


def test_a_reply_is_found_behind_garbage():
    bench = Bench().online()
    bench.signals.clear()
    bench.reply = lambda request: b"\x01\x02\x01\x00\x00" + b"\xff\x01\x05" + inputs_reply(0b1)
    bench.run(0.5)
    assert ContactChanged(0, True) in bench.signals
    assert BadBytes(8, "no Modbus reply") in bench.signals


def test_half_a_reply_is_thrown_away_when_its_time_is_over():
    bench = Bench().online()
    bench.reply = lambda request: b"\x01\x05"
    bench.signals.clear()
    bench.run(0.6)
    assert [signal for signal in bench.signals if isinstance(signal, BadBytes)] == [
        BadBytes(2, "no Modbus reply")
    ] * 2


def test_an_echo_of_another_write_confirms_nothing():
    bench = Bench().online()
    bench.run(0.02)
    bench.reply = lambda request: flash(pulse("x", channel=7))
    bench.drive(pulse("a"))
    bench.run(0.3)
    assert BadBytes(8, "echo of another write") in bench.signals
    assert PulseUncertain(0, PulseId("a"), "no reply within 200 ms") in bench.signals


NOISE = st.binary(max_size=20) | st.sampled_from([inputs_reply(5), flash(pulse("1")), b"\x01\x05\x02", POLL])


@given(st.lists(NOISE))
def test_any_bytes_in_any_chunks_are_survived_and_the_next_silence_resyncs(chunks):
    bench = Bench()
    for chunk in chunks:
        bench.codec.send([], at(bench.now_s))
        bench.now_s += 0.01
        bench.codec.receive(chunk, at(bench.now_s))
    bench.bits = 0b1010
    bench.run(2.0)
    bench.signals.clear()
    bench.codec.lost()
    bench.run(0.5)
    assert ContactChanged(3, True) in bench.signals


ACTS = st.one_of(
    st.tuples(st.just("pulse"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.floats(0, 0.5)),
    st.tuples(st.just("answers"), st.booleans()),
    st.tuples(st.just("noise"), NOISE),
    st.tuples(st.just("lost"), st.none()),
)


@settings(max_examples=200)
@given(st.lists(ACTS, max_size=60))
def test_whatever_is_lost_each_pulse_is_written_at_most_once_and_never_once_expired(acts):
    bench = Bench()
    expiry_s: dict[int, float] = {}
    written_at_s: dict[bytes, float] = {}
    original = bench._write

    def watch(request: bytes):
        if request and request[1] == 5:
            assert request not in written_at_s
            written_at_s[request] = bench.now_s
        original(request)

    bench._write = watch
    for act, value in acts:
        match act:
            case "pulse" if value not in expiry_s:
                expiry_s[value] = bench.now_s + 0.3
                bench.drive(pulse(str(value), channel=value, expires_s=expiry_s[value]))
            case "wait":
                bench.run(value)
            case "answers":
                bench.answers = value
            case "noise":
                bench.signals += bench.codec.receive(value, at(bench.now_s))
            case "lost":
                bench.codec.lost()
    bench.answers = True
    bench.run(2.0)
    for channel, expires_s in expiry_s.items():
        sent_s = written_at_s.get(flash(pulse("", channel=channel)))
        assert sent_s is None or sent_s < expires_s
    told = [s.id for s in bench.signals if isinstance(s, PulseDone | PulseUncertain)]
    assert len(told) == len(set(told))
