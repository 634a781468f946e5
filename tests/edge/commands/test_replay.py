"""Real files, the real vote and the real rules; only the eye is scripted, so that no picture can be misread."""

import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.commands import replay
from edge.commands.replay import ReplayOptions, replay_sources
from recognition.detector import Search
from recognition.finds import Detection
from recognition.frame import Frame, Image
from recognition.halves import Halves
from recognition.ocr import TextRead
from recognition.recognizer import Recognizer

Slagboom = Callable[..., Any]

LIST = """external_id,plate,schedule
4711,B-NO 1234,
4711,B-NO 1235,
4712,B-O 123,Mo-Fr 06:00-20:00
"""


class Eye:
    """Finds the white box of a picture; its first pixels spell the plate, and how sure one may be of it."""

    width_px, height_px = 160, 64

    def __init__(self) -> None:
        self._seen: list[tuple[str, float]] = []

    def detect(self, halves: Halves, _looked_for_px: float) -> Search:
        image = halves.image
        spelt = bytes(image[0, :16, 0]).rstrip(b"\0").decode()
        if not spelt:
            return Search([])
        self._seen.append((spelt, image[1, 0, 0] / 100))
        rows, cols = np.nonzero(image[8:, :, 1] == 255)
        left, right = float(cols.min()), float(cols.max())
        top, bottom = float(rows.min()) + 8, float(rows.max()) + 8
        return Search([Detection(((left, top), (right, top), (right, bottom), (left, bottom)), 0.9)])

    def joined(self, one: TextRead, _two: TextRead) -> TextRead:
        return one

    def read(self, crops: Sequence[Image]) -> list[TextRead]:
        seen, self._seen = self._seen, []
        assert len(seen) == len(crops)
        return [
            TextRead(text, tuple(((char, sure), ("X", 0.01)) for char in text), 1.0, (), False)
            for text, sure in seen
        ]

    def read_again(self, first: Sequence[TextRead], _crops: Sequence[Image]) -> list[TextRead]:
        return [*first]


def picture(text: str, left: int, sure: float = 0.995) -> Image:
    image = np.zeros((120, 400, 3), np.uint8)
    image[0, : len(text), 0] = np.frombuffer(text.encode(), np.uint8)
    image[1, 0, 0] = round(100 * sure)
    image[50:70, left : left + 80] = 255
    return image


def approach(folder: Path, text: str, sure: float = 0.995, frames: int = 12) -> Path:
    """A folder of pictures in which a vehicle with this plate drives by."""
    folder.mkdir(parents=True)
    for index in range(frames):
        assert cv2.imwrite(str(folder / f"frame{index}.png"), picture(text, 20 + 15 * index, sure))
    return folder


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.csv"
    path.write_text(LIST)
    return path


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    eye: Any = Eye()
    monkeypatch.setattr(replay, "load_recognizer", lambda _: Recognizer(detector=eye, ocr=eye))


def test_each_vehicle_is_one_object(slagboom: Slagboom, tmp_path: Path, users: Path) -> None:
    source = approach(tmp_path / "one", "BNO1234")
    said = slagboom("replay", source, "--list", users, "--json", "--at", "2026-01-05T07:30")
    assert said.code == 0
    (vehicle,) = said.objects()
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    assert [field for field in vehicle if f"`{field}`" not in page] == []
    assert vehicle["confidence"] == pytest.approx(0.99, abs=0.05)
    assert vehicle["weakest"] >= 0.99
    del vehicle["confidence"], vehicle["weakest"], vehicle["user_id"], vehicle["frames"]
    assert vehicle == {
        "source": str(source),
        "at": 0.3,
        "time": "2026-01-05T07:30:00+01:00",
        "plate": "BNO1234",
        "country": None,
        "decision": "granted",
        "reason": None,
        "external_id": "4711",
        "votes": 4,
        "matched": "exact",
        "as_matched": "BNO1234",
        "as_read": "BNO1234",
        "rejected": None,
        "notes": [],
        "evidence": None,
    }
    assert "1 vehicles: 1 granted, 0 denied" in said.err


@pytest.mark.parametrize(
    ("at", "time"),
    [
        ("2026-10-25T02:59:59", "2026-10-25T02:00:04+01:00"),
        ("2026-03-29T01:59:59", "2026-03-29T03:00:04+02:00"),
    ],
    ids=["back", "forward"],
)
def test_time_goes_on_while_the_clocks_are_put(
    slagboom: Slagboom, tmp_path: Path, users: Path, at: str, time: str
) -> None:
    source = approach(tmp_path / "frames", "BNO1234")
    for index in range(50):
        assert cv2.imwrite(str(source / f"before{index}.png"), np.zeros((120, 400, 3), np.uint8))
    (row,) = slagboom("replay", source, "--list", users, "--json", "--at", at).objects()
    assert row["time"] == time


