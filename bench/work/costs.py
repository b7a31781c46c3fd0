"""What jobs cost, in CPU seconds on one core: measured with ``python -m bench.work.record``."""

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from auricle.engines.whisper.window import FRAMES_PER_SECOND, WindowPolicy
from auricle.values.types import Job
from bench.work.speech import TOKENS_PER_WORD

COSTS = Path(__file__).with_name("costs.json")
ROWS = (1, 2, 4, 8)
"""Rows of the decoder, beams times jobs, whose steps were measured."""
SERVER_PER_STREAM = 0.019
"""Cores that the server's process takes for a stream that speaks: 13.5 s of CPU time for 24 streams
in 30 s (2026-11-30)."""
ALIGNMENT_SHARE = 0.15
"""Additional time of a job with word times, as a share."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The measured costs."""

    encoder_s: dict[int, float]
    step_s: dict[int, float]
    first_step_s: float
    features_s: float
    partial_fixed_s: float
    partial_per_audio_s: float

    def batch_s(self, jobs: Sequence[Job], words: Sequence[int]) -> float:
        """Return the cost of a batch as the engine runs it: windows of one length together.

        Args:
            jobs: The jobs.
            words: Number of words of each.
        """
        groups: dict[int, list[tuple[Job, int]]] = {}
        for job, count in zip(jobs, words, strict=True):
            groups.setdefault(frames_of(job), []).append((job, count))
        total_s = 0.0
        for frames, group in groups.items():
            beams = max(job.options.beam_size for job, _ in group)
            steps = max(int(count * TOKENS_PER_WORD) + 1 for _, count in group)
            own_s = len(group) * (self.encoder_s[frames] + self.features_s + self.first_step_s)
            own_s += steps * self._step_of(beams * len(group))
            if any(job.options.word_timestamps for job, _ in group):
                own_s *= 1 + ALIGNMENT_SHARE
            total_s += own_s
        return total_s

    def partial_s(self, audio_s: float) -> float:
        """Return the cost of a streamed partial of this length."""
        return self.partial_fixed_s + self.partial_per_audio_s * audio_s

    def _step_of(self, rows: int) -> float:
        known = sorted(self.step_s)
        at = bisect_left(known, rows)
        if at == len(known):
            return self.step_s[known[-1]] * rows / known[-1]
        if known[at] == rows or not at:
            return self.step_s[known[at]]
        low, high = known[at - 1], known[at]
        share = (rows - low) / (high - low)
        return self.step_s[low] + share * (self.step_s[high] - self.step_s[low])


def frames_of(job: Job) -> int:
    """Return the frames that the encoder computes for a job."""
    return WindowPolicy().frames_for(int(job.audio_s * FRAMES_PER_SECOND))


@cache
def measured() -> Costs:
    """Return the costs in the file."""
    kept = json.loads(COSTS.read_text())
    return Costs(
        {int(frames): s for frames, s in kept["encoder_s"].items()},
        {int(rows): s for rows, s in kept["step_s"].items()},
        kept["first_step_s"],
        kept["features_s"],
        kept["partial_s"]["fixed"],
        kept["partial_s"]["per_audio_s"],
    )
