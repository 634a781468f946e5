"""Our reader over pictures in a process of its own: `python -m benchmarks._read_ours ASKS.json ANSWERS.json`.

Asks and answers as in `peer_scripts/rapidocr_reads.py`, and beside each text whether it is accepted, and how often
each net ran on an input of which shape and for how long.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import onnxruntime as ort

from recognition.frame import load_image
from recognition.recognizer import Recognizer


class Counted:
    """A net that tells afterwards how often it ran on which shape, and the processor time of all of it."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.runs: dict[str, int] = {}
        self.cpu_ms = 0.0

    def run(self, wanted: list[str], feed: dict[str, Any]) -> Any:
        """As the net itself."""
        begun = time.process_time()
        told = self._session.run(wanted, feed)
        self.cpu_ms += 1000 * (time.process_time() - begun)
        (taken,) = feed.values()
        shape = "x".join(map(str, taken.shape))
        self.runs[shape] = self.runs.get(shape, 0) + 1
        return told


def counted(recognizer: Any) -> dict[str, Counted]:
    """Puts a counter in front of each net of the recognizer."""
    detector, reader = recognizer._detector, recognizer._ocr._reader
    detector._session, detector._aligner = Counted(detector._session), Counted(detector._aligner)
    reader.model = Counted(reader.model)
    return {"detector": detector._session, "aligner": detector._aligner, "ocr": reader.model}


def main(asks: Path, answers: Path) -> None:
    """Read every picture once."""
    cv2.setNumThreads(1)
    recognizer = Recognizer()
    paths = json.loads(asks.read_text(encoding="utf-8"))
    recognizer.read(load_image(Path(paths[0])))
    nets = counted(recognizer)
    told = []
    for path in paths:
        image = load_image(Path(path))
        begun = time.process_time()
        reads = recognizer.read(image)
        took_ms = 1000 * (time.process_time() - begun)
        sure = [read.read.plate.key for read in reads if read.accepted]
        told.append({"texts": [read.read.plate.key for read in reads], "sure": sure, "cpu_ms": took_ms})
    largest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {
        "pictures": told,
        "resident_mb": largest_mb,
        "nets": {name: {"runs": net.runs, "cpu_ms": net.cpu_ms} for name, net in nets.items()},
    }
    answers.write_text(json.dumps(said), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
