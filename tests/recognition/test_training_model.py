"""The reader that ships: fast-plate-ocr's contract, clean plates read exactly, nothing read where nothing is."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from fast_plate_ocr import LicensePlateRecognizer

from recognition.training.draw import Freedom, draw_plate

MODELS = Path(__file__).resolve().parents[2] / "recognition" / "models"

CLEAN = [
    ("F", ("AB", "123", "CD")),
    ("F", ("1020", "HG", "90")),
    ("NL", ("14", "NJK", "9")),
    ("NL", ("ZD", "PB", "67")),
    ("HR", ("OS", "2004", "K")),
    ("D", ("NWM", "MX", "45")),
    ("I", ("DS", "346", "WG")),
    ("A", ("W", "7859", "AM")),
    ("RO", ("B", "123", "XYZ")),
    ("GB", ("AB12", "CDE")),
]


@pytest.fixture(scope="module")
def reader() -> LicensePlateRecognizer:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return LicensePlateRecognizer(
        onnx_model_path=MODELS / "ocr.onnx",
        plate_config_path=MODELS / "ocr.yaml",
        device="cpu",
        sess_options=options,
    )


def test_the_model_keeps_the_contract(reader: LicensePlateRecognizer) -> None:
    inputs, outputs = reader.model.get_inputs(), reader.model.get_outputs()
    assert [(part.name, part.type, part.shape[1:]) for part in inputs] == [("input", "tensor(uint8)", [64, 160, 3])]
    assert [part.name for part in outputs] == ["plate", "region"]
    noise = np.random.default_rng(1).integers(0, 256, (3, 64, 160, 3), dtype=np.uint8)
    plate, region = reader.model.run(["plate", "region"], {"input": noise})
    assert plate.shape == (3, reader.config.max_plate_slots, len(reader.config.alphabet))
    assert region.shape == (3, len(reader.config.plate_regions or ()))
    assert np.allclose(plate.sum(-1), 1.0, atol=1e-4)
    assert np.allclose(region.sum(-1), 1.0, atol=1e-4)


def test_the_model_is_small() -> None:
    assert (MODELS / "ocr.onnx").stat().st_size < 4_000_000


@pytest.mark.parametrize(("country", "groups"), CLEAN)
def test_clean_plates_are_read_exactly(
    reader: LicensePlateRecognizer, country: str, groups: tuple[str, ...]
) -> None:
    freedom = Freedom(jitter=0.1, two_line=False, extras=False)
    plate = draw_plate(groups, country, np.random.default_rng(7), freedom=freedom)
    (read,) = reader.run(np.ascontiguousarray(plate[..., ::-1]), return_confidence=True)
    assert read.plate == "".join(groups)


def test_clean_plates_mostly_name_their_country(reader: LicensePlateRecognizer) -> None:
    freedom = Freedom(jitter=0.1, two_line=False, extras=False)
    regions = reader.config.plate_regions or []
    right = 0
    for country, groups in CLEAN:
        plate = draw_plate(groups, country, np.random.default_rng(7), freedom=freedom)
        (read,) = reader.run(np.ascontiguousarray(plate[..., ::-1]))
        assert read.region in regions
        right += read.region == country
    assert right >= 8


def test_a_flat_picture_is_not_read_with_confidence(reader: LicensePlateRecognizer) -> None:
    flat = np.full((1, 64, 160, 3), 90, np.uint8)
    plate, _ = reader.model.run(["plate", "region"], {"input": flat})
    best, pad = plate[0].max(-1), reader.config.alphabet.index(reader.config.pad_char)
    used = np.flatnonzero(plate[0].argmax(-1) != pad)
    assert used.size == 0 or best[: used[-1] + 2].prod() < 0.5
