"""Estimate the progress of a file between the results of its chunks; no I/O.

Chunks are recognised in batches, and the results of a batch arrive together: on a slow machine once
a minute. Between them, the progress is estimated from the speed so far. The estimate never falls
and never exceeds the end of the batch that is being recognised. While a batch takes longer than
expected, it approaches that end ever more slowly.
"""

from collections import deque

from auricle.files.assemble import FileProgress

EVEN_SHARE = 0.8
"""Share of a batch up to which the estimate follows the speed."""
STEPS = 4
"""Steps of the progress from which the speed is measured: the machine's load changes."""
STEP_S = 1.0
"""Results that arrive within this time are of one batch: one step."""
UNKNOWN_SECONDS_PER_AUDIO_S = 1.0
"""Assumed until the server has measured its own speed: that of a slow machine."""


class ProgressEstimate:
    """The estimated progress of one file; times are monotonic, in seconds.

    Args:
        batch_chunks: Number of chunks that are recognised at the same time.
        seconds_per_audio_s: Expected time for a second of speech; 0: unknown.
        fraction: Progress that was reported by an earlier attempt, from 0 to 1.
    """

    def __init__(
        self, batch_chunks: int, seconds_per_audio_s: float, fraction: float = 0.0
    ) -> None:
        self._batch_chunks = batch_chunks
        self._seconds_per_audio_s = seconds_per_audio_s or UNKNOWN_SECONDS_PER_AUDIO_S
        self._latest = FileProgress(0.0, "", "")
        self._steps: deque[tuple[float, float]] = deque(maxlen=STEPS)
        # The estimate at the beginning of the batch, its time, and the estimate reported last.
        self._base = self._reported = fraction
        self._began_at: float | None = None

    def record(self, progress: FileProgress, now: float) -> None:
        """Record the latest progress."""
        is_step = progress.fraction > self._latest.fraction
        if is_step or self._began_at is None or not self._latest.pending:
            self._base = max(self.at(now), progress.fraction)
            self._began_at = now
        self._latest = progress
        if not self._steps:
            self._steps.append((now, progress.fraction))
        elif is_step:
            step_at, _ = self._steps[-1]
            if now - step_at >= STEP_S:
                self._steps.append((now, progress.fraction))
            elif len(self._steps) > 1:
                self._steps[-1] = (step_at, progress.fraction)
            else:  # results of an earlier attempt: the work begins after them
                self._steps[-1] = (now, progress.fraction)

    def at(self, now: float) -> float:
        """Return the progress, from 0 to 1."""
        self._reported = max(self._reported, self._base, self._estimate(now))
        return self._reported

    def _estimate(self, now: float) -> float:
        batch = self._latest.pending[: self._batch_chunks]
        left = self._latest.fraction + sum(chunk.share for chunk in batch) - self._base
        if self._began_at is None or left <= 0:
            return self._base
        expected_s = left / self._speed() if self._speed() else self._expected_s()
        return self._base + left * _eased((now - self._began_at) / max(expected_s, 1e-3))

    def _expected_s(self) -> float:
        batch = self._latest.pending[: self._batch_chunks]
        return sum(chunk.audio_s for chunk in batch) * self._seconds_per_audio_s

    def _speed(self) -> float:
        """Return the measured progress per second; 0 while there is none."""
        if len(self._steps) < 2:
            return 0.0
        (began_at, before), (ended_at, after) = self._steps[0], self._steps[-1]
        return (after - before) / max(ended_at - began_at, STEP_S)


def _eased(share: float) -> float:
    """Return the estimated share of a batch for the share of its expected time, which may pass 1.

    It follows the time first, and then approaches 1 without a bend.
    """
    if share <= EVEN_SHARE:
        return share
    rest = 1 - EVEN_SHARE
    return 1 - rest / (1 + (share - EVEN_SHARE) / rest)
