"""The header of a WAV that comes in pieces, as its first bytes have it. Pure.

Only what can be followed live is of interest: samples of 16 bits, or the two codes of telephones.
Lengths are not trusted: whoever writes a WAV as it is recorded doesn't know them.
"""

from dataclasses import dataclass
from struct import Struct

from auricle.errors import AudioError

MAX_HEAD_BYTES = 64 * 1024
"""Chunks before the samples (names, pictures) may take so much."""

PCM, A_LAW, MU_LAW, EXTENSIBLE = 1, 6, 7, 0xFFFE  # RFC 2361

_CHUNK = Struct("<4sI")
_FORMAT = Struct("<HHIIHH")
_SUB_FORMAT = Struct("<H")
_SUB_FORMAT_AT = 24
_RIFF_BYTES = 12


@dataclass(frozen=True, slots=True)
class WavHead:
    """What the samples are.

    Attributes:
        code: ``PCM``, ``A_LAW`` or ``MU_LAW``.
        channels: How many.
        sample_rate_hz: Of each.
        bits: Of a sample.
        size_bytes: Where the samples begin.
    """

    code: int
    channels: int
    sample_rate_hz: int
    bits: int
    size_bytes: int


def parse_wav_head(head: bytes) -> WavHead | None:
    """Read a header that starts with ``RIFF``; ``None`` if more bytes are needed.

    Raises:
        AudioError: It is none, or too long.
    """
    found: tuple[int, int, int, int] | None = None
    at = _RIFF_BYTES
    while at + _CHUNK.size <= MAX_HEAD_BYTES:
        if at + _CHUNK.size > len(head):
            return None
        name, length = _CHUNK.unpack_from(head, at)
        at += _CHUNK.size
        if name == b"data" and found is not None:
            return WavHead(*found, size_bytes=at)
        if name == b"data" or (name == b"fmt " and length < _FORMAT.size):
            break
        end = at + length
        if name == b"fmt " and end <= MAX_HEAD_BYTES:
            if end > len(head):
                return None
            found = _format(head[at:end])
        at = end + length % 2
    raise AudioError("This is not the beginning of a WAV.")


def _format(chunk: bytes) -> tuple[int, int, int, int]:
    code, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(chunk)
    if code == EXTENSIBLE and len(chunk) >= _SUB_FORMAT_AT + _SUB_FORMAT.size:
        (code,) = _SUB_FORMAT.unpack_from(chunk, _SUB_FORMAT_AT)
    return code, channels, rate_hz, bits
