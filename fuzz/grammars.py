"""The shapes of the formats that are fuzzed: data to records and back, with all lengths right."""

import zlib
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct

_LENGTH = Struct("<H")
_STEP = Struct("<BH")

# Framed packets: [uint16_le length][packet].


def split_packets(data: bytes) -> list[bytes]:
    """Return the packets of a framed stream; what doesn't fit is one, too."""
    packets, at = [], 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        packets.append(data[at : at + length])
        at += length
    return packets


def join_packets(packets: Sequence[bytes]) -> bytes:
    """Frame packets."""
    return b"".join(_LENGTH.pack(len(packet)) + packet for packet in packets if len(packet) < 65536)


# Steps of a script: [kind][uint16_le length][payload].


def split_steps(data: bytes) -> list[bytes]:
    """Return a script's steps, each a byte that says what it is, and its payload."""
    steps, at = [], 0
    while at + _STEP.size <= len(data):
        kind, length = _STEP.unpack_from(data, at)
        at += _STEP.size
        steps.append(bytes([kind]) + data[at : at + length])
        at += length
    return steps


def join_steps(steps: Sequence[bytes]) -> bytes:
    """Return the script."""
    return b"".join(
        _STEP.pack(step[0], len(step) - 1) + step[1:] for step in steps if 0 < len(step) < 65536
    )


# RIFF: chunks, [name][uint32_le length][payload], padded to even lengths, after 12 bytes.

_RIFF_HEADER_BYTES = 12
_CHUNK = Struct("<4sI")


def split_chunks(data: bytes) -> list[bytes]:
    """Return what is before the first chunk, and the chunks: each its name and its payload."""
    chunks, at = [data[:_RIFF_HEADER_BYTES]], _RIFF_HEADER_BYTES
    while at + _CHUNK.size <= len(data):
        name, length = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        chunks.append(name + data[at : at + length])
        at += length + length % 2
    return chunks


def join_chunks(chunks: Sequence[bytes]) -> bytes:
    """Return a file of these chunks, with the lengths that they have."""
    if not chunks:
        return b""
    body = b"".join(
        _CHUNK.pack(chunk[:4], len(chunk) - 4) + chunk[4:] + bytes(len(chunk) % 2)
        for chunk in chunks[1:]
        if len(chunk) >= 4
    )
    return chunks[0] + body


# Ogg: pages with right checksums (RFC 3533 §6).

_OGG_HEADER_BYTES = 27
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def split_pages(data: bytes) -> list[bytes]:
    """Return what begins with a page's signature, and what is before the first one."""
    starts = [0]
    while (at := data.find(b"OggS", starts[-1] + 1)) >= 0:
        starts.append(at)
    return [data[a:b] for a, b in pairwise([*starts, len(data)]) if a < b]


def join_pages(pages: Sequence[bytes]) -> bytes:
    """Return pages with the sizes that their bodies have, and their checksums."""
    return b"".join(map(_mended_page, pages))


def _mended_page(page: bytes) -> bytes:
    if len(page) < _OGG_HEADER_BYTES or page[:4] != b"OggS":
        return page
    segments = min(page[26], len(page) - _OGG_HEADER_BYTES)
    body_at = _OGG_HEADER_BYTES + segments
    sizes, left = bytearray(page[_OGG_HEADER_BYTES:body_at]), len(page) - body_at
    for number, size in enumerate(sizes):
        sizes[number] = min(size, left)
        left -= sizes[number]
    head = page[:22] + bytes(4) + bytes([segments]) + sizes
    mended = head + page[body_at : len(page) - left]
    checksum = _ogg_checksum(mended)
    return mended[:22] + checksum.to_bytes(4, "little") + mended[26:]


def _ogg_checksum(page: bytes) -> int:
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


# WebM: [id][size][content], flat; those that hold others are records without content.

_PARENTS = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\xa0")
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


def split_elements(data: bytes) -> list[bytes]:
    """Return elements as ``[id][content]``; of parents the id alone."""
    elements, at = [], 0
    while at < len(data):
        id_bytes = 9 - data[at].bit_length() if data[at] >= 0x10 else 1
        element, at = data[at : at + id_bytes], at + id_bytes
        if at >= len(data) or not data[at]:
            elements.append(element + data[at:])
            break
        size_bytes = 9 - data[at].bit_length()
        mask = (1 << 7 * size_bytes) - 1
        length = int.from_bytes(data[at : at + size_bytes], "big") & mask
        at += size_bytes
        if element in _PARENTS:
            elements.append(element)
            continue
        elements.append(element + data[at : at + length])
        at += length
    return elements


def join_elements(elements: Sequence[bytes]) -> bytes:
    """Return elements with their sizes; parents have unknown ones."""
    return b"".join(map(_sized, elements))


def _sized(element: bytes) -> bytes:
    if element in _PARENTS:
        return element + _UNKNOWN_SIZE
    id_bytes = 9 - element[0].bit_length() if element and element[0] >= 0x10 else 1
    content = element[id_bytes:]
    return element[:id_bytes] + (1 << 28 | len(content)).to_bytes(4, "big") + content
