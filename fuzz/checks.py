"""What must hold for any input, in any pieces."""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

MAX_SPLIT_BYTES = 16_384
"""Longer inputs are fed whole only: they show how long they take."""
_CHUNK_BYTES = (1, 2, 3, 5, 8, 21, 64, 700)


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut data at places that follow from the data, so that a failure can be repeated."""
    state, at = zlib.crc32(data), 0
    while at < len(data):
        state = (state * 1_103_515_245 + 12_345) & 0xFFFFFFFF
        end = at + _CHUNK_BYTES[state >> 29]
        yield data[at:end]
        at = end


def same_in_any_split(outcome: Callable[[Iterator[bytes]], Any], data: bytes) -> Any:
    """Feed data whole and in pieces; return what came of it, which must be the same."""
    whole = outcome(iter((data,)))
    if len(data) > MAX_SPLIT_BYTES:
        return whole
    parted = outcome(pieces(data))
    assert whole == parted, "another split gives something else"
    return whole
