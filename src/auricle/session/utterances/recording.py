"""The part of a stream that may still be needed, on the session's clock.

Unlike a ring buffer, it uses memory only for the audio that it holds: a third of a second while the
session is silent, half a minute during speech (docs/decisions/135).
"""

import numpy as np

from auricle.values.types import SAMPLE_BYTES, Pcm16


class Recording:
    """Samples from ``start_sample`` to ``end_sample``.

    Args:
        start_sample: Position of the first added sample.

    Attributes:
        start_sample: The position of the oldest sample held.
        end_sample: The position after the newest sample.
    """

    def __init__(self, start_sample: int) -> None:
        self.start_sample = self.end_sample = start_sample
        self._bytes = bytearray()  # deletes its front without moving the rest

    def write(self, pcm: Pcm16) -> int:
        """Add samples at the end; return 0, as none are dropped."""
        self._bytes += pcm.tobytes()
        self.end_sample += pcm.size
        return 0

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the samples between two positions.

        Raises:
            IndexError: Some of them are not held.
        """
        if not self.start_sample <= start_sample <= end_sample <= self.end_sample:
            held = f"{self.start_sample} to {self.end_sample}"
            raise IndexError(f"samples {start_sample} to {end_sample} are not in {held}")
        first, last = ((at - self.start_sample) * SAMPLE_BYTES for at in (start_sample, end_sample))
        return np.frombuffer(bytes(self._bytes[first:last]), np.int16)

    def discard_before(self, sample: int) -> None:
        """Drop the samples before a position."""
        gone = max(0, min(sample, self.end_sample) - self.start_sample)
        del self._bytes[: gone * SAMPLE_BYTES]
        self.start_sample += gone
