"""What an Opus packet says of itself, without decoding it (RFC 6716 §3).

The first byte (TOC) tells the mode, bandwidth and frame size, whether it is stereo, and how the
frames are packed:

::

    0 1 2 3 4 5 6 7
    | config  |s| c |   c = 0: one frame; 1: two of one size; 2: two of two sizes; 3: any number

A packet that breaks one of the rules [R1] to [R7] is not Opus.
"""

from dataclasses import dataclass

from auricle.errors import RemoteProtocolError

TICKS_HZ = 48_000
"""Opus counts its time at 48 kHz, whatever the rate of the sound."""

MAX_FRAME_BYTES = 1275  # [R2]
MAX_PACKET_TICKS = TICKS_HZ * 120 // 1000  # [R5]

# Table 2: 10, 20, 40, 60 ms; 10, 20 ms; 2.5, 5, 10, 20 ms.
_SILK_TICKS = (480, 960, 1920, 2880)
_HYBRID_TICKS = (480, 960)
_CELT_TICKS = (120, 240, 480, 960)
_FRAME_TICKS = _SILK_TICKS * 3 + _HYBRID_TICKS * 2 + _CELT_TICKS * 4


@dataclass(frozen=True, slots=True)
class PacketShape:
    """A well-formed packet's own account of itself.

    Attributes:
        config: 0 to 31: mode, bandwidth and frame size (table 2).
        is_stereo: Whether the encoder had two channels.
        frames: How many frames there are: 1 to 48.
        ticks: How long it lasts at 48 kHz: 120 to 5760.
    """

    config: int
    is_stereo: bool
    frames: int
    ticks: int


def parse_packet(packet: bytes | memoryview) -> PacketShape:
    """Return the packet's shape.

    Raises:
        RemoteProtocolError: It breaks a rule, which the message names.
    """
    if not packet:
        raise RemoteProtocolError("An Opus packet is empty [R1].")
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
        raise RemoteProtocolError(f"An Opus frame has {size_bytes} bytes [R2].")


def _check_equal_frames(size_bytes: int, frames: int) -> None:
    if size_bytes % frames:
        raise RemoteProtocolError("Opus frames of one size don't fill their packet [R3, R6].")
    _check_frame(size_bytes // frames)


def _check_two_frames(packet: bytes | memoryview) -> None:
    first_bytes, at = _parse_size(packet, 1)
    rest_bytes = len(packet) - at - first_bytes
    if rest_bytes < 0:
        raise RemoteProtocolError("An Opus frame reaches beyond its packet [R4].")
    _check_frame(rest_bytes)


def _check_many_frames(packet: bytes | memoryview) -> int:
    """Check a packet of code 3; return how many frames it has (§3.2.5)."""
    if len(packet) < 2:
        raise RemoteProtocolError("An Opus packet ends before its number of frames [R6, R7].")
    is_vbr, is_padded, frames = packet[1] & 0x80, packet[1] & 0x40, packet[1] & 0x3F
    if not 0 < frames * _FRAME_TICKS[packet[0] >> 3] <= MAX_PACKET_TICKS:
        raise RemoteProtocolError(f"An Opus packet has {frames} frames, too many or none [R5].")
    at, end = 2, len(packet)
    if is_padded:
        at, padding_bytes = _parse_padding(packet)
        end -= padding_bytes
    if is_vbr:
        for _ in range(frames - 1):
            size_bytes, at = _parse_size(packet, at)
            end -= size_bytes
    if at > end:
        raise RemoteProtocolError("Opus frames reach beyond their packet [R6, R7].")
    if is_vbr:
        _check_frame(end - at)
    else:
        _check_equal_frames(end - at, frames)
    return frames


def _parse_padding(packet: bytes | memoryview) -> tuple[int, int]:
    """Return where the padding's own length ends, and the length (§3.2.5)."""
    padding_bytes = 0
    for at in range(2, len(packet)):
        if packet[at] < 255:
            return at + 1, padding_bytes + packet[at]
        padding_bytes += 254  # and one more byte of the length follows
    raise RemoteProtocolError("An Opus packet ends before the length of its padding [R6, R7].")


def _parse_size(packet: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return a frame's size and where the next field lies (§3.2.1)."""
    if at < len(packet) and packet[at] < 252:
        return packet[at], at + 1
    if at + 1 < len(packet):
        return packet[at] + 4 * packet[at + 1], at + 2
    raise RemoteProtocolError("An Opus packet ends before the size of a frame [R4, R7].")
