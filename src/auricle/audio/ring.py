"""The latest stretch of a stream, in memory that is taken once.

Positions are absolute: sample 0 is the stream's first, however much was dropped since.
"""

import numpy as np

from auricle.types import Pcm16


class PCM16RingBuffer:
    """Holds the newest samples of a stream; when it is full the oldest are dropped and counted.

    Args:
        capacity_samples: The high water mark: no more than this is ever held.
        start_sample: The position of the first sample that will be written.
    """

    def __init__(self, capacity_samples: int, start_sample: int = 0) -> None:
        if capacity_samples < 1:
            raise ValueError(f"a ring of {capacity_samples} samples holds nothing")
        self._ring = np.zeros(capacity_samples, np.int16)
        self._start = start_sample
        self._end = start_sample
        self._dropped_samples = 0

    @property
    def start_sample(self) -> int:
        """The position of the oldest sample held."""
        return self._start

    @property
    def end_sample(self) -> int:
        """The position after the newest sample: where the next one goes."""
        return self._end

    @property
    def dropped_samples(self) -> int:
        """How many samples were dropped for newer ones before anybody let go of them."""
        return self._dropped_samples

    def __len__(self) -> int:
        return self._end - self._start

    def write(self, pcm: Pcm16) -> int:
        """Add samples at the end; return how many had to be dropped to make room."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"pcm is {pcm.dtype} {pcm.shape}, not int16 [samples]")
        capacity = self._ring.size
        end = self._end + pcm.size
        newest = pcm[-capacity:]  # of a chunk larger than the ring the end is what stays
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
            IndexError: Some of them aren't held: dropped, let go of, or not there yet.
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
        """Let go of what lies before a position; not counted as dropped."""
        self._start = min(max(self._start, sample), self._end)
