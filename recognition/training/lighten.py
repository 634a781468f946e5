"""Rewrites a model in whole numbers so that the same sums take onnxruntime less time.

    python -m recognition.training.lighten MODEL.onnx OUT.onnx

`quantize.py` does so at its end. The detector takes blocks of 4 x 4 pixels with the pixels before them, so that its
first convolution has no kernel and its second one of 2 x 2; what is doubled is copied, not resized. A SiLU between
whole numbers is one step instead of two, a square no power, and shapes that are known are not asked for. Answers
differ by roundings of floats alone.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from recognition.blocks import BLOCK_CHANNELS, BLOCK_ROW

STEM_OUTPUTS_USED = 12
"""Of the first convolution, before any that only fill up."""


class Graph:
    """A model's nodes by what they make and its constants by name."""

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.nodes = self.model.graph.node
        self.constants = {one.name: one for one in self.model.graph.initializer}

    def value(self, name: str) -> NDArray[Any]:
        """A constant."""
        return numpy_helper.to_array(self.constants[name])

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Its name, newly made or changed."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
        if name in self.constants:
            self.constants[name].CopyFrom(tensor)
        else:
            self.model.graph.initializer.append(tensor)
            self.constants[name] = self.model.graph.initializer[-1]
        return name

    def maker(self, name: str) -> Any:
        """The node that makes this."""
        return next(node for node in self.nodes if name in node.output)

    def takers(self, name: str) -> list[Any]:
        """The nodes that take this."""
        return [node for node in self.nodes if name in node.input]

    def of_kind(self, kind: str) -> list[Any]:
        """All nodes of a kind."""
        return [node for node in self.nodes if node.op_type == kind]

    def replace(self, old: list[Any], new: list[Any]) -> None:
        """Puts new nodes where the first of the old ones was."""
        at = min(list(self.nodes).index(node) for node in old)
        kept = [node for node in self.nodes if node not in old]
        del self.nodes[:]
        self.nodes.extend([*kept[:at], *new, *kept[at:]])

    def save(self, path: Path) -> None:
        """Writes the model without what nobody takes any more."""
        wanted = {one.name for one in self.model.graph.output}
        for node in reversed(list(self.nodes)):
            if wanted.isdisjoint(node.output):
                self.nodes.remove(node)
            else:
                wanted.update(node.input)
        for one in [one for one in self.model.graph.initializer if one.name not in wanted]:
            self.model.graph.initializer.remove(one)
        onnx.checker.check_model(self.model)
        onnx.save(self.model, path)


def lighten(source: Path, path: Path) -> None:
    """Writes PATH from SOURCE, a model as `quantize.py` makes it."""
    graph = Graph(source)
    if graph.model.graph.output[0].name == "plates":
        _blocks(graph)
        for node in graph.of_kind("Resize"):
            _copied(graph, node)
        _answers_apart(graph)
    _known_shapes(graph)
    _squares(graph)
    _silu(graph)
    graph.save(path)


def _attributes(conv: Any, **values: list[int]) -> None:
    kept = [one for one in conv.attribute if one.name not in values]
    del conv.attribute[:]
    conv.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in values.items())])


def _blocks(graph: Graph) -> None:
    """The first two convolutions for blocks of pixels as `recognition.blocks.blocks_of` makes them."""
    graph.model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = BLOCK_CHANNELS
    first, second = graph.of_kind("Conv")[:2]
    cells, outputs = graph.value(graph.maker(first.input[1]).input[0]), STEM_OUTPUTS_USED
    wide = np.zeros((4 * outputs, BLOCK_CHANNELS, 1, 1), np.int8)
    for (y, x), (cy, cx), (dy, dx) in product(*[list(product(range(2), range(2)))] * 3):
        row, col = 2 * (y + cy) + dy - 1, 2 * (x + cx) + dx - 1
        if row >= 0 and col >= 0:
            at, of = BLOCK_ROW * row + 3 * col, outputs * (2 * y + x)
            from_ = 8 * dy + 4 * dx
            wide[of : of + outputs, at : at + 3, 0, 0] = cells[:outputs, from_ : from_ + 3, cy, cx]
    for made in (graph.maker(first.input[1]), graph.maker(first.input[2])):
        for name in made.input:
            graph.constant(name, np.tile(graph.value(name)[:outputs], 4) if graph.value(name).ndim == 1 else wide)
    _attributes(first, kernel_shape=[1, 1], pads=[0, 0, 0, 0], strides=[1, 1])
    name = graph.maker(second.input[1]).input[0]
    plain = graph.value(name)
    blocked = np.zeros((len(plain), 4 * outputs, 2, 2), np.int8)
    for y, x in product(range(3), range(3)):
        of = outputs * (2 * ((y + 1) % 2) + (x + 1) % 2)
        blocked[:, of : of + outputs, (y + 1) // 2, (x + 1) // 2] = plain[:, :outputs, y, x]
    graph.constant(name, blocked)
    _attributes(second, kernel_shape=[2, 2], pads=[1, 1, 0, 0], strides=[1, 1])


def _copied(graph: Graph, resize: Any) -> None:
    """Doubles by copying columns, then rows."""
    whole = graph.maker(resize.input[0])
    (again,) = graph.takers(resize.output[0])
    name = resize.name
    row = graph.constant(f"{name}/row", np.array([0, 0, 1, -1]))
    twice = graph.constant(f"{name}/twice", np.array([1, 2, 2, 1]))
    parts: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Transpose", [whole.input[0]], f"{name}/cells", {"perm": [0, 2, 3, 1]}),
        ("Concat", [f"{name}/cells"] * 2, f"{name}/wide", {"axis": 3}),
        ("Reshape", [f"{name}/wide", row], f"{name}/rows", {}),
        ("Concat", [f"{name}/rows"] * 2, f"{name}/high", {"axis": 2}),
        ("Shape", [f"{name}/cells"], f"{name}/small", {}),
        ("Mul", [f"{name}/small", twice], f"{name}/size", {}),
        ("Reshape", [f"{name}/high", f"{name}/size"], f"{name}/doubled", {}),
        ("Transpose", [f"{name}/doubled"], again.output[0], {"perm": [0, 3, 1, 2]}),
    ]
    new = [helper.make_node(kind, takes, [gives], gives + "/node", **more) for kind, takes, gives, more in parts]
    graph.replace([resize, again], new)


