"""One Opus packet: what it says of itself must be what libopus makes of it."""

import ctypes
from collections.abc import Iterator
from random import Random

from auricle.audio.opus import find_libopus, packet_samples
from auricle.protocol.opus_packet import MAX_PACKET_TICKS, PacketShape, parse_packet
from auricle.values.errors import AudioError, RemoteProtocolError
from auricle.values.types import OpusPacket
from fuzz.material import PACKETS
from fuzz.target import Blind, Target

MODULES = ("auricle.protocol.opus_packet",)
_TICKS_PER_SAMPLE = 3
_parse = find_libopus().functions.opus_packet_parse
_parse.argtypes = (
    ctypes.c_char_p,
    ctypes.c_int32,
    ctypes.c_void_p,  # the TOC
    ctypes.c_void_p,  # where the frames are
    ctypes.c_void_p,  # how large they are
    ctypes.c_void_p,  # where the payload begins
)
_sizes = (ctypes.c_int16 * 48)()


def run(data: bytes) -> None:
    """Compare with libopus."""
    shape = _shape(data)
    frames = _parse(data, len(data), None, None, _sizes, None) if data else -1
    if shape is None:
        assert frames < 0, "libopus takes it"
        return
    assert frames == shape.frames, "libopus sees something else"
    assert 0 < shape.ticks <= MAX_PACKET_TICKS
    try:
        assert packet_samples(OpusPacket(data)) * _TICKS_PER_SAMPLE == shape.ticks
    except AudioError as error:
        raise AssertionError("the decoder's own view is another") from error


def _shape(data: bytes) -> PacketShape | None:
    try:
        return parse_packet(data)
    except RemoteProtocolError:
        return None


def seeds() -> Iterator[bytes]:
    """Give packets of each mode and each way to pack frames."""
    yield from PACKETS[:3]
    for config in range(0, 32, 3):
        toc = config << 3
        yield bytes([toc, 1, 2, 3])
        yield bytes([toc | 1, 1, 2, 3, 4])
        yield bytes([toc | 2, 2, 1, 2, 3])
        yield bytes([toc | 3, 2, 1, 2])
        yield bytes([toc | 7, 0xC2, 3, 1, 1, 2, 0, 0, 0])
    # Just large enough for what they announce.
    yield bytes([3, 0x41, 255, 255, 3]) + bytes(511)
    for size_bytes in (256, 255):
        yield bytes([2, 252, 1]) + bytes(size_bytes)
        yield bytes([3, 0x83, 252, 1, 0]) + bytes(size_bytes)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    """Look after the first bytes, where all is decided."""
    if rng.random() < 0.5 or not data:
        return change(data)
    head_bytes = rng.randint(1, 5)
    head = bytes(
        rng.choice((0, 1, 2, 251, 252, 253, 254, 255, rng.randrange(256)))
        for _ in range(head_bytes)
    )
    return head + data[head_bytes:] if rng.random() < 0.8 else head + bytes(rng.randrange(2600))


TARGET = Target(run, seeds, _mutate, max_bytes=2700, loop_bytes=2**16)
