"""Write small ONNX files, without the package ``onnx``: the parts of onnx.proto that tests need."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

FLOAT, INT32, INT64 = 1, 6, 7
_TYPES = {np.dtype("float32"): FLOAT, np.dtype("int32"): INT32, np.dtype("int64"): INT64}

Shape = Sequence[int | str]
Attribute = int | float | str | Sequence[int]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def block(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def tensor(name: str, value: np.ndarray) -> bytes:
    dims = b"".join(number(1, size) for size in value.shape)
    return dims + number(2, _TYPES[value.dtype]) + block(8, name) + block(9, value.tobytes())


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Attribute) -> bytes:
    parts = [block(1, name) for name in inputs] + [block(2, name) for name in outputs]
    parts.append(block(4, op))
    for name, value in attributes.items():
        content = block(1, name)
        if isinstance(value, int):
            content += number(3, value) + number(20, 2)
        elif isinstance(value, float):
            content += _varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
        elif isinstance(value, str):
            content += block(4, value) + number(20, 3)
        else:
            content += b"".join(number(8, each) for each in value) + number(20, 7)
        parts.append(block(5, content))
    return b"".join(parts)


def value_info(name: str, element: int, shape: Shape) -> bytes:
    dims = b"".join(
        block(1, number(1, each) if isinstance(each, int) else block(2, each)) for each in shape
    )
    return block(1, name) + block(2, block(1, number(1, element) + block(2, dims)))


def graph(
    nodes: Sequence[bytes],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    weights: Mapping[str, np.ndarray],
) -> bytes:
    return b"".join(
        [
            *(block(1, each) for each in nodes),
            block(2, "made"),
            *(block(5, tensor(name, value)) for name, value in weights.items()),
            *(block(11, value_info(name, *each)) for name, each in inputs.items()),
            *(block(12, value_info(name, *each)) for name, each in outputs.items()),
        ]
    )


def onnx_file(content: bytes, metadata: Mapping[str, object] | None = None) -> bytes:
    """Return a file with this graph."""
    entries = [
        block(14, block(1, key) + block(2, str(value))) for key, value in (metadata or {}).items()
    ]
    return b"".join(
        [number(1, 8), block(7, content), block(8, block(1, "") + number(2, 13)), *entries]
    )
