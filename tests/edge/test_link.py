import asyncio
import contextlib
import logging
import termios
import threading

import pytest
import serial

from edge import clock, link
from edge.link import Link
from gate_controller.devices import CODECS
from gate_controller.devices.codec import (
    CardRead,
    ContactChanged,
    DeviceOnline,
    DeviceSilent,
    Level,
    Pulse,
    PulseDone,
    PulseId,
    PulseUncertain,
)
from hardware_sim.peers import BadgeReaderPeer, BoardPeer


class Listener:
    """A running link and everything it said."""

    def __init__(self, path, kind):
        self.signals = []
        self.link = Link(str(path), CODECS[kind](), self.signals.append)

    async def __aenter__(self):
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._task = self._group.create_task(self.link.run())
        return self

    async def __aexit__(self, *exc_info):
        self._task.cancel()
        await self._group.__aexit__(*exc_info)

    async def until(self, wanted, within_s=60.0):
        """Wait until `wanted` (a signal or a type) was said since the last wait; forget what was before it."""
        async with asyncio.timeout(within_s):
            while True:
                for index, signal in enumerate(self.signals):
                    if signal == wanted or type(signal) is wanted:
                        del self.signals[: index + 1]
                        return signal
                await asyncio.sleep(0.005)


def pulse(name, expires_in_s=5.0, channel=2):
    return Pulse(channel, PulseId(name), 0.5, clock.now().mono_s + expires_in_s)


@pytest.fixture
def contacts():
    return [False] * 8


@pytest.fixture
def board(tmp_path, contacts):
    with BoardPeer(tmp_path / "board", lambda: contacts) as peer:
        yield peer


async def test_contacts_and_pulses_cross_a_real_pty(board, contacts):
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        contacts[3] = True
        await heard.until(ContactChanged(3, True))
        heard.link.drive([pulse("a")])
        await heard.until(PulseDone(2, PulseId("a")))
    assert list(board.flashes) == [(2, 0.5)]


async def test_a_badge_crosses_a_real_pty(tmp_path):
    with BadgeReaderPeer(tmp_path / "reader") as reader:
        async with Listener(reader.path, "rdm6300") as heard:
            await heard.until(DeviceOnline)
            reader.present("000414CD7E")
            assert (await heard.until(CardRead)).text == "000414CD7E"
            await asyncio.sleep(0.1)
            assert heard.signals == []


async def test_levels_stay_wanted_until_the_device_falls_silent_and_then_only_if_named_again(tmp_path):
    relays = {}
    with BoardPeer(tmp_path / "board", lambda: [False] * 8, relay=relays.__setitem__) as board:
        async with Listener(board.path, "modbus_relay8") as heard:
            heard.link.drive([Level(4, True)])
            heard.link.drive([Level(5, False)])
            await heard.until(DeviceOnline)
            await asyncio.sleep(0.3)
            assert relays == {4: True, 5: False}
            board.unplug()
            relays.clear()
            await heard.until(DeviceSilent)
            heard.link.drive([Level(4, True)])
            board.plug()
            await heard.until(DeviceOnline)
            await asyncio.sleep(0.3)
            assert relays == {4: True}
            relays.clear()
            board.silent = True
            await heard.until(DeviceSilent)
            board.silent = False
            await heard.until(DeviceOnline)
            await asyncio.sleep(1.3)
            assert relays == {}


async def test_unplug_and_return_is_one_silence_one_return_and_two_lines(board, caplog):
    caplog.set_level(logging.INFO, "edge.link")
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        board.unplug()
        await heard.until(DeviceSilent)
        await asyncio.sleep(1.0)
        assert not [signal for signal in heard.signals if isinstance(signal, DeviceSilent)]
        board.plug()
        await heard.until(DeviceOnline)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert str(board.path) in caplog.records[0].message


