"""Parse the structure of an Opus packet without decoding it (RFC 6716 §3).

The first byte (TOC) encodes the mode, bandwidth and frame size, stereo, and the frame packing:

::

    0 1 2 3 4 5 6 7
    | config  |s| c |   c = 0: one frame; 1: two of one size; 2: two of two sizes; 3: any number

A packet that violates one of the rules [R1] to [R7] is not valid Opus.
"""

from dataclasses import dataclass

from auricle.values.errors import RemoteProtocolError
from auricle.values.limits import MAX_PACKET_MS, OPUS_FRAME_MS

TICKS_HZ = 48_000
"""Opus counts time at 48 kHz, independent of the sample rate of the audio."""

MAX_FRAME_BYTES = 1275  # [R2]
MAX_PACKET_TICKS = MAX_PACKET_MS * TICKS_HZ // 1000  # [R5]
_FRAME_TICKS = tuple(int(frame_ms * TICKS_HZ / 1000) for frame_ms in OPUS_FRAME_MS)


@dataclass(frozen=True, slots=True)
class PacketShape:
    """The structure of a well-formed packet.

    Attributes:
        config: Mode, bandwidth and frame size (table 2), 0 to 31.
        is_stereo: Whether the packet is encoded in stereo.
        frames: Number of frames, 1 to 48.
        ticks: Duration in 48 kHz ticks, 120 to 5760.
    """

    config: int
    is_stereo: bool
    frames: int
    ticks: int


def parse_packet(packet: bytes | memoryview) -> PacketShape:
    """Return the structure of a packet.

    Raises:
        RemoteProtocolError: The packet violates a rule, which the message names.
    """
    if not packet:
        raise RemoteProtocolError("Opus packet is empty [R1].")
    toc = packet[0]
    match toc & 3:
        case 0:
            frames = 1
            _check_frame(len(packet) - 1)
        case 1:
            frames = 2
            _check_equal_frames(len(packet) - 1, frames)
        case 2:
            frames = 2
            _check_two_frames(packet)
        case _:
            frames = _check_many_frames(packet)
    config = toc >> 3
    return PacketShape(config, bool(toc & 4), frames, frames * _FRAME_TICKS[config])


def _check_frame(size_bytes: int) -> None:
    if size_bytes > MAX_FRAME_BYTES:
        raise RemoteProtocolError(f"Opus frame of {size_bytes} bytes is too large [R2].")


def _check_equal_frames(size_bytes: int, frames: int) -> None:
    if size_bytes % frames:
        raise RemoteProtocolError("Opus frames of equal size do not fill their packet [R3, R6].")
    _check_frame(size_bytes // frames)


def _check_two_frames(packet: bytes | memoryview) -> None:
    first_bytes, at = _parse_size(packet, 1)
    rest_bytes = len(packet) - at - first_bytes
    if rest_bytes < 0:
        raise RemoteProtocolError("Opus frame extends beyond its packet [R4].")
    _check_frame(rest_bytes)


def _check_many_frames(packet: bytes | memoryview) -> int:
    """Check a code 3 packet; return its number of frames (§3.2.5)."""
    if len(packet) < 2:
        raise RemoteProtocolError("Opus packet ends before its frame count [R6, R7].")
    is_vbr, is_padded, frames = packet[1] & 0x80, packet[1] & 0x40, packet[1] & 0x3F
    if not 0 < frames * _FRAME_TICKS[packet[0] >> 3] <= MAX_PACKET_TICKS:
        raise RemoteProtocolError(f"Invalid Opus frame count {frames} [R5].")
    at, end = 2, len(packet)
    if is_padded:
        at, padding_bytes = _parse_padding(packet)
        end -= padding_bytes
    if is_vbr:
        for _ in range(frames - 1):
            size_bytes, at = _parse_size(packet, at)
            end -= size_bytes
    if at > end:
        raise RemoteProtocolError("Opus frames extend beyond their packet [R6, R7].")
    if is_vbr:
        _check_frame(end - at)
    else:
        _check_equal_frames(end - at, frames)
    return frames


def _parse_padding(packet: bytes | memoryview) -> tuple[int, int]:
    """Return the offset after the padding length, and the padding length (§3.2.5)."""
    padding_bytes = 0
    for at in range(2, len(packet)):
        if packet[at] < 255:
            return at + 1, padding_bytes + packet[at]
        padding_bytes += 254  # and one more byte of the length follows
    raise RemoteProtocolError("Opus packet ends before its padding length [R6, R7].")


def _parse_size(packet: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the size of a frame and the offset of the next field (§3.2.1)."""
    if at < len(packet) and packet[at] < 252:
        return packet[at], at + 1
    if at + 1 < len(packet):
        return packet[at] + 4 * packet[at + 1], at + 2
    raise RemoteProtocolError("Opus packet ends before a frame size [R4, R7].")
