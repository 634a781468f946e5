import logging
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera import LatestFrame, is_live, open_source
from gate_controller.errors import MediaError
from hardware_sim.camera import MjpegServer

FRAMES = 24
FPS = 12.0


def picture(number):
    """A picture that says its own number by its brightness."""
    return np.full((120, 160, 3), 10 * number + 5, np.uint8)


def number_of(frame):
    return round((float(frame.image.mean()) - 5) / 10)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (160, 120))
    for number in range(FRAMES):
        writer.write(picture(number))
    writer.release()
    return path


@pytest.fixture(scope="session")
def mp4(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (160, 120))
    for number in range(FRAMES):
        writer.write(picture(number))
    writer.release()
    return path


def refused(spec):
    with pytest.raises(MediaError) as caught:
        list(open_source(str(spec)).frames())
    assert str(spec) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["clip", "mp4"])
def test_every_frame_of_a_video_comes_in_media_time(request, kind):
    frames = list(open_source(str(request.getfixturevalue(kind))).frames())
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert [number_of(frame) for frame in frames] == list(range(FRAMES))
    assert [frame.at_s for frame in frames] == pytest.approx([index / FPS for index in range(FRAMES)], abs=0.002)
    assert frames[0].image.shape == (120, 160, 3)


def test_a_folder_is_read_in_the_order_a_person_would(tmp_path):
    for number in (10, 9, 1, 2):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), picture(number))
    (tmp_path / "notes.txt").write_text("no picture")
    frames = list(open_source(str(tmp_path)).frames())
    assert [number_of(frame) for frame in frames] == [1, 2, 9, 10]
    assert [frame.at_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_one_picture_is_a_source_of_one_frame(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), picture(3))
    assert [number_of(frame) for frame in open_source(str(tmp_path / "one.png")).frames()] == [3]


def test_what_is_missing_or_empty_is_named(tmp_path):
    assert "no such file or folder" in refused(tmp_path / "none.avi")
    assert "no pictures in this folder" in refused(tmp_path)
    (tmp_path / "empty.mp4").touch()
    assert "is empty" in refused(tmp_path / "empty.mp4")


