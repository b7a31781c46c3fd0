"""The two telephone codecs: 8-bit samples to PCM16 (ITU-T G.711, tables 1 and 2).

Both are tables of 256 values, computed here from the standard's rule: a sign bit, three bits for
the segment, four for the step in it. The values have 14 (µ-law) and 13 (A-law) bits, shifted to
the top of 16.
"""

import numpy as np
import numpy.typing as npt

_MU_BIAS = 33
_EVEN_BITS = 0x55
"""A-law inverts these bits, so that a quiet line does not send zeros."""


def mulaw_to_pcm16(data: bytes) -> bytes:
    """Return little-endian PCM16 at the same rate, two bytes for each input byte."""
    return _expand(data, _MU_LAW)


def alaw_to_pcm16(data: bytes) -> bytes:
    """Return little-endian PCM16 at the same rate, two bytes for each input byte."""
    return _expand(data, _A_LAW)


def _expand(data: bytes, table: npt.NDArray[np.int16]) -> bytes:
    return table[np.frombuffer(data, np.uint8)].astype("<i2").tobytes()


def _mu_value(code: int) -> int:
    code = ~code & 0xFF
    segment, step = code >> 4 & 7, code & 15
    magnitude = (2 * step + _MU_BIAS << segment) - _MU_BIAS
    return (-magnitude if code & 0x80 else magnitude) << 2


def _a_value(code: int) -> int:
    code ^= _EVEN_BITS
    segment, step = code >> 4 & 7, code & 15
    magnitude = 2 * step + 1 if segment == 0 else (2 * step + 33) << (segment - 1)
    return (magnitude if code & 0x80 else -magnitude) << 3


_MU_LAW = np.array([_mu_value(code) for code in range(256)], np.int16)
_A_LAW = np.array([_a_value(code) for code in range(256)], np.int16)
