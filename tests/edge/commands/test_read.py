import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.commands import read
from edge.commands.read import read_images
from recognition.detector import Search
from recognition.finds import Detection
from recognition.frame import Image
from recognition.halves import Halves
from recognition.ocr import TextRead
from recognition.recognizer import Recognizer
from tests.edge.test_config import GOOD
from tests.recognition.test_recognizer import car

Slagboom = Callable[..., Any]


class Eye:
    """Sees one plate in every picture that is not black; its brightness says how sure the text is."""

    width_px, height_px = 160, 64

    def __init__(self) -> None:
        self._sure = 0.0

    def detect(self, halves: Halves, _looked_for_px: float) -> Search:
        self._sure = float(halves.image.max()) / 255
        plate = Detection(((20.04, 20.0), (60.0, 21.0), (60.0, 31.0), (20.0, 30.0)), 0.9)
        return Search([plate] if self._sure else [])

    def joined(self, one: TextRead, _two: TextRead) -> TextRead:
        return one

    def read(self, crops: Sequence[Image]) -> list[TextRead]:
        text = TextRead("HHAB77", tuple(((char, self._sure),) for char in "HHAB77"), 1.0, (("D", 0.9),), False)
        return [text for _ in crops]

    def read_again(self, first: Sequence[TextRead], _crops: Sequence[Image]) -> list[TextRead]:
        return [*first]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    eye: Any = Eye()
    monkeypatch.setattr(read, "load_recognizer", lambda *_: Recognizer(detector=eye, ocr=eye))


def picture(path: Path, brightness: int) -> Path:
    assert cv2.imwrite(str(path), np.full((60, 90, 3), brightness, np.uint8))
    return path


@pytest.mark.usefixtures("scripted")
def test_each_picture_is_one_object(slagboom: Slagboom, tmp_path: Path) -> None:
    images = [picture(tmp_path / "a.png", 255), picture(tmp_path / "b.jpg", 204), picture(tmp_path / "c.png", 0)]
    said = slagboom("read", *images, "--json")
    assert (said.code, said.err) == (0, "")
    sure, unsure, empty = said.objects()
    assert list(sure) == ["image", "plates", "ms"]
    assert sure["image"] == str(images[0])
    assert sure["ms"] >= 0
    assert sure["plates"] == [
        {
            "text": "HH-AB 77",
            "country": "D",
            "confidence": 1.0,
            "accepted": True,
            "rejected": None,
            "corners": [[20.0, 20.0], [60.0, 21.0], [60.0, 31.0], [20.0, 30.0]],
        }
    ]
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    assert [field for field in (*sure, *sure["plates"][0]) if field not in page] == []
    (doubtful,) = unsure["plates"]
    assert doubtful["text"] == "HH-AB 77"
    assert doubtful["accepted"] is False
    assert doubtful["rejected"] == "below the threshold"
    assert doubtful["confidence"] < 0.9
    assert empty["plates"] == []


@pytest.mark.usefixtures("scripted")
def test_people_get_a_table(slagboom: Slagboom, tmp_path: Path) -> None:
    images = [picture(tmp_path / "a.png", 255), picture(tmp_path / "b.png", 204), picture(tmp_path / "c.png", 0)]
    said = slagboom("read", *images)
    assert (said.code, said.err) == (0, "")
    rows = {name: line for line in said.out.splitlines() for name in "abc" if f"/{name}.png" in line}
    assert all(cell in rows["a"] for cell in ("HH-AB 77", "D", "1.00", "yes"))
    assert "no: below the threshold" in rows["b"]
    assert "no plate" in rows["c"]


def bad_pictures(folder: Path) -> dict[Path, str]:
    whole = picture(folder / "whole.jpg", 200).read_bytes()
    noise = np.random.default_rng(1).integers(0, 255, (60, 90, 3), np.uint8)
    assert cv2.imwrite(str(folder / "noise.png"), noise)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.png").write_bytes((folder / "noise.png").read_bytes()[:3000])
    (folder / "text.jpg").write_text("this is no picture")
    return {
        folder / "none.jpg": "no such file; check the path",
        folder / "empty.jpg": "is empty; copy it again from its source",
        folder / "cut.jpg": "is cut short; copy it again from its source",
        folder / "cut.png": "is cut short; copy it again from its source",
        folder / "text.jpg": "no picture that can be decoded; give a JPEG, PNG, BMP, TIFF or WebP file",
        folder: "is a folder; name the pictures in it",
    }


@pytest.mark.usefixtures("scripted")
def test_bad_pictures_are_named_and_the_others_are_read(slagboom: Slagboom, tmp_path: Path) -> None:
    bad = bad_pictures(tmp_path)
    good = [picture(tmp_path / "first.png", 255), picture(tmp_path / "last.png", 255)]
    said = slagboom("read", good[0], *bad, good[1], "--json")
    assert said.code == 2
    assert [found["image"] for found in said.objects()] == [str(path) for path in good]
    assert said.err.splitlines() == [f"error: {path}: {what}" for path, what in bad.items()]


