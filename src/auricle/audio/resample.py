"""Resample mono PCM16 from common rates to 16 kHz, with soxr.

The filter works on floats: soxr's int16 output is dithered differently for each split of a stream,
and the same audio must always give the same samples. Values beyond full scale are clipped; they
never wrap.
"""

import numpy as np
import numpy.typing as npt
import soxr

from auricle.values.errors import BadRequest
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16


def check_rate(rate_hz: int) -> int:
    """Return the rate if it is supported.

    Raises:
        BadRequest: The rate is out of range.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadRequest(f"sample_rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz.")
    return rate_hz


def resample(pcm: Pcm16, rate_hz: int) -> Pcm16:
    """Return a whole recording at 16 kHz; one at 16 kHz is returned unchanged.

    Args:
        pcm: int16, shape [samples], mono, at ``rate_hz``.
        rate_hz: 8000 to 96 000.

    Raises:
        BadRequest: The rate is out of range.
    """
    if check_rate(rate_hz) == SAMPLE_RATE_HZ:
        return pcm
    return _rounded(soxr.resample(pcm.astype(np.float32), rate_hz, SAMPLE_RATE_HZ))


class Resampler:
    """Resample one mono stream to 16 kHz in chunks, with the same result as in one call.

    Args:
        rate_hz: The stream's rate, 8000 to 96 000.

    Raises:
        BadRequest: The rate is out of range.
    """

    def __init__(self, rate_hz: int) -> None:
        check_rate(rate_hz)
        self._stream = (
            None
            if rate_hz == SAMPLE_RATE_HZ
            else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32")
        )

    def receive(self, pcm: Pcm16) -> Pcm16:
        """Return the samples that are complete; the filter holds back some milliseconds."""
        return self._convert(pcm, last=False)

    def finish(self) -> Pcm16:
        """Return the samples held back, and end the stream."""
        return self._convert(np.zeros(0, np.int16), last=True)

    def _convert(self, pcm: Pcm16, *, last: bool) -> Pcm16:
        if self._stream is None:
            return pcm
        return _rounded(self._stream.resample_chunk(pcm.astype(np.float32), last=last))


def _rounded(samples: npt.NDArray[np.float32]) -> Pcm16:
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
