"""`slagboom read`: the plates in pictures, each with its corners, its probability and whether a gate would act."""

from collections.abc import Sequence
from os.path import realpath
from pathlib import Path
from typing import Any

import cv2

from edge import clock, present
from gate_controller.errors import MediaError, StoreError
from recognition.choice import SHIPPED, Models, load_recognizer
from recognition.explain import explain
from recognition.frame import Image, load_image
from recognition.recognizer import LocatedRead


def read_images(images: Sequence[Path], *, as_json: bool, models: Models = SHIPPED, explained: bool = False) -> int:
    """Print every picture's plates; 2 when a picture could not be used, after the others were read.

    `explained`: also write, into the working directory, a picture of how each was read.
    """
    recognizer = load_recognizer(models)
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
            reads = recognizer.read(image)
            took_ms = round(1000 * (clock.now().mono_s - begin_s), 1)
            plates = [_plate(read) for read in reads]
            if explained:
                present.say(f"{path}: explained in {_explain(_free(path, taken), image, reads)}", stderr=True)
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


def _explain(out: Path, image: Image, reads: Sequence[LocatedRead]) -> Path:
    """Writes the picture. Raises `StoreError` naming the file when it cannot be written."""
    try:
        out.write_bytes(cv2.imencode(".png", explain(image, reads))[1].tobytes())
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