@pytest.mark.usefixtures("scripted")
def test_pictures_of_one_name_are_each_explained_and_none_is_written_over(
    slagboom: Slagboom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    images = [picture(tmp_path / name, 255) for name in ("a/1.jpg", "b/1.jpg", "1.png", "1.png.explained.png")]
    before = images[3].read_bytes()
    monkeypatch.chdir(tmp_path)
    said = slagboom("read", "--explain", "--json", *images[:2], "1.png", images[3], images[0])
    assert said.code == 0
    outs = [line.split(" explained in ")[1] for line in said.err.splitlines()]
    assert outs == [
        "1.jpg.explained.png",
        "1.jpg.2.explained.png",
        "1.png.2.explained.png",
        "1.png.explained.png.explained.png",
        "1.jpg.3.explained.png",
    ]
    assert {path.name for path in tmp_path.glob("*.png")} == {"1.png", "1.png.explained.png", *outs}
    assert images[3].read_bytes() == before


@pytest.mark.usefixtures("scripted")
def test_decoders_put_no_words_of_their_own_between_ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = picture(tmp_path / "whole.png", 255).read_bytes()
    (tmp_path / "damaged.png").write_bytes(whole[:45] + b"\xff" * 8 + whole[53:])
    (tmp_path / "cut.bmp").write_bytes(picture(tmp_path / "whole.bmp", 255).read_bytes()[:5000])
    (tmp_path / "broken.gif").write_bytes(b"GIF89a" + bytes(100))
    names = ("damaged.png", "cut.bmp", "broken.gif")
    assert read_images([tmp_path / name for name in names], as_json=True) == 2
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["error", str(tmp_path / name)] for name in names]


@pytest.mark.usefixtures("scripted")
def test_a_table_is_not_lost_for_a_bad_picture(slagboom: Slagboom, tmp_path: Path) -> None:
    said = slagboom("read", tmp_path / "none.jpg", picture(tmp_path / "a.png", 255))
    assert said.code == 2
    assert "HH-AB 77" in said.out


@pytest.mark.usefixtures("scripted")
def test_a_name_that_is_no_text_is_read_all_the_same(slagboom: Slagboom, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png", 255).rename(Path(os.fsdecode(bytes(tmp_path) + b"/\xff.png")))
    assert slagboom("read", path, "--json").objects()[0]["image"].endswith("/?.png")
    assert slagboom("read", path).code == 0


def test_the_models_that_ship_answer_in_the_same_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read_images([picture(tmp_path / "grey.png", 128)], as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["image"] == str(tmp_path / "grey.png")
    assert found["plates"] == []
    assert 0 < found["ms"] < 60_000


def test_a_site_reads_with_its_own_models_and_its_lanes_region(slagboom: Slagboom, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    camera = 'camera = "exit.avi"'
    exit_of = GOOD.replace(camera, f"{camera}\nregion = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]")
    site.write_text(exit_of, "utf-8")
    path = tmp_path / "two.png"
    assert cv2.imwrite(str(path), np.hstack([car(("FP", "786", "YF"), "F"), car(("KA", "PT", "538"), "D")]))

    def texts(*words: object) -> list[str]:
        (found,) = slagboom("read", path, "--json", *words).objects()
        return sorted(plate["text"] for plate in found["plates"])

    assert texts() == texts("--config", site, "--lane", "entry") == ["FP-786-YF", "KA-PT 538"]
    assert texts("--config", site, "--lane", "exit") == ["FP-786-YF"]
    site.write_text(exit_of + '\n[recognition]\nocr = "none.onnx"\n', "utf-8")
    assert "none.onnx: no such" in slagboom("read", path, "--config", site, "--lane", "exit").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lane", "entry"], "--lane: of which site? add --config SITE.toml"),
        (["--config", "SITE"], "--lane: missing; lanes with cameras are entry, exit"),
        (["--config", "SITE", "--lane", "entri"], "--lane: entri has no camera; did you mean entry?"),
        (
            ["--config", "SITE", "--lane", "exit", "--ocr", "x.onnx"],
            "--config: the site's settings name the models; leave --ocr and --detector out",
        ),
    ],
)
def test_a_lane_that_cannot_be_meant_is_told(
    slagboom: Slagboom, tmp_path: Path, words: list[str], expected: str
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(GOOD, "utf-8")
    said = slagboom("read", picture(tmp_path / "a.png", 0), *[str(site) if w == "SITE" else w for w in words])
    assert (said.code, said.err) == (2, f"error: {expected}\n")
