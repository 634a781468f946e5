"""Writes the trained reader as the ONNX file and YAML that fast-plate-ocr loads.

The contract: one input `input`, uint8, NHWC, RGB; outputs `plate` (N, slots, vocab) and `region` (N, R), both
softmaxed, with the calibration temperatures inside the graph.

    python -m recognition.training.export_ocr checkpoints/ocr/last.pt
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from recognition.training.calibrate_ocr import fit
from recognition.training.degrade import Camera
from recognition.training.ocr_net import ALPHABET, HEIGHT_PX, PAD, REGIONS, SLOTS, WIDTH_PX, OcrNet
from recognition.training.plates_source import PlateSource, Sources

# Real plates have letters and faults that were never drawn. Faces never trained on and harder faults stand in for
# them, else the reader would be far too sure of itself in the street.
HARDNESS = 1.4
UNSEEN_SHARE = 0.7
CALIBRATION_SEED = 30_000_001
MODELS = Path(__file__).resolve().parent.parent / "models"


class Exported(nn.Module):
    """The net from uint8 NHWC pixels to calibrated probabilities."""

    def __init__(self, net: OcrNet, plate_temperature: float, region_temperature: float) -> None:
        super().__init__()
        self.net = net
        self.plate_temperature = plate_temperature
        self.region_temperature = region_temperature

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 64, 160, 3) uint8 to (N, SLOTS, vocab) and (N, regions), each row summing to one."""
        plate, region = self.net(pixels.permute(0, 3, 1, 2).float())
        return (plate / self.plate_temperature).softmax(-1), (region / self.region_temperature).softmax(-1)


def yaml_text() -> str:
    """The plate configuration beside the model; JSON strings are valid YAML."""
    regions = "\n".join(f"  - {json.dumps(code)}" for code in REGIONS)
    return (
        f"max_plate_slots: {SLOTS}\n"
        f"alphabet: {json.dumps(ALPHABET, ensure_ascii=False)}\n"
        f"pad_char: {json.dumps(PAD)}\n"
        f"img_height: {HEIGHT_PX}\n"
        f"img_width: {WIDTH_PX}\n"
        "keep_aspect_ratio: false\n"
        "interpolation: linear\n"
        "image_color_mode: rgb\n"
        f"plate_regions:\n{regions}\n"
    )


def export(net: OcrNet, onnx_path: Path, plate_temperature: float = 1.0, region_temperature: float = 1.0) -> None:
    """Write ONNX_PATH and the YAML of the same name beside it."""
    module = Exported(net, plate_temperature, region_temperature).eval()
    torch.onnx.export(
        module,
        (torch.zeros(1, HEIGHT_PX, WIDTH_PX, 3, dtype=torch.uint8),),
        str(onnx_path),
        dynamo=False,
        opset_version=17,
        input_names=["input"],
        output_names=["plate", "region"],
        dynamic_axes={"input": {0: "n"}, "plate": {0: "n"}, "region": {0: "n"}},
    )
    onnx_path.with_suffix(".yaml").write_text(yaml_text(), encoding="utf-8")


def main() -> None:
    """Command line: a checkpoint to recognition/models/ocr.onnx."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, default=MODELS / "ocr.onnx")
    parser.add_argument("--faces", type=Path, default=Path("checkpoints/faces_unseen"), help="not trained on")
    parser.add_argument("--plates", type=int, default=4000, help="drawn plates to calibrate on")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu", weights_only=True)
    torch.set_num_threads(1)
    net = OcrNet()
    net.load_state_dict(state["average"])
    source = PlateSource(Sources(options.faces, None, Camera(HARDNESS), UNSEEN_SHARE), CALIBRATION_SEED)
    print(f"calibration: {source.material()}", flush=True)
    print(f"drawing {options.plates} plates to calibrate on; minutes on a busy machine", flush=True)
    temperatures, reliability = fit(net, (source.batch(200) for _ in range(max(1, options.plates // 200))))
    export(net, options.out, temperatures["plate"], temperatures["region"])
    print(
        f"{options.out} {options.out.stat().st_size / 1e6:.2f} MB, step {state['step']}, "
        f"temperatures {temperatures}"
    )
    for said, true, plates in reliability:
        print(f"says {said:.3f}  is right {true:.3f}  of {plates}")


if __name__ == "__main__":
    main()
