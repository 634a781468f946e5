"""`slagboom read`: the plates in pictures, each with its corners, its probability and whether a gate would act."""

from collections.abc import Sequence
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from typing import Any

import cv2

from edge import clock, present
from edge.config import load_config
from edge.tables import did_you_mean
from gate_controller.errors import BadInput, ConfigError, MediaError, StoreError
from recognition.choice import SHIPPED, Models, load_recognizer
from recognition.explain import explain
from recognition.frame import Image, load_image
from recognition.recognizer import LocatedRead
from recognition.roi import WHOLE, Roi


@dataclass(frozen=True, slots=True)
class Camera:
    """What reads its pictures: the models, paths relative to the folder, and what of a picture counts."""

    models: Models = SHIPPED
    folder: Path = Path()
    roi: Roi = WHOLE


def camera_of(path: Path | None, name: str | None, models: Models) -> Camera:
    """That of a lane of the site's settings, the only one if it is not named; without settings, these models alone.

    Raises `BadInput` for what cannot go together, and `ConfigError` naming the file and the fix.
    """
    if path is None:
        if name is not None:
            raise BadInput("--lane: of which site? add --config SITE.toml")
        return Camera(models)
    if models != SHIPPED:
        raise BadInput("--config: the site's settings name the models; leave --ocr and --detector out")
    config = load_config(path)
    seen = {at: lane for at, lane in config.lanes.items() if lane.camera is not None}
    if not seen:
        raise ConfigError([f"{path}: no lane has a camera; leave --config out"])
    if name is None and len(seen) > 1:
        raise BadInput(f"--lane: missing; lanes with cameras are {', '.join(seen)}")
    if name is not None and name not in seen:
        raise BadInput(f"--lane: {name} has no camera; {did_you_mean(name, seen)}")
    lane = seen[name] if name is not None else next(iter(seen.values()))
    chosen = Models(config.recognition.ocr, config.recognition.detector)
    return Camera(chosen, config.folder, Roi(lane.region, lane.plate_width_min_px))


def read_images(
    images: Sequence[Path], *, as_json: bool, camera: Camera = Camera(), explained: bool = False
) -> int:
    """Print every picture's plates; 2 when a picture could not be used, after the others were read.

    `explained`: also write, into the working directory, a picture of how each was read.
    """
    recognizer = load_recognizer(camera.models, camera.folder)
    rows: list[tuple[object, ...]] = []
    bad = 0
    taken = {realpath(image) for image in images}
    with present.progress("reading", len(images), lines=as_json) as bar:
        for path in images:
            bar(path.name, done=0)
            try:
                with present.libraries_silenced():
                    image = load_image(path)
            except MediaError as error:
                present.failure(error)
                bad += 1
                bar()
                continue
            begin_s = clock.now().mono_s
            reads = recognizer.read(image, camera.roi)
            took_ms = round(1000 * (clock.now().mono_s - begin_s), 1)
            plates = [_plate(read) for read in reads]
            if explained:
                explained_in = _explain(_free(path, taken), image, reads, camera.roi)
                present.say(f"{path}: explained in {explained_in}", stderr=True)
            if as_json:
                present.json_line({"image": str(path), "plates": plates, "ms": took_ms})
            else:
                rows += _rows(path, plates, took_ms)
            bar()
    if rows:
        present.table("", ("Image", "Plate", "Country", "Confidence", "Accepted", "ms"), rows)
    return 2 if bad else 0


def _free(path: Path, taken: set[str]) -> Path:
    """Where a picture is explained: in no file that this run reads or has written; it is taken from now on."""
    out, number = Path(f"{path.name}.explained.png"), 1
    while realpath(out) in taken:
        number += 1
        out = Path(f"{path.name}.{number}.explained.png")
    taken.add(realpath(out))
    return out


def _explain(out: Path, image: Image, reads: Sequence[LocatedRead], roi: Roi) -> Path:
    """Writes the picture. Raises `StoreError` naming the file when it cannot be written."""
    try:
        out.write_bytes(cv2.imencode(".png", explain(image, reads, roi))[1].tobytes())
    except OSError as error:
        raise StoreError(f"{out}: {error.strerror}; free space or work in another folder") from None
    return out


def _plate(read: LocatedRead) -> dict[str, Any]:
    return {
        "text": read.read.plate.display(),
        "country": read.read.plate.country,
        "confidence": round(read.read.confidence, 4),
        "accepted": read.accepted,
        "rejected": read.rejected and read.rejected.value,
        "corners": [[round(x, 1), round(y, 1)] for x, y in read.corners],
    }


def _rows(path: Path, plates: list[dict[str, Any]], took_ms: float) -> list[tuple[object, ...]]:
    if not plates:
        return [(path, "no plate", "", "", "", took_ms)]
    return [
        (
            path if index == 0 else "",
            plate["text"],
            plate["country"],
            f"{plate['confidence']:.2f}",
            "yes" if plate["accepted"] else f"no: {plate['rejected']}",
            took_ms if index == 0 else "",
        )
        for index, plate in enumerate(plates)
    ]
