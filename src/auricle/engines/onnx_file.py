"""Read the structure of an ONNX file, and check it before any C++ does.

ONNX is one protobuf message (onnx.proto, ``ModelProto``). All lengths are checked against the
file's, and the size of each weight against its shape, so that a truncated file is found without
loading it. Weights are not read. Standard library only: the server uses this module.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

MAX_FIELDS = 2_000_000
"""Maximum fields of a file; models of 600 million parameters have about 20,000."""
ELEMENT_BYTES = {
    **dict.fromkeys((2, 3, 9, 17, 18, 19, 20), 1),  # 8-bit integers, booleans, float8
    **dict.fromkeys((4, 5, 10, 16), 2),
    **dict.fromkeys((1, 6, 12), 4),
    **dict.fromkeys((7, 11, 13, 14), 8),
}
"""Bytes of an element by ``TensorProto.DataType``; strings and 4-bit types are not checked."""
QUANTISED_NODES = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
)
"""Nodes that scale activations by their range in the call, which depends on the whole batch."""

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_INITIALISER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_EXTERNAL = 1


class BadFile(ValueError):
    """A file is not what its name says; the message is a reason for the operator."""


@dataclass(frozen=True, slots=True)
class GraphFile:
    """The structure of a graph.

    Attributes:
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        metadata: Custom metadata.
        is_quantised: Whether activations are quantised by their range.
        size_bytes: Size of its weights, including those in other files.
        input_shapes: Shapes of the inputs by name, if known; ``None`` for any size.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]
    is_quantised: bool
    size_bytes: int
    input_shapes: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)


def read_onnx(path: Path) -> GraphFile:
    """Return the structure of an ONNX file.

    Raises:
        BadFile: It is empty, truncated or not an ONNX file, or a file of its weights is.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if not (size := path.stat().st_size):
            raise BadFile("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Reader(content, size, path.parent).model()


class _Reader:
    def __init__(self, content: mmap.mmap, size: int, directory: Path) -> None:
        self._content = content
        self._size = size
        self._directory = directory
        self._fields = 0

    def model(self) -> GraphFile:
        graph: tuple[int, int] | None = None
        metadata: dict[str, str] = {}
        for number, value in self._message(0, self._size):
            if number == _MODEL_GRAPH and isinstance(value, tuple):
                graph = value
            elif number == _MODEL_METADATA and isinstance(value, tuple):
                entry = dict(self._message(*value))
                metadata[self._text(entry.get(1))] = self._text(entry.get(2))
        if graph is None:
            raise BadFile("it is not an ONNX file, or it is truncated")
        outputs, weights = [], set[str]()
        shapes: dict[str, tuple[int | None, ...]] = {}
        nodes, size, is_quantised = 0, self._size, False
        for number, value in self._message(*graph):
            if not isinstance(value, tuple):
                continue
            if number == _GRAPH_NODE:
                nodes += 1
                is_quantised = is_quantised or self._operator(value) in QUANTISED_NODES
            elif number == _GRAPH_INITIALISER:
                name, external = self._weight(value)
                weights.add(name)
                size += external
            elif number == _GRAPH_INPUT:
                shapes[self._name(value)] = self._shape(value)
            elif number == _GRAPH_OUTPUT:
                outputs.append(self._name(value))
        if not nodes or not outputs:
            raise BadFile("it is not an ONNX file: its graph has no nodes or outputs")
        shapes = {name: shape for name, shape in shapes.items() if name not in weights}
        return GraphFile(
            tuple(shapes), tuple(outputs), metadata, is_quantised, size, input_shapes=shapes
        )

    def _name(self, span: tuple[int, int]) -> str:
        return self._text(
            next((value for number, value in self._message(*span) if number == 1), None)
        )

    def _shape(self, span: tuple[int, int]) -> tuple[int | None, ...]:
        """Return the shape of an input: ``ValueInfoProto.type.tensor_type.shape.dim``."""
        spans = [span]
        for wanted in (2, 1, 2, 1):
            fields = [each for at in spans for each in self._message(*at)]
            spans = [
                value for number, value in fields if number == wanted and isinstance(value, tuple)
            ]
        dimensions = (dict(self._message(*at)).get(1) for at in spans)
        return tuple(size if isinstance(size, int) else None for size in dimensions)

    def _operator(self, span: tuple[int, int]) -> str:
        return self._text(
            next((value for number, value in self._message(*span) if number == 4), None)
        )

    def _weight(self, span: tuple[int, int]) -> tuple[str, int]:
        """Return a tensor's name and its bytes in another file, after checking its size."""
        shape: list[int] = []
        element, name, location = 0, "", 0
        raw: tuple[int, int] | None = None
        external: dict[str, str] = {}
        for number, value in self._message(*span):
            if number == 1:
                shape += [value] if isinstance(value, int) else self._packed(*value)
            elif number == 2 and isinstance(value, int):
                element = value
            elif number == 8:
                name = self._text(value)
            elif number == 9 and isinstance(value, tuple):
                raw = value
            elif number == 13 and isinstance(value, tuple):
                entry = dict(self._message(*value))
                external[self._text(entry.get(1))] = self._text(entry.get(2))
            elif number == 14 and isinstance(value, int):
                location = value
        wanted = prod(shape) * ELEMENT_BYTES.get(element, 0)
        if location == _EXTERNAL:
            return name, self._external(external, wanted)
        if raw is not None and wanted and raw[1] - raw[0] != wanted:
            raise BadFile(f"a weight has {raw[1] - raw[0]} bytes instead of {wanted}")
        return name, 0

    def _external(self, entries: Mapping[str, str], wanted: int) -> int:
        """Return the length of a weight in another file, which must contain it."""
        location = entries.get("location", "")
        try:
            offset = int(entries.get("offset", 0))
            length = int(entries.get("length", wanted))
        except ValueError:
            raise BadFile("the place of a weight in another file is not a number") from None
        if not location or Path(location).name != location or min(offset, length) < 0:
            raise BadFile("its weights are not in a file of the same directory")
        if wanted and length != wanted:
            raise BadFile(f"a weight has {length} bytes instead of {wanted}")
        try:
            available = (self._directory / location).stat().st_size
        except OSError:
            raise BadFile(f"the file of its weights, {location}, is missing") from None
        if offset + length > available:
            raise BadFile(f"the file of its weights, {location}, is truncated")
        return length

    def _text(self, span: int | tuple[int, int] | None) -> str:
        if not isinstance(span, tuple):
            return ""
        return self._content[span[0] : span[1]].decode("utf-8", "replace")

    def _packed(self, at: int, end: int) -> Iterator[int]:
        while at < end:
            value, at = self._varint(at, end)
            yield value

    def _message(self, at: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
        """Yield the fields of a message: numbers, or the span of their bytes."""
        while at < end:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise BadFile("it has too many fields")
            tag, at = self._varint(at, end)
            number, kind = tag >> 3, tag & 7
            if not number:
                raise BadFile("it is not an ONNX file")
            value: int | tuple[int, int]
            if kind == 0:
                value, at = self._varint(at, end)
            elif kind in (1, 2, 5):
                length = {1: 8, 5: 4}.get(kind, 0)
                if kind == 2:
                    length, at = self._varint(at, end)
                if at + length > end:
                    raise BadFile("it is truncated, or not an ONNX file")
                value, at = (at, at + length), at + length
            else:
                raise BadFile("it is not an ONNX file")
            yield number, value

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise BadFile("it is truncated, or not an ONNX file")
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise BadFile("it is not an ONNX file")
