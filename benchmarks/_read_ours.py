"""Our reader over pictures in a process of its own: `python -m benchmarks._read_ours ASKS.json ANSWERS.json`.

Asks and answers as in `peer_scripts/rapidocr_reads.py`, and beside each text whether it is accepted.
"""

import json
import resource
import sys
import time
from pathlib import Path

import cv2

from recognition.frame import load_image
from recognition.recognizer import Recognizer


def main(asks: Path, answers: Path) -> None:
    """Read every picture once."""
    cv2.setNumThreads(1)
    recognizer = Recognizer()
    paths = json.loads(asks.read_text(encoding="utf-8"))
    recognizer.read(load_image(Path(paths[0])))
    told = []
    for path in paths:
        image = load_image(Path(path))
        begun = time.process_time()
        reads = recognizer.read(image)
        took_ms = 1000 * (time.process_time() - begun)
        sure = [read.read.plate.key for read in reads if read.accepted]
        told.append({"texts": [read.read.plate.key for read in reads], "sure": sure, "cpu_ms": took_ms})
    largest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.write_text(json.dumps({"pictures": told, "resident_mb": largest_mb}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
