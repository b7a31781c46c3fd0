"""The structure of ONNX files, and what is wrong with damaged ones."""

from pathlib import Path

import numpy as np
import pytest

from auricle.engines.onnx_file import BadFile, read_onnx
from tests.support.onnx_writer import FLOAT, Shape, block, graph, node, number, onnx_file, tensor

pytestmark = pytest.mark.unit

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
PORT: tuple[int, Shape] = (FLOAT, ["N", 2])
GOOD = onnx_file(
    graph([node("MatMul", ["x", "w"], ["y"])], {"x": PORT}, {"y": PORT}, {"w": WEIGHT}),
    {"vocab_size": 5},
)


def written(folder: Path, content: bytes) -> Path:
    (folder / "model.onnx").write_bytes(content)
    return folder / "model.onnx"


def with_weight(content: bytes) -> bytes:
    """Return a file whose only weight is this message."""
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    return onnx_file(graph(nodes, {"x": PORT}, {"y": PORT}, {}) + block(5, content))


def external(**entries: object) -> bytes:
    """Return a weight of 24 bytes that is in another file."""
    parts = [block(13, block(1, key) + block(2, str(value))) for key, value in entries.items()]
    return number(1, 6) + number(2, FLOAT) + block(8, "w") + b"".join(parts) + number(14, 1)


def test_names_and_metadata_are_read(tmp_path: Path) -> None:
    found = read_onnx(written(tmp_path, GOOD))
    assert (found.inputs, found.outputs) == (("x",), ("y",))
    assert found.input_shapes == {"x": (None, 2)}
    assert found.metadata == {"vocab_size": "5"}
    assert (found.is_quantised, found.size_bytes) == (False, len(GOOD))


def test_a_weight_that_is_listed_as_input_is_none(tmp_path: Path) -> None:
    content = graph(
        [node("MatMul", ["x", "w"], ["y"])], {"x": PORT, "w": PORT}, {"y": PORT}, {"w": WEIGHT}
    )
    assert read_onnx(written(tmp_path, onnx_file(content))).inputs == ("x",)


def test_dynamic_quantisation_is_found(tmp_path: Path) -> None:
    nodes = [node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])]
    content = onnx_file(graph(nodes, {"x": PORT}, {"y": PORT}, {}))
    assert read_onnx(written(tmp_path, content)).is_quantised


@pytest.mark.parametrize("length", range(1, len(GOOD)))
def test_a_truncated_file_is_rejected(tmp_path: Path, length: int) -> None:
    try:
        found = read_onnx(written(tmp_path, GOOD[:length]))
    except BadFile:
        return
    assert found.outputs == ("y",)  # cut between two fields, after the graph
    assert found.metadata in ({}, {"vocab_size": "5"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 1000, "not an ONNX file"),
        (b"<html><body>Not found</body></html>", "not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "ONNX file"),
        (onnx_file(b""), "no nodes or outputs"),
        (number(1, 8), "not an ONNX file, or it is truncated"),
    ],
    ids=["empty", "zeros", "page", "pointer", "no-graph", "no-field"],
)
def test_other_files_are_rejected(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(BadFile, match=reason):
        read_onnx(written(tmp_path, content))


def test_a_weight_of_another_size_is_rejected(tmp_path: Path) -> None:
    cut = tensor("w", WEIGHT).replace(WEIGHT.tobytes(), WEIGHT.tobytes()[:-4])
    cut = cut.replace(bytes([9 << 3 | 2, 24]), bytes([9 << 3 | 2, 20]))
    with pytest.raises(BadFile, match="a weight has 20 bytes instead of 24"):
        read_onnx(written(tmp_path, with_weight(cut)))


def test_weights_in_another_file_count(tmp_path: Path) -> None:
    (tmp_path / "weights.data").write_bytes(bytes(32))
    content = with_weight(external(location="weights.data", offset=8, length=24))
    assert read_onnx(written(tmp_path, content)).size_bytes == len(content) + 24


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"location": "weights.data", "offset": 9}, "weights.data, is truncated"),
        ({"location": "weights.data", "length": 20}, "20 bytes instead of 24"),
        ({"location": "other.data"}, "other.data, is missing"),
        ({"location": "../weights.data"}, "not in a file of the same directory"),
        ({"location": "/etc/passwd"}, "not in a file of the same directory"),
        ({"location": "weights.data", "offset": -1}, "not in a file of the same directory"),
        ({"location": "weights.data", "offset": "a"}, "not a number"),
        ({}, "not in a file of the same directory"),
    ],
)
def test_weights_that_are_not_there_are_reported(
    tmp_path: Path, entries: dict[str, object], reason: str
) -> None:
    (tmp_path / "weights.data").write_bytes(bytes(32))
    with pytest.raises(BadFile, match=reason):
        read_onnx(written(tmp_path, with_weight(external(**entries))))


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_onnx(tmp_path / "model.onnx")
