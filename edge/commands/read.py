"""`slagboom read`: the plates in pictures, each with its corners, its probability and whether a gate would act."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge import clock, present
from gate_controller.errors import MediaError
from recognition.frame import load_image
from recognition.recognizer import LocatedRead, Recognizer


def read_images(images: Sequence[Path], *, as_json: bool) -> int:
    """Print every picture's plates; 2 when a picture could not be used, after the others were read."""
    recognizer = Recognizer()
    rows: list[tuple[object, ...]] = []
    bad = 0
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
            plates = [_plate(read) for read in recognizer.read(image)]
            took_ms = round(1000 * (clock.now().mono_s - begin_s), 1)
            if as_json:
                present.json_line({"image": str(path), "plates": plates, "ms": took_ms})
            else:
                rows += _rows(path, plates, took_ms)
            bar()
    if rows:
        present.table("", ("Image", "Plate", "Country", "Confidence", "Accepted", "ms"), rows)
    return 2 if bad else 0


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
