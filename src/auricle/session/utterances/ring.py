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
    """

    def __init__(self, capacity_samples: int, start_sample: int = 0) -> None:
        if capacity_samples < 1:
            raise ValueError(f"a ring of {capacity_samples} samples holds nothing")
        self._ring = np.zeros(capacity_samples, np.int16)
        self._start = self._end = start_sample
        self._dropped_samples = 0

    @property
    def start_sample(self) -> int:
        """The position of the oldest sample held."""
        return self._start

    @property
    def end_sample(self) -> int:
        """The position after the newest sample."""
        return self._end

    @property
    def dropped_samples(self) -> int:
        """Number of samples that were dropped for newer ones."""
        return self._dropped_samples

    def __len__(self) -> int:
        return self._end - self._start

    def write(self, pcm: Pcm16) -> int:
        """Add samples at the end; return how many older ones were dropped.

        Of more samples than the ring holds, the newest stay.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, not int16 [samples]")
        capacity = self._ring.size
        end = self._end + pcm.size
        newest = pcm[-capacity:]
        at = (end - newest.size) % capacity
        first = min(newest.size, capacity - at)
        self._ring[at : at + first] = newest[:first]
        self._ring[: newest.size - first] = newest[first:]
        dropped = max(0, end - self._start - capacity)
        self._start, self._end = self._start + dropped, end
        self._dropped_samples += dropped
        return dropped

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the samples between two positions; they stay in the ring.

        Raises:
            IndexError: Some of them are not held.
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
        """Release the samples before a position; they do not count as dropped."""
        self._start = min(max(self._start, sample), self._end)