def _answers_apart(graph: Graph) -> None:
    """Heat and corners from one product each, over rows of cells, instead of one that is taken apart again."""
    (last,) = graph.of_kind("MatMul")
    (added,) = graph.takers(last.output[0])
    joined = graph.of_kind("Concat")[-1]
    weight, bias = (
        graph.value(last.input[1]),
        graph.value(next(one for one in added.input if one in graph.constants)),
    )
    turned = graph.maker(last.input[0])
    scaled = graph.maker(turned.input[0])
    whole = helper.make_node("Transpose", [scaled.input[0]], ["answer/whole"], perm=[0, 2, 3, 1])
    floats = helper.make_node("DequantizeLinear", ["answer/whole", *scaled.input[1:]], ["answer/floats"])
    old = [turned, last, added, joined, *graph.of_kind("Slice"), *graph.of_kind("Sigmoid")]
    rows = graph.constant("answer/rows", np.array([-1, len(weight)]))
    answers = graph.constant("answer/answers", np.array(weight.shape[1:]))
    new = [whole, floats, helper.make_node("Reshape", ["answer/floats", rows], ["answer/cells"])]
    for name, of in (("heat", slice(0, 1)), ("corners", slice(1, None))):
        by = graph.constant(f"answer/{name}_weight", weight[:, of])
        plus = graph.constant(f"answer/{name}_bias", bias[of])
        new.append(helper.make_node("Gemm", ["answer/cells", by, plus], [f"answer/{name}"]))
    new += [
        helper.make_node("Sigmoid", ["answer/heat"], ["answer/sure"]),
        helper.make_node("Concat", ["answer/sure", "answer/corners"], ["answer/both"], axis=1),
        helper.make_node("Shape", [whole.output[0]], ["answer/places"], end=3),
        helper.make_node("Concat", ["answer/places", answers], ["answer/size"], axis=0),
        helper.make_node("Reshape", ["answer/both", "answer/size"], list(joined.output)),
    ]
    graph.replace(old, new)


def _known_shapes(graph: Graph) -> None:
    """Shapes that the reader asks for though they are known; its slots' first questions are the same for all."""
    for expand in graph.of_kind("Expand"):
        asked = expand.input[0]
        _use(graph, expand.output[0], asked)
        scale = np.float32(graph.value(asked).shape[-1] ** -0.5)
        for power in graph.of_kind("Pow"):
            if graph.value(power.input[1]) == -0.5:
                _use(graph, power.output[0], graph.constant("scale", np.asarray(scale)))
        for reshape in graph.of_kind("Reshape"):
            if graph.maker(reshape.input[0]).op_type == "Conv":
                reshape.input[1] = graph.constant("flat", np.array([0, 0, -1]))


def _squares(graph: Graph) -> None:
    for power in graph.of_kind("Pow"):
        if power.input[1] in graph.constants and graph.value(power.input[1]) == 2:
            graph.replace([power], [helper.make_node("Mul", [power.input[0]] * 2, list(power.output))])


def _silu(graph: Graph) -> None:
    """A SiLU is asked for by its name: onnxruntime does not know it again between whole numbers."""
    for sigmoid in graph.of_kind("Sigmoid"):
        after = graph.takers(sigmoid.output[0])
        if len(after) == 1 and after[0].op_type == "Mul" and sigmoid.input[0] in after[0].input:
            makes = list(after[0].output)
            silu = helper.make_node("QuickGelu", [sigmoid.input[0]], makes, domain="com.microsoft", alpha=1.0)
            graph.replace([sigmoid, after[0]], [silu])


def _use(graph: Graph, old: str, new: str) -> None:
    for node in graph.takers(old):
        node.input[:] = [new if name == old else name for name in node.input]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    lighten(options.source, options.out)


if __name__ == "__main__":
    main()
