"""Which numbers of streams to try. No I/O."""

from dataclasses import dataclass, field

STEP = 1.5
"""Factor between levels until one is held and another is not."""
MIN_SHRINK = 1 / 3
"""Factor after a level with missing finals; shorter delays lead to a smaller step."""
MIN_GAP_SHARE = 0.12
"""The search ends when the smallest level that fails is this close to the largest that is held:
the result of a level varies as much between runs."""
STREAMS_PER_FILE_SPEED = 0.45
"""Live streams per second of a recording that is transcribed in a second, for the first level: 67
and 30 on the machine of ``docs/benchmarks/threads.json`` and ``live.json`` (2026-11)."""
MAX_FIRST = 48
"""The server's process, which decodes all streams, holds more than this on one core."""
MAX_STREAMS = 1000


@dataclass(slots=True)
class LevelSearch:
    """A search for the largest number of streams that is held.

    Attributes:
        first: The first level, at least 1.
        max_levels: Maximum number of levels.
    """

    first: int
    max_levels: int
    _tried: dict[int, bool] = field(default_factory=dict)
    _shrink: float = 1 / STEP

    @property
    def holds(self) -> int:
        """The largest level that was held and has no smaller one that failed; 0: none."""
        return max(
            (level for level, held in self._tried.items() if held and self._fits(level)), default=0
        )

    def next_level(self) -> int | None:
        """Return the next number of streams to try; ``None`` at the end of the search."""
        if len(self._tried) >= self.max_levels:
            return None
        low, high = self.holds, self._failed
        if not self._tried:
            return min(max(1, self.first), MAX_STREAMS)
        if high is None:
            following = min(max(low + 1, round(low * STEP)), MAX_STREAMS)
            return None if following == low else following
        if low == 0:
            return None if high == 1 else max(1, round(high * self._shrink))
        if high - low <= max(1, MIN_GAP_SHARE * low):
            return None
        return (low + high) // 2

    def add(self, level: int, p95_s: float, max_p95_s: float) -> None:
        """Record the result of a level.

        Args:
            level: The number of streams.
            p95_s: The 95th percentile of its delays, in seconds; infinite: missing.
            max_p95_s: Up to this a level is held.
        """
        self._tried[level] = p95_s <= max_p95_s
        self._shrink = max(MIN_SHRINK, min(1 / STEP, max_p95_s / p95_s)) if p95_s else 1 / STEP

    @property
    def _failed(self) -> int | None:
        return min((level for level, held in self._tried.items() if not held), default=None)

    def _fits(self, level: int) -> bool:
        return (failed := self._failed) is None or level < failed


def first_level(file_speed: float) -> int:
    """Return the first number of streams to try.

    Args:
        file_speed: Seconds of a recording that are transcribed in a second.
    """
    return min(MAX_FIRST, max(1, round(STREAMS_PER_FILE_SPEED * file_speed)))