@pytest.mark.parametrize("kind", ["clip", "mp4"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_video_is_refused_before_its_first_frame(request, tmp_path, kind, share):
    whole = request.getfixturevalue(kind).read_bytes()
    path = tmp_path / f"cut{request.getfixturevalue(kind).suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(MediaError, match="cut short"):
        open_source(str(path))


def test_a_video_that_lies_about_its_size_and_ends_early_is_told(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    half = len(data) // 2
    data[4:8] = (half - 8).to_bytes(4, "little")
    path = tmp_path / "short.avi"
    path.write_bytes(data[:half])
    assert "cut short after frame" in refused(path)


@pytest.mark.parametrize(
    "content",
    [b"hello, world\n" * 1000, bytes(5000), os.urandom(5000), b"%PDF-1.7\n" + bytes(100), b"\x00\x00\x00\x20ftyp"],
    ids=["text", "zeros", "noise", "pdf", "only a head"],
)
@pytest.mark.parametrize("name", ["file.mp4", "file.txt", "file"])
def test_what_is_no_video_is_refused_at_once(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=r"no video|cut short"):
        open_source(str(tmp_path / name))


def test_a_container_without_pictures_is_refused(clip, tmp_path):
    (tmp_path / "hollow.avi").write_bytes(clip.read_bytes()[:12][:4] + (4).to_bytes(4, "little") + b"AVI ")
    assert "hollow.avi" in refused(tmp_path / "hollow.avi")


def test_a_broken_picture_in_a_folder_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert "a.jpg" in refused(tmp_path / "a.jpg")


def test_an_unreadable_camera_says_so_without_its_password():
    with pytest.raises(MediaError) as caught:
        open_source("http://user:secret@127.0.0.1:9/stream")
    assert "does not answer" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_refusals_print_nothing_else(tmp_path, capfd):
    (tmp_path / "file.mp4").write_bytes(b"\x00\x00\x00\x08ftyp" + bytes(100))
    refused(tmp_path / "file.mp4")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("spec", "live"),
    [("rtsp://cam/1", True), ("HTTP://cam", True), ("0", True), ("a.mp4", False), ("2026", False), ("./0", False)],
)
def test_what_counts_as_a_live_camera(spec, live):
    assert is_live(spec) is live


class Numbered:
    """Pictures whose brightness tells when they were made, in steps of 50 ms."""

    def __init__(self):
        self.begun = time.perf_counter()

    def number(self):
        return int((time.perf_counter() - self.begun) / 0.05)

    def __call__(self):
        return np.full((120, 160, 3), self.number() % 250, np.uint8)


def newest(camera, within_s=60.0, other_than=None):
    until = time.perf_counter() + within_s
    while time.perf_counter() < until:
        frame = camera.newest()
        if frame is not None and (other_than is None or frame.index != other_than.index):
            return frame
        time.sleep(0.01)
    raise AssertionError("no frame came")


def test_a_live_stream_gives_its_newest_frame_however_slow_the_consumer():
    pictures = Numbered()
    with MjpegServer(pictures, 20) as server, LatestFrame(server.url) as camera:
        frame = newest(camera)
        lags = []
        for _ in range(8):
            time.sleep(0.3)
            frame = newest(camera, other_than=frame)
            lags.append((pictures.number() - float(frame.image.mean())) % 250)
        # The decoder may hold a few frames back, and the machine may pause; a queue of frames would only grow.
        assert min(lags[4:]) * 0.05 < 1.0
        assert frame.image.shape == (120, 160, 3)


def test_whoever_waits_for_a_frame_is_woken_by_it():
    fresh = threading.Event()
    with MjpegServer(Numbered(), 5) as server, LatestFrame(server.url, fresh.set) as camera:
        frame = newest(camera)
        for _ in range(3):
            fresh.clear()
            if (held := camera.newest()) is None or held.index == frame.index:
                assert fresh.wait(5)
            after = camera.newest()
            assert after is not None
            assert after.index > frame.index
            frame = after


def test_an_old_frame_is_not_given():
    with MjpegServer(lambda: picture(1), 20) as server, LatestFrame(server.url) as camera:
        newest(camera)
        server.stalled = True
        time.sleep(1.0)
        assert camera.newest() is None
        assert camera.newest(max_age_s=60) is not None


def test_a_camera_that_goes_and_returns_is_one_line_each(caplog):
    caplog.set_level(logging.INFO, "edge.camera")
    with MjpegServer(lambda: picture(1), 20) as server:
        port = server.port
        camera = LatestFrame(server.url)
        before = newest(camera)
    with camera:
        time.sleep(2.5)
        assert camera.newest() is None
        with MjpegServer(lambda: picture(2), 20, port):
            after = newest(camera, within_s=60.0)
            assert number_of(after) == 2
            assert after.index > before.index
            lines = list(caplog.records)
    assert [record.levelname for record in lines] == ["WARNING", "INFO"]


def test_a_hanging_capture_is_replaced(monkeypatch):
    monkeypatch.setattr("edge.camera.STALL_S", 4.0)  # as long as a new child may take to begin
    with MjpegServer(lambda: picture(1), 20) as server, LatestFrame(server.url) as camera:
        frame = newest(camera)
        os.kill(camera._child.pid, signal.SIGSTOP)
        assert newest(camera, within_s=60.0, other_than=frame).index > frame.index


def test_closing_ends_the_child_at_once():
    with MjpegServer(lambda: picture(1), 20) as server:
        camera = LatestFrame(server.url)
        newest(camera)
        child, begun = camera._child, time.perf_counter()
        camera.close()
        assert time.perf_counter() - begun < 10.0  # and does not wait for a picture that may never come
        assert child.poll() is not None


def test_a_camera_that_is_not_there_is_told_without_its_password(caplog):
    with LatestFrame("http://user:secret@127.0.0.1:9/") as camera:
        until = time.perf_counter() + 60
        while not caplog.records and time.perf_counter() < until:
            time.sleep(0.05)
        assert camera.newest() is None
    assert "does not answer" in caplog.records[0].message
    assert "secret" not in caplog.text


def test_the_password_of_a_camera_stands_in_no_process_list():
    with MjpegServer(lambda: picture(1), 20) as server:
        spec = server.url.replace("http://", "http://user:secret@")
        with LatestFrame(spec) as camera:
            newest(camera)
            told = Path(f"/proc/{camera._child.pid}/cmdline").read_bytes()
            told += Path(f"/proc/{camera._child.pid}/environ").read_bytes()
    assert b"edge.capture" in told
    assert b"secret" not in told


def test_a_stream_that_ends_unread_is_named_without_its_password(monkeypatch):
    with MjpegServer(lambda: picture(1), 20) as server:
        source = open_source(server.url.replace("http://", "http://user:secret@"))
        monkeypatch.setattr(source, "_capture", cv2.VideoCapture())
        with pytest.raises(MediaError, match="no frame") as caught:
            list(source.frames())
    assert "secret" not in str(caught.value)


def test_a_capture_that_cannot_be_started_is_told_once_and_tried_again(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "edge.camera")
    monkeypatch.setattr("edge.camera.RESTART_FIRST_S", 0.05)
    started, refused_times = subprocess.Popen, 3
    attempts = []

    def busy(*args, **kwargs):
        attempts.append(args)
        if len(attempts) <= refused_times:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return started(*args, **kwargs)

    monkeypatch.setattr("edge.camera.subprocess.Popen", busy)
    with MjpegServer(lambda: picture(2), 20) as server, LatestFrame(server.url) as camera:
        assert number_of(newest(camera)) == 2
        lines = [(record.levelname, record.message) for record in caplog.records]
    assert [level for level, _ in lines] == ["WARNING", "INFO"]
    assert "cannot be started: Resource temporarily unavailable" in lines[0][1]
