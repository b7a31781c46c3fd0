"""The newest part of a stream, in memory that is allocated once.

Positions are absolute: sample 0 is the stream's first sample, even after it was dropped.
"""

import numpy as np

from auricle.types import Pcm16


class PCM16RingBuffer:
    """Hold the newest samples of a stream; when full, drop and count the oldest.

    Args:
        capacity_samples: Maximum number of samples held.
        start_sample: Position of the first sample that will be written.
    """

    def __init__(self, capacity_samples: int, start_sample: int = 0) -> None:
        if capacity_samples < 1:
            raise ValueError(f"capacity_samples is {capacity_samples}; it must be at least 1")
        self._ring = np.zeros(capacity_samples, np.int16)
        self._start = start_sample
        self._end = start_sample
        self._dropped_samples = 0

    @property
    def start_sample(self) -> int:
        """Position of the oldest sample held."""
        return self._start

    @property
    def end_sample(self) -> int:
        """Position after the newest sample, where the next one is written."""
        return self._end

    @property
    def dropped_samples(self) -> int:
        """Number of samples that were dropped for newer ones before they were discarded."""
        return self._dropped_samples

    def __len__(self) -> int:
        return self._end - self._start

    def write(self, pcm: Pcm16) -> int:
        """Add samples at the end; return the number of samples dropped to make room."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, not int16 [samples]")
        capacity = self._ring.size
        end = self._end + pcm.size
        newest = pcm[-capacity:]  # of more samples than the ring holds, the newest stay
        at = (end - newest.size) % capacity
        first = min(newest.size, capacity - at)
        self._ring[at : at + first] = newest[:first]
        self._ring[: newest.size - first] = newest[first:]
        dropped = max(0, end - self._start - capacity)
        self._start += dropped
        self._end = end
        self._dropped_samples += dropped
        return dropped

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the samples between two positions; they stay in the ring.

        Raises:
            IndexError: Some samples are not held: dropped, discarded, or not written yet.
        """
        if not self._start <= start_sample <= end_sample <= self._end:
            raise IndexError(
                f"samples {start_sample} to {end_sample} are not in {self._start} to {self._end}"
            )
        capacity = self._ring.size
        at, size = start_sample % capacity, end_sample - start_sample
        first = min(size, capacity - at)
        return np.concatenate([self._ring[at : at + first], self._ring[: size - first]])

    def discard_before(self, sample: int) -> None:
        """Discard the samples before a position; they do not count as dropped."""
        self._start = min(max(self._start, sample), self._end)
