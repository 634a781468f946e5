import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge.capture import ENDED, HEADER, NO_FRAME, NOT_OPENED, is_address, is_usb
from hardware_sim.camera import MjpegServer

ROOT = Path(__file__).parents[2]
PICTURE = np.full((120, 160, 3), 77, np.uint8)


def started(spec):
    child = subprocess.Popen(
        [sys.executable, "-m", "edge.capture"],
        cwd=ROOT,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    child.stdin.write(f"{spec}\n".encode())
    return child


def asked(child):
    """Height, width, time and pixels of the answer to one question."""
    child.stdin.write(b"?")
    height, width, at_s = HEADER.unpack(exactly(child.stdout, HEADER.size))
    return height, width, at_s, exactly(child.stdout, height * width * 3)


def exactly(pipe, length):
    data = b""
    while len(data) < length:
        more = pipe.read(length - len(data))
        assert more, "the child ended"
        data += more
    return data


def first_frame(child):
    until = time.perf_counter() + 60
    while time.perf_counter() < until:
        answer = asked(child)
        if answer[0] != NO_FRAME:
            return answer
    raise AssertionError("no frame came")


def test_each_question_is_answered_by_a_newer_frame():
    with MjpegServer(lambda: PICTURE, 20) as server, started(server.url) as child:
        height, width, at_s, pixels = first_frame(child)
        assert (height, width) == (120, 160)
        assert abs(np.frombuffer(pixels, np.uint8).astype(int) - 77).max() < 8
        assert at_s < asked(child)[2]
        child.kill()


def test_no_frame_is_an_answer_too():
    with MjpegServer(lambda: PICTURE, 20) as server, started(server.url) as child:
        first_frame(child)
        server.stalled = True
        time.sleep(0.2)
        assert NO_FRAME in [asked(child)[0] for _ in range(3)]
        child.kill()


def test_it_ends_when_its_parent_closes_the_pipe():
    with MjpegServer(lambda: PICTURE, 20) as server, started(server.url) as child:
        first_frame(child)
        child.stdin.close()
        assert child.wait(5) == 0


def test_its_status_says_what_went_wrong():
    with started("http://127.0.0.1:9/") as child:
        assert child.wait(10) == NOT_OPENED
    with MjpegServer(lambda: PICTURE, 20) as server:
        child = started(server.url)
        first_frame(child)
    with child:
        assert child.wait(10) == ENDED


@pytest.mark.parametrize(
    ("spec", "address", "usb"),
    [
        ("rtsp://cam/1", True, False),
        ("HTTPS://cam", True, False),
        ("0", False, True),
        ("12", False, True),
        ("123", False, False),
        ("clip.mp4", False, False),
        ("file://clip.mp4", False, False),
    ],
)
def test_what_is_an_address_and_what_a_usb_index(spec, address, usb):
    assert (is_address(spec), is_usb(spec)) == (address, usb)
