"""Parse the header of a WAV file that arrives incrementally.

Only formats that can be decoded live are relevant: 16-bit PCM, A-law and mu-law. Lengths are
ignored, because a program that writes a WAV during recording does not know them.
"""

from dataclasses import dataclass
from struct import Struct

from auricle.values.errors import AudioError

MAX_HEAD_BYTES = 64 * 1024
"""Maximum size of everything before the samples, such as metadata and pictures."""

MAX_CHUNKS = 1000
"""Maximum chunks before the samples; recorders write three, editors a few dozen."""

PCM, A_LAW, MU_LAW, EXTENSIBLE = 1, 6, 7, 0xFFFE  # RFC 2361

_CHUNK = Struct("<4sI")
_FORMAT = Struct("<HHIIHH")
_SUB_FORMAT = Struct("<H")
_SUB_FORMAT_AT = 24
_RIFF_BYTES = 12


@dataclass(frozen=True, slots=True)
class WavHead:
    """The format of the samples.

    Attributes:
        code: Format tag, such as ``PCM``, ``A_LAW`` or ``MU_LAW``.
        channels: Number of channels.
        sample_rate_hz: Sample rate per channel.
        bits: Bits per sample.
        size_bytes: Offset of the first sample.
    """

    code: int
    channels: int
    sample_rate_hz: int
    bits: int
    size_bytes: int


def parse_wav_head(head: bytes) -> WavHead | None:
    """Parse a header that starts with ``RIFF``; return ``None`` if more bytes are needed.

    Raises:
        AudioError: The header is invalid or too long.
    """
    format: tuple[int, int, int, int] | None = None
    at = _RIFF_BYTES
    for _ in range(MAX_CHUNKS):
        if at + _CHUNK.size > MAX_HEAD_BYTES:
            break
        if at + _CHUNK.size > len(head):
            return None
        name, length = _CHUNK.unpack_from(head, at)
        at += _CHUNK.size
        if name == b"data" and format is not None:
            return WavHead(*format, size_bytes=at)
        if name == b"data" or (name == b"fmt " and length < _FORMAT.size):
            break
        end = at + length
        if name == b"fmt " and end <= MAX_HEAD_BYTES:
            if end > len(head):
                return None
            format = _format(head[at:end])
        at = end + length % 2
    raise AudioError("Invalid WAV header.")


def _format(chunk: bytes) -> tuple[int, int, int, int]:
    code, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(chunk)
    if code == EXTENSIBLE and len(chunk) >= _SUB_FORMAT_AT + _SUB_FORMAT.size:
        (code,) = _SUB_FORMAT.unpack_from(chunk, _SUB_FORMAT_AT)
    return code, channels, rate_hz, bits
