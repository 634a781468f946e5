import os
import threading
import time

import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware_sim.peers import BadgeReaderPeer, BoardPeer, LineReaderPeer

POLL = bytes.fromhex("01 02 00 00 00 08 79 CC")
FLASH_1_S = bytes.fromhex("01 05 02 00 00 0A 4C 75")
ON = bytes.fromhex("01 05 00 00 FF 00 8C 3A")
OFF = bytes.fromhex("01 05 00 00 00 00 CD CA")


@pytest.fixture
def contacts():
    return [False] * 8


@pytest.fixture
def heard():
    return []


@pytest.fixture
def board(tmp_path, contacts, heard):
    peer = BoardPeer(
        tmp_path / "board",
        lambda: contacts,
        flash=lambda channel, width_s: heard.append(("flash", channel, width_s)),
        relay=lambda channel, on: heard.append(("relay", channel, on)),
    )
    with peer:
        yield peer


@pytest.fixture
def port(board):
    with serial.Serial(str(board.path), 9600, timeout=0.5, exclusive=True) as opened:
        yield opened


def ask(port, request, length):
    port.write(request)
    return port.read(length)


def test_a_poll_is_answered_with_the_contacts(port, contacts):
    assert ask(port, POLL, 6).hex() == "01020100a188"
    contacts[0] = contacts[7] = True
    assert ask(port, POLL, 6)[3] == 0b1000_0001


def test_writes_are_echoed_and_heard(port, heard, board):
    assert ask(port, ON, 8) == ON
    assert ask(port, OFF, 8) == OFF
    assert ask(port, FLASH_1_S, 8) == FLASH_1_S
    assert heard == [("relay", 0, True), ("relay", 0, False), ("flash", 0, 1.0)]
    assert list(board.flashes) == [(0, 1.0)]


def test_a_request_is_found_behind_garbage_and_in_pieces(port):
    port.write(b"\x01\x02\xff\x00" + POLL[:3])
    time.sleep(0.05)
    assert len(ask(port, POLL[3:], 6)) == 6


def test_another_station_is_not_answered_and_an_unknown_function_is_refused(port):
    port.timeout = 0.1
    assert ask(port, bytes.fromhex("02 02 00 00 00 08 79 FF"), 1) == b""
    assert ask(port, bytes.fromhex("01 03 00 00 00 01 84 0A"), 5)[:3] == bytes([1, 0x83, 1])


def test_silence_and_lost_replies(port, board, heard):
    port.timeout = 0.1
    board.silent = True
    assert ask(port, FLASH_1_S, 8) == b""
    assert heard == []
    board.silent = False
    board.lose_replies = 1
    assert ask(port, FLASH_1_S, 8) == b""
    assert heard == [("flash", 0, 1.0)]
    assert ask(port, POLL, 6) != b""


def test_unplugged_is_felt_and_plugging_brings_the_same_path_back(board):
    with serial.Serial(str(board.path), 9600, timeout=1) as opened:
        board.unplug()
        assert not board.path.exists()
        with pytest.raises(OSError, match=r"disconnected|Input/output"):
            opened.read(1)
    board.plug()
    with serial.Serial(str(board.path), 9600, timeout=0.5) as opened:
        assert len(ask(opened, POLL, 6)) == 6


def test_nothing_is_left_behind(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with BoardPeer(tmp_path / "board", lambda: [False] * 8) as peer:
            peer.emit(b"x")
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "peer board"]
    peer.emit(b"lost")


def test_a_badge_is_framed_as_the_reader_frames_it(tmp_path):
    with BadgeReaderPeer(tmp_path / "reader") as reader, serial.Serial(str(reader.path), 9600, timeout=0.5) as port:
        reader.present("000414CD7E", times=2)
        assert port.read(28) == bytes.fromhex("02 30 30 30 34 31 34 43 44 37 45 41 33 03") * 2


def test_a_scanned_text_is_one_line(tmp_path):
    with LineReaderPeer(tmp_path / "scanner") as reader, serial.Serial(str(reader.path), timeout=0.5) as port:
        reader.present("Q1.abc")
        assert port.read(8) == b"Q1.abc\r\n"


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=30), max_size=8))
def test_garbage_moves_no_relay_and_is_survived(board, heard, chunks):
    for chunk in chunks:
        board._answer(chunk)
    assert heard == []
    board._answer(bytes(8))
    assert board._answer(POLL) != b""
