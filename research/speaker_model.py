"""Make the speaker model that Auricle ships, from the float32 export of CAM++.

Weights become 8-bit integers with a scale for each output channel; onnxruntime turns them back into
float32 when it loads the file, so that the calculation stays the same. The export ends with a ReLU
that 3D-Speaker's model does not have (its last layer is a batch normalisation); it is removed.

    uv run --no-project --with onnx==1.23.2 --with numpy==2.4.6 python research/speaker_model.py \
        campplus.onnx src/auricle/workers/kinds/speakers/campplus.onnx
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SOURCE_SHA256 = "86c0d1773e58657a9faed3e42c30c13951356af8ccef562c3b348382052636bd"
MIN_WEIGHTS = 1024
"""Smaller tensors stay in float32."""


def main(source: Path, target: Path) -> None:
    content = source.read_bytes()
    if hashlib.sha256(content).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{source} is another file than campplus.onnx")
    model = onnx.load_from_string(content)
    remove_last_relu(model.graph)
    share_segments(model.graph)
    quantise_weights(model.graph)
    remove_notes(model)
    onnx.checker.check_model(model)
    made = model.SerializeToString(deterministic=True)
    target.write_bytes(made)
    print(f"{len(made)} bytes, sha256 {hashlib.sha256(made).hexdigest()}")


def remove_last_relu(graph: onnx.GraphProto) -> None:
    before, last = graph.node[-2:]
    assert (before.op_type, last.op_type) == ("BatchNormalization", "Relu")
    before.output[0] = last.output[0]
    graph.node.remove(last)


def share_segments(graph: onnx.GraphProto) -> None:
    """Look up each frame's segment in one way for all layers.

    Each of the 52 layers adds the mean of a segment of 100 frames to the frames in it. The export
    repeats the means with 18 operations a layer, which only work on shapes; one lookup does the
    same. The numbers of the segments are those of the first layer.
    """
    pools = [node for node in graph.node if node.op_type == "AveragePool"]
    nodes: list[onnx.NodeProto] = []
    constants = {"segment.zero": 0, "segment.one": 1, "segment.frames": 100, "segment.axis": 2}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    for node in graph.node:
        nodes.append(node)
        if node is pools[0]:
            nodes += [
                helper.make_node("Shape", [node.input[0]], ["segment.shape"]),
                helper.make_node("Gather", ["segment.shape", "segment.axis"], ["segment.size"]),
                helper.make_node(
                    "Range", ["segment.zero", "segment.size", "segment.one"], ["segment.frame"]
                ),
                helper.make_node("Div", ["segment.frame", "segment.frames"], ["segment.of"]),
            ]
        if node in pools:
            layer = node.name.removesuffix("AveragePool")
            nodes.append(
                helper.make_node(
                    "Gather", [node.output[0], "segment.of"], [f"{layer}Slice_output_0"], axis=2
                )
            )
    del graph.node[:]
    graph.node.extend(without_unused(nodes, {output.name for output in graph.output}))


def without_unused(nodes: list[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """Return the nodes that the outputs need; the first node that makes a value is used."""
    makers: dict[str, onnx.NodeProto] = {}
    for node in nodes:
        for output in node.output:
            makers.setdefault(output, node)
    kept: set[int] = set()
    waiting = [makers[name] for name in wanted]
    while waiting:
        node = waiting.pop()
        if id(node) not in kept:
            kept.add(id(node))
            waiting += [makers[name] for name in node.input if name in makers]
    return [node for node in nodes if id(node) in kept]


def quantise_weights(graph: onnx.GraphProto) -> None:
    tensors: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < MIN_WEIGHTS or weights.ndim < 2:
            tensors.append(tensor)
            continue
        name = tensor.name
        channels = tuple(range(1, weights.ndim))
        scale = np.abs(weights).max(axis=channels, keepdims=True).astype(np.float32) / 127
        scale[scale == 0] = 1
        quantised = np.rint(weights / scale).astype(np.int8)
        tensors.append(numpy_helper.from_array(quantised, f"{name}.int8"))
        tensors.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes += [
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]),
        ]
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(tensors)
    graph.node.extend(nodes)


def remove_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's descriptions and stack traces."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
