"""Read the structure of a model in onnxruntime's own format, and check it before any C++ does.

The format is a FlatBuffer (onnxruntime's ``ort.fbs``, identifier ``ORTM``): tables that refer to
their fields by offsets, all of which are checked against the file's length. Standard library only.
"""

import mmap
import struct
from pathlib import Path

from auricle.engines.onnx_file import BadFile, GraphFile

IDENTIFIER = b"ORTM"
MAX_NAMES = 10_000
_SESSION_MODEL, _MODEL_GRAPH = 1, 7
_GRAPH_INPUTS, _GRAPH_OUTPUTS = 5, 6


def read_ort(path: Path) -> GraphFile:
    """Return the names of the inputs and outputs of a file.

    A model of this format is treated as quantised, which the published ones are.

    Raises:
        BadFile: It is empty, truncated or of another format.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if not (size := path.stat().st_size):
            raise BadFile("it is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content[4:8] != IDENTIFIER:
                raise BadFile("it is not a file in onnxruntime's format")
            try:
                reader = _Reader(content)
                graph = reader.table(reader.table(reader.offset(0), _SESSION_MODEL), _MODEL_GRAPH)
                inputs = reader.names(graph, _GRAPH_INPUTS)
                outputs = reader.names(graph, _GRAPH_OUTPUTS)
            except (struct.error, IndexError):
                raise BadFile("it is truncated") from None
    return GraphFile(inputs, outputs, {}, is_quantised=True, size_bytes=size)


class _Reader:
    """Positions are bytes from the start of the file."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content

    def offset(self, at: int) -> int:
        """Follow an offset."""
        (offset,) = struct.unpack_from("<I", self._content, at)
        return self._checked(at + int(offset))

    def field(self, table: int, field: int) -> int:
        """Return the position of a table's field."""
        (back,) = struct.unpack_from("<i", self._content, table)
        layout = self._checked(table - int(back))
        (size,) = struct.unpack_from("<H", self._content, layout)
        slot = 4 + 2 * field
        (distance,) = (
            struct.unpack_from("<H", self._content, layout + slot) if slot < size else (0,)
        )
        if not distance:
            raise BadFile("it is truncated, or not a speech model")
        return self._checked(table + int(distance))

    def table(self, table: int, field: int) -> int:
        """Return the position of a table's field that is a table."""
        return self.offset(self.field(table, field))

    def names(self, table: int, field: int) -> tuple[str, ...]:
        """Return a table's field that is a list of strings."""
        at = self.table(table, field)
        (count,) = struct.unpack_from("<I", self._content, at)
        if count > MAX_NAMES:
            raise BadFile("it is damaged")
        return tuple(self._string(self.offset(at + 4 + 4 * index)) for index in range(count))

    def _string(self, at: int) -> str:
        (length,) = struct.unpack_from("<I", self._content, at)
        self._checked(at + 4 + int(length))
        return self._content[at + 4 : at + 4 + length].decode("utf-8", "replace")

    def _checked(self, at: int) -> int:
        if not 0 <= at <= len(self._content):
            raise BadFile("it is truncated")
        return at