async def test_no_pulse_is_replayed_after_a_return(board):
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        board.silent = True
        await asyncio.sleep(0.05)
        in_flight, unsent = pulse("in flight", 60), pulse("unsent", 60)
        heard.link.drive([in_flight])
        board.unplug()
        await heard.until(DeviceSilent)
        heard.link.drive([in_flight, unsent])
        await heard.until(PulseUncertain(2, PulseId("unsent"), "not sent: the port is closed"))
        board.silent = False
        board.plug()
        await heard.until(DeviceOnline)
        heard.link.drive([in_flight, unsent])
        await asyncio.sleep(0.5)
        assert list(board.flashes) == []
        heard.link.drive([pulse("fresh")])
        await heard.until(PulseDone(2, PulseId("fresh")))
    assert len(board.flashes) == 1


async def test_memory_of_spent_pulses_is_bounded_and_keeps_the_newest(board, monkeypatch):
    monkeypatch.setattr(link, "SPENT_LEN_MAX", 2)
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        for name in ("a", "b", "c", "b", "c"):
            heard.link.drive([pulse(name)])
            await asyncio.sleep(0.3)
        assert len(board.flashes) == 3
        heard.link.drive([pulse("a")])
        await heard.until(PulseDone(2, PulseId("a")))
        await asyncio.sleep(0.2)
        assert len(board.flashes) == 4


async def test_a_lost_reply_gives_one_uncertain_and_no_second_pulse(board):
    board._flash = lambda channel, width_s: setattr(board, "lose_replies", 1)
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        wanted = pulse("a")
        for _ in range(20):
            heard.link.drive([wanted])
            await asyncio.sleep(0.05)
        about_pulses = [s for s in heard.signals if isinstance(s, PulseUncertain | PulseDone)]
    assert about_pulses == [PulseUncertain(2, PulseId("a"), "no reply within 200 ms")]
    assert len(board.flashes) == 1


async def test_a_silent_board_is_told(board):
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        board.silent = True
        await heard.until(DeviceSilent)
        board.silent = False
        await heard.until(DeviceOnline)


async def test_a_port_that_was_never_there_is_told_once_and_found_when_it_comes(tmp_path, caplog):
    peer = BoardPeer(tmp_path / "board", lambda: [True] * 8)
    async with Listener(peer.path, "modbus_relay8") as heard:
        assert "board" in (await heard.until(DeviceSilent)).why
        with peer:
            await heard.until(ContactChanged(7, True))
    assert len(caplog.records) == 1


async def test_a_port_in_use_is_not_stolen(board):
    async with Listener(board.path, "modbus_relay8") as first:
        await first.until(DeviceOnline)
        async with Listener(board.path, "modbus_relay8") as second:
            assert "lock" in (await second.until(DeviceSilent)).why
        await asyncio.sleep(0.2)
        assert not [signal for signal in first.signals if isinstance(signal, DeviceSilent)]


async def test_a_port_that_takes_no_bytes_does_not_stop_the_loop(tmp_path):
    class Deaf(BoardPeer):
        def _serve(self):
            with contextlib.suppress(OSError):
                threading.Event().wait(0.0)

    with Deaf(tmp_path / "board", lambda: [False] * 8) as board:
        async with Listener(board.path, "modbus_relay8") as heard:
            await heard.until(DeviceSilent)


async def test_garbage_is_survived(board):
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
        board.emit(bytes(range(256)) * 8)
        heard.signals.clear()
        heard.link.drive([pulse("a")])
        await heard.until(PulseDone(2, PulseId("a")))


async def test_nothing_is_left_running(board):
    async with Listener(board.path, "modbus_relay8") as heard:
        await heard.until(DeviceOnline)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


async def test_a_port_that_goes_while_it_is_opened_is_told_once_and_tried_again(board, monkeypatch, caplog):
    opened, attempts = serial.Serial, []

    def unplugged(*args, **kwargs):
        attempts.append(args)
        if len(attempts) <= 2:
            raise termios.error(5, "Input/output error")
        return opened(*args, **kwargs)

    monkeypatch.setattr(serial, "Serial", unplugged)
    async with Listener(board.path, "modbus_relay8") as heard:
        assert "Input/output error" in (await heard.until(DeviceSilent)).why
        await heard.until(DeviceOnline)
    assert len(caplog.records) == 1