def test_one_users_second_plate_in_a_later_source_is_refused(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    sources = [approach(tmp_path / name, text) for name, text in
               [("a", "BNO1234"), ("b", "BNO1235"), ("c", "BNO1234"), ("d", "HHAB77")]]  # fmt: skip
    rows = slagboom("replay", *sources, "--list", users, "--json").objects()
    assert [(row["decision"], row["reason"], row["external_id"]) for row in rows] == [
        ("granted", None, "4711"),
        ("denied", "another_vehicle_parked", "4711"),
        ("granted", None, "4711"),
        ("denied", "unknown_credential", None),
    ]
    assert rows[2]["notes"] == ["exit_missed"]


def test_time_is_that_of_the_option_and_runs_on_through_the_sources(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    sources = [approach(tmp_path / "a", "HHAB77"), approach(tmp_path / "b", "BO123")]
    for at, reason in [("2026-01-05T19:59:58.5", None), ("2026-01-05T19:59:59", "outside_schedule")]:
        row = slagboom("replay", *sources, "--list", users, "--json", "--at", at).objects()[1]
        # The first folder lasts 1.1 s; the second vehicle is decided 0.3 s into its own.
        assert (row["at"], row["reason"]) == (0.3, reason)


def test_an_exit_opens_for_any_vehicle_and_says_so(slagboom: Slagboom, tmp_path: Path, users: Path) -> None:
    source = approach(tmp_path / "a", "HHAB77")
    (row,) = slagboom("replay", source, "--list", users, "--json", "--direction", "out").objects()
    assert (row["decision"], row["notes"], row["user_id"]) == ("granted", ["exit_unidentified"], None)


def test_an_unsure_vehicle_is_denied_and_nothing_is_claimed(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    source = approach(tmp_path / "a", "BNO1234", sure=0.6)
    (row,) = slagboom("replay", source, "--list", users, "--json").objects()
    assert (row["decision"], row["reason"], row["plate"], row["votes"]) == ("denied", "unreadable_plate", None, 0)
    assert (row["as_read"], row["rejected"]) == ("BNO1234", "below the threshold")
    assert (row["external_id"], row["matched"]) == (None, "none")


def test_a_blurred_beginning_is_told_among_the_rejected_reads(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    source = approach(tmp_path / "a", "BNO1Z84", sure=0.5, frames=4)
    gap = np.zeros((120, 400, 3), np.uint8)
    for index in range(4, 30):
        assert cv2.imwrite(str(source / f"frame{index}.png"), gap)
    for index in range(30, 42):
        assert cv2.imwrite(str(source / f"frame{index}.png"), picture("BNO1234", 20 + 15 * (index - 30)))
    said = slagboom("replay", source, "--list", users)
    assert said.code == 0
    assert "1 vehicles: 1 granted, 0 denied" in said.out
    table = said.out.partition("Reads that were rejected")[2]
    assert "0.0-0.3" in table
    assert "below the threshold" in table


def test_people_get_a_table_and_a_summary(slagboom: Slagboom, tmp_path: Path, users: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cv2.imwrite(str(empty / "x.png"), np.zeros((120, 400, 3), np.uint8))
    sources = [approach(tmp_path / "a", "BNO1234"), approach(tmp_path / "b", "HHAB77"), empty]
    said = slagboom("replay", *sources, "--list", users)
    assert (said.code, said.err) == (0, "")
    granted = next(line for line in said.out.splitlines() if "granted" in line)
    assert all(cell in granted for cell in ("BNO1234", "exact", "4711", "0.3 s"))
    assert "2 vehicles: 1 granted, 1 denied (unknown_credential 1)\n" in said.out
    assert f"no vehicle: {empty}\n" in said.out


def test_a_video_file_is_replayed_whole(slagboom: Slagboom, tmp_path: Path, users: Path) -> None:
    path = tmp_path / "drive.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10, (400, 120))
    for index in range(12):
        video.write(picture("BNO1234", 20 + 15 * index))
    video.release()
    (row,) = slagboom("replay", path, "--list", users, "--json").objects()
    assert (row["decision"], row["plate"]) == ("granted", "BNO1234")


# ---- pictures that are kept ----


def test_the_picture_of_the_deciding_read_is_kept_on_request(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    kept = tmp_path / "new" / "folder"
    sources = [approach(tmp_path / "süd 1", "BNO1234"), approach(tmp_path / "b", "BNO1234", sure=0.5)]
    rows = slagboom("replay", *sources, "--list", users, "--json", "--evidence", kept).objects()
    assert [Path(row["evidence"]).name for row in rows] == ["0001-süd-1-BNO1234.png", "0002-b-BNO1234.png"]
    for row in rows:
        image = cv2.imread(row["evidence"])
        assert image is not None
        assert image.shape[0] == 64
        assert image.mean() > 200
    assert sorted(path.name for path in kept.iterdir()) == ["0001-süd-1-BNO1234.png", "0002-b-BNO1234.png"]


def test_a_folder_that_cannot_be_made_stops_before_the_first_vehicle(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    source = approach(tmp_path / "a", "BNO1234")
    said = slagboom("replay", source, "--list", users, "--json", "--evidence", users)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"error: {users}: cannot keep pictures here (File exists); choose another folder\n"


def test_no_space_for_a_picture_leaves_no_half_picture(slagboom: Slagboom, tmp_path: Path, users: Path) -> None:
    source, kept = approach(tmp_path / "a", "BNO1234"), tmp_path / "kept"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        said = slagboom("replay", source, "--list", users, "--json", "--evidence", kept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (said.code, said.out) == (2, "")
    picture_path = kept / "0001-a-BNO1234.png"
    assert said.err == f"error: {picture_path}: File too large; free space or choose another folder\n"
    assert list(kept.iterdir()) == []


# ---- bad input ----


def bad_sources(tmp_path: Path) -> dict[str, tuple[Path, str]]:
    (tmp_path / "void.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no pictures here")
    path = tmp_path / "cut.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (400, 120))
    for index in range(40):
        video.write(picture("BNO1234", 20 + 5 * index))
    video.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return {
        "missing": (tmp_path / "none.mp4", "no such file or folder"),
        "empty": (tmp_path / "void.mp4", "is empty"),
        "truncated": (path, "is cut short"),
        "no video": (tmp_path / "text.mp4", "is no video"),
        "empty folder": (tmp_path / "nothing", "no pictures in this folder"),
        "folder without pictures": (tmp_path / "notes", "no pictures in this folder"),
    }


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "truncated", "no video", "empty folder", "folder without pictures"]
)
def test_a_bad_source_stops_everything_before_the_first_vehicle(
    slagboom: Slagboom, tmp_path: Path, users: Path, kind: str
) -> None:
    path, expected = bad_sources(tmp_path)[kind]
    good = approach(tmp_path / "good", "BNO1234")
    said = slagboom("replay", good, path, "--list", users, "--json", "--evidence", tmp_path / "kept")
    assert (said.code, said.out) == (2, "")
    (line,) = said.err.splitlines()
    assert line.startswith(f"error: {path}: {expected}")
    assert "; " in line
    assert not (tmp_path / "kept").exists()


def test_what_was_decided_before_a_source_broke_is_still_told(
    slagboom: Slagboom, tmp_path: Path, users: Path
) -> None:
    good, broken = approach(tmp_path / "good", "BNO1234"), approach(tmp_path / "broken", "HHAB77")
    (broken / "frame7.png").write_bytes(b"")
    said = slagboom("replay", good, broken, "--list", users)
    assert said.code == 2
    assert "BNO1234" in said.out
    assert said.err.splitlines() == [f"error: {broken / 'frame7.png'}: is empty; copy it again from its source"]


def test_an_interrupted_camera_still_gives_its_account(
    slagboom: Slagboom, tmp_path: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Camera:
        def frames(self) -> Iterator[Frame]:
            for index in range(12):
                yield Frame(picture("BNO1234", 20 + 15 * index), index / 10, index)
            raise KeyboardInterrupt

        def close(self) -> None:
            pass

    monkeypatch.setattr(replay, "open_source", lambda source: Camera())
    said = slagboom("replay", "rtsp://user:secret@camera/1", "--list", users)
    assert said.code == 130
    assert "1 vehicles: 1 granted" in said.out
    assert "rtsp://camera/1" in said.out
    assert "secret" not in said.out + said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("4711,B-NO 1234,\n4712,B-NO 1234,\n", "a plate has one user"),
        ("4711,B-NO 1234,\n4711,B-NO 1235,Sa 06:00-20:00\n", "make the rows of one user agree"),
        ("4711," + "A" * 10_000_000 + ",\n", "a cell of"),
    ],
)
def test_a_bad_list_stops_everything(
    slagboom: Slagboom, tmp_path: Path, users: Path, rows: str, expected: str
) -> None:
    users.write_text("external_id,plate,schedule\n" + rows)
    said = slagboom("replay", approach(tmp_path / "a", "BNO1234"), "--list", users, "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"error: {users}: line ")
    assert expected in said.err


def test_a_bad_time_stops_everything(tmp_path: Path, slagboom: Slagboom, users: Path) -> None:
    said = slagboom("replay", approach(tmp_path / "a", "BNO1234"), "--list", users, "--at", "noon")
    assert (said.code, said.out) == (2, "")
    assert said.err == 'error: --at: "noon" is no time; write it like 2026-01-05T07:30\n'


def test_another_recogniser_can_be_handed_in(
    tmp_path: Path, users: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eye: Any = Eye()
    options = ReplayOptions(direction="in", lane="entry", at=None, evidence=None, as_json=False)
    source = str(approach(tmp_path / "a", "BNO1234"))
    assert replay_sources([source], users, options, Recognizer(detector=eye, ocr=eye)) == 0
    assert "1 granted" in capsys.readouterr().out
