"""The newest audio of a stream, in memory that is allocated once.

Positions are those of the session's clock. A session that bounds its lag keeps its audio here: what
was not transcribed when the high-water mark is reached is lost, and counted.
"""

import numpy as np

from auricle.values.types import Pcm16


class PCM16RingBuffer:
    """Holds the newest samples; above the high-water mark, the oldest are dropped and counted.

    Args:
        capacity_samples: The high-water mark: the maximum number of samples held.
        start_sample: Position of the first sample that will be written.

    Attributes:
        start_sample: The position of the oldest sample held.
        end_sample: The position after the newest sample.
        dropped_samples: Number of samples that were dropped for newer ones.
    """

    def __init__(self, capacity_samples: int, start_sample: int = 0) -> None:
        if capacity_samples < 1:
            raise ValueError(f"a ring of {capacity_samples} samples holds nothing")
        self._ring = np.zeros(capacity_samples, np.int16)
        self.start_sample = self.end_sample = start_sample
        self.dropped_samples = 0

    def __len__(self) -> int:
        return self.end_sample - self.start_sample

    def write(self, pcm: Pcm16) -> int:
        """Add samples at the end; return how many older ones were dropped.

        Of more samples than the ring holds, the newest stay.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, not int16 [samples]")
        capacity = self._ring.size
        end = self.end_sample + pcm.size
        newest = pcm[-capacity:]
        at = (end - newest.size) % capacity
        first = min(newest.size, capacity - at)
        self._ring[at : at + first] = newest[:first]
        self._ring[: newest.size - first] = newest[first:]
        dropped = max(0, end - self.start_sample - capacity)
        self.start_sample, self.end_sample = self.start_sample + dropped, end
        self.dropped_samples += dropped
        return dropped

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the samples between two positions; they stay in the ring.

        Raises:
            IndexError: Some of them are not held.
        """
        if not self.start_sample <= start_sample <= end_sample <= self.end_sample:
            held = f"{self.start_sample} to {self.end_sample}"
            raise IndexError(f"samples {start_sample} to {end_sample} are not in {held}")
        capacity = self._ring.size
        at, size = start_sample % capacity, end_sample - start_sample
        first = min(size, capacity - at)
        return np.concatenate([self._ring[at : at + first], self._ring[: size - first]])

    def discard_before(self, sample: int) -> None:
        """Release the samples before a position; they do not count as dropped."""
        self.start_sample = min(max(self.start_sample, sample), self.end_sample)
