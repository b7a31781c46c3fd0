"""Detect the format of audio from its bytes.

Containers have signatures. Framed Opus packets (``[uint16_le length][packet]``) have none, so every
packet is checked: its length must be valid, its structure must be Opus, and the last packet must
end at the last byte. A raw Opus stream (packets without lengths) and noise nearly always fail these
checks; ``research/detection.py`` measures the error rate.

Nothing is decoded. A signature identifies the format, but the data may still be invalid.
"""

from dataclasses import dataclass

from auricle.protocol.framing import LENGTH
from auricle.protocol.mpeg_header import parse_adts_header, parse_mp3_header
from auricle.protocol.opus_packet import parse_packet
from auricle.values.audio_formats import CONTAINERS, AudioFormat
from auricle.values.errors import RemoteProtocolError
from auricle.values.limits import MAX_PACKET_BYTES

DETECT_HEAD_BYTES = 64 * 1024
"""Bytes from the start of the data that are sufficient to detect any format."""

# This number of consecutive valid packets is sufficient: noise passes as a packet 1 time in 30.
_PROOF_PACKETS = 8

_PCM_LOOK_BYTES = 4096


def detect(head: bytes | memoryview, total_bytes: int | None = None) -> AudioFormat:
    """Return the detected format.

    Args:
        head: The first :data:`DETECT_HEAD_BYTES` bytes, or all bytes if there are fewer.
        total_bytes: Total size of the data; ``None`` if ``head`` is all of it.
    """
    head = bytes(head)
    is_whole = total_bytes is None or total_bytes <= len(head)
    return _by_signature(head) or _by_sync(head, is_whole) or _by_packets(head, is_whole)


@dataclass(frozen=True, slots=True)
class PacketWalk:
    """The result of parsing bytes as framed Opus packets.

    Attributes:
        ticks: Duration of each valid packet up to the first error, in 48 kHz ticks.
        frames: Number of frames in the first packet; 0 if there is none.
        good_bytes: Offset of the end of the last valid packet.
        fault: Description of the first error, or ``None``.
        is_cut: Whether the last packet extends beyond the bytes.
    """

    ticks: tuple[int, ...]
    frames: int
    good_bytes: int
    fault: str | None
    is_cut: bool


def walk_packets(data: bytes) -> PacketWalk:
    """Parse bytes as framed Opus packets up to the end or the first error."""
    view, end = memoryview(data), 0
    ticks: list[int] = []
    frames = 0
    fault: str | None = None
    while end + LENGTH.size <= len(data):
        (length,) = LENGTH.unpack_from(data, end)
        if not 0 < length <= MAX_PACKET_BYTES:
            fault = f"Invalid packet length of {length} bytes."
            break
        start = end + LENGTH.size
        if start + length > len(data):
            break
        try:
            shape = parse_packet(view[start : start + length])
        except RemoteProtocolError as exc:
            fault = str(exc)
            break
        frames = frames or shape.frames
        ticks.append(shape.ticks)
        end = start + length
    is_cut = fault is None and end < len(data)
    return PacketWalk(tuple(ticks), frames, end, fault, is_cut)


def _by_signature(head: bytes) -> AudioFormat | None:
    # No framed packets start with a signature: as a length, its bytes are 0 or above 4000.
    for audio_format, container in CONTAINERS.items():
        if container.signature is not None and container.signature.match(head):
            return audio_format
    return None


def _by_sync(head: bytes, is_whole: bool) -> AudioFormat | None:
    """Detect MPEG audio by two consecutive frames, or by a single frame that is the whole data."""
    for parse, audio_format in (
        (parse_mp3_header, AudioFormat.MP3),
        (parse_adts_header, AudioFormat.AAC),
    ):
        first = parse(head)
        if first is None:
            continue
        is_all = is_whole and first.size_bytes == len(head)
        if is_all or parse(head[first.size_bytes : first.size_bytes + 8]):
            return audio_format
    return None


def _by_packets(head: bytes, is_whole: bool) -> AudioFormat:
    """Detect framed packets by many valid ones, or by a few that fill the data exactly."""
    walk = walk_packets(head)
    count = len(walk.ticks)
    if _is_quiet_pcm(head[: walk.good_bytes]):
        return AudioFormat.UNKNOWN
    if count >= _PROOF_PACKETS:
        # A later error means a broken packet stream, not another format.
        return AudioFormat.OPUS
    if not is_whole or walk.fault is not None or walk.is_cut:
        return AudioFormat.UNKNOWN
    if count == 1 and walk.frames == 1:
        return AudioFormat.OPUS
    # Encoders use one packet duration; only the last packet may be shorter.
    is_steady = len(set(walk.ticks[:-1])) == 1 and walk.ticks[-1] <= walk.ticks[0]
    return AudioFormat.OPUS if is_steady else AudioFormat.UNKNOWN


def _is_quiet_pcm(data: bytes) -> bool:
    """Return whether the data looks like 16-bit samples near zero.

    Such samples can pass as packets: 4, 4, 4 parses as a length of 4 and a packet of 4 bytes. But
    nearly all their high bytes are 0 or -1 and their low bytes are not. Packets never look like
    that; packets of digital silence may contain zeros in both places.
    """
    low, high = data[:_PCM_LOOK_BYTES:2], data[1:_PCM_LOOK_BYTES:2]
    low_at_rest, high_at_rest = (part.count(0) + part.count(0xFF) for part in (low, high))
    return len(high) >= 4 and high_at_rest > 0.9 * len(high) and low_at_rest < 0.5 * len(low)
