"""RapidOCR over pictures, on one thread, in its own environment: `rapidocr_reads.py ASKS.json ANSWERS.json`.

Asked `["picture", ...]` it answers the lines of each, the processor time of each without loading the file, and the
process's largest resident size.
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path

import cv2

cv2.setNumThreads(1)
ONE_THREAD = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


def main(asks: Path, answers: Path) -> None:
    """Read every picture once; the first is read twice, since the first read of all loads the models.

    Loaded one at a time, or the pictures would count as the reader's memory.
    """
    from rapidocr import RapidOCR

    logging.disable(logging.WARNING)
    engine = RapidOCR(params=ONE_THREAD)
    paths = json.loads(asks.read_text(encoding="utf-8"))
    engine(cv2.imread(paths[0]))
    told = []
    for path in paths:
        picture = cv2.imread(path)
        begun = time.process_time()
        lines = engine(picture).txts or ()
        told.append({"texts": list(lines), "cpu_ms": 1000 * (time.process_time() - begun)})
    largest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.write_text(json.dumps({"pictures": told, "resident_mb": largest_mb}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
