"""platedet's boxes read by RapidOCR's recogniser alone: `platedet_reads.py ASKS.json ANSWERS.json`.

Asks and answers as in `rapidocr_reads.py`, in an environment of its own, on one thread.
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path

import cv2
import onnxruntime
from platedet import Platedet
from rapidocr import RapidOCR

cv2.setNumThreads(1)
ONE_THREAD = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


def main(asks: Path, answers: Path) -> None:
    """Read every picture once; the first is read twice, since the first read of all loads the models.

    Loaded one at a time, or the pictures would count as the reader's memory.
    """
    logging.disable(logging.WARNING)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    detector, engine = Platedet(sess_options=options), RapidOCR(params=ONE_THREAD)

    def read(picture: cv2.typing.MatLike) -> list[str]:
        seen = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        texts: list[str] = []
        for left, top, right, bottom in (
            detector.inference(seen, return_types=["boxes"]).get("boxes", {}).get("boxes", ())
        ):
            crop = picture[max(0, top) : bottom, max(0, left) : right]
            if crop.size:
                texts += engine(crop, use_det=False, use_cls=False, use_rec=True).txts or ()
        return texts

    paths = json.loads(asks.read_text(encoding="utf-8"))
    read(cv2.imread(paths[0]))
    told = []
    for path in paths:
        picture = cv2.imread(path)
        begun = time.process_time()
        texts = read(picture)
        told.append({"texts": texts, "cpu_ms": 1000 * (time.process_time() - begun)})
    largest_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.write_text(json.dumps({"pictures": told, "resident_mb": largest_mb}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
