import urllib.request

import cv2
import numpy as np
import pytest

from hardware_sim.camera import HEIGHT_PX, WIDTH_PX, MjpegServer, draw, plate_corners
from hardware_sim.world import Boom, Placed, Scene, Vehicle
from recognition.detector import BuiltinDetector
from recognition.halves import Halves
from recognition.recognizer import Recognizer

CAR = Vehicle(("B", "NO", "1234"))


def scene(*placed, at_s=1.0, raised=0.0):
    return Scene("entry", at_s, Boom.CLOSED, raised, placed)


def test_a_picture_is_480_by_640_bgr_and_the_same_for_the_same_scene():
    image = draw(scene(Placed(CAR, -4.0)))
    assert image.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, draw(scene(Placed(CAR, -4.0))))


def test_an_approaching_plate_grows():
    widths = [np.ptp(plate_corners(Placed(CAR, front_m))[:, 0]) for front_m in (-20, -10, -5, -2.5)]
    assert widths == sorted(widths)
    assert widths[0] < 35
    assert widths[-1] > 100


@pytest.mark.parametrize("front_m", [-7.0, -4.0, -2.5])
def test_the_detector_finds_the_plate_where_it_was_drawn(front_m):
    placed = Placed(CAR, front_m)
    true = plate_corners(placed)
    found = BuiltinDetector().detect(Halves(draw(scene(placed)))).plates
    errors = [np.abs(np.array(one.corners) - true).max() for one in found]
    assert min(errors) < 0.1 * np.ptp(true[:, 0])


@pytest.mark.parametrize(
    ("groups", "country"),
    [
        (("B", "NO", "1234"), "D"),
        (("AB", "123", "CD"), "F"),
        (("14", "NJK", "9"), "NL"),
        (("KA", "PT", "538"), "D"),
    ],
)
def test_the_plate_can_be_read_at_the_stop_line(groups, country):
    reads = Recognizer().read(draw(scene(Placed(Vehicle(groups, country), -2.5))))
    assert "".join(groups) in [read.read.plate.key for read in reads]


def test_an_empty_lane_and_a_raised_boom_look_different():
    closed, raised = draw(scene()), draw(scene(raised=1.0))
    red = [np.count_nonzero((image[..., 2] > 150) & (image[..., 1] < 90)) for image in (closed, raised)]
    assert red[0] > 2000
    assert red[1] < red[0] / 4


@pytest.mark.parametrize("front_m", [-22.0, -1.0, 0.5, 1.9, 2.1, 4.0, 9.0, 15.0])
def test_a_vehicle_anywhere_can_be_drawn(front_m):
    assert draw(scene(Placed(CAR, front_m), Placed(CAR, front_m - 6))).shape == (HEIGHT_PX, WIDTH_PX, 3)


def test_the_stream_is_readable_motion_jpeg_and_ends_with_the_server():
    picture = draw(scene(Placed(CAR, -4.0)))
    with MjpegServer(lambda: picture, 20) as server:
        with urllib.request.urlopen(server.url, timeout=3) as stream:
            assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            data = stream.read(150_000)
        start = data.index(b"\xff\xd8")
        seen = cv2.imdecode(np.frombuffer(data[start : data.index(b"--frame", start)], np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(seen.astype(int) - picture).mean() < 6
        address = server.url
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address, timeout=1)


def test_a_stalled_stream_says_nothing_while_connected():
    picture = draw(scene())
    with MjpegServer(lambda: picture, 50) as server:
        server.stalled = True
        with urllib.request.urlopen(server.url, timeout=0.3) as stream, pytest.raises(TimeoutError):
            stream.read(1)
        server.stalled = False
        with urllib.request.urlopen(server.url, timeout=30) as stream:
            assert stream.read(7) == b"--frame"
