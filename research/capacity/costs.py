"""Cost of a batch, and a model of speech. No I/O.

A batch has a fixed cost and a cost for each job; both grow with the audio. The figures are those
of one core, Whisper base in int8, beam 1 (``docs/benchmarks/threads.json``).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

FULL_BATCH_JOBS = 8
"""What ``in a full batch`` means there."""


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds of a job: ``(overhead + audio) * seconds_per_audio_s``."""

    seconds_per_audio_s: float
    overhead_audio_s: float

    def seconds(self, audio_s: float) -> float:
        """Return what a job takes."""
        return (self.overhead_audio_s + audio_s) * self.seconds_per_audio_s


@dataclass(frozen=True, slots=True)
class Costs:
    """What work takes a worker.

    Attributes:
        alone: A job that is a batch by itself.
        in_full_batch: Each of eight alike.
        side_by_side: How many times as long it takes while all cores of the machine work.
        spread: Of what a batch really takes: standard deviation of its logarithm.
    """

    alone: Line = Line(0.0222, 5.5)
    in_full_batch: Line = Line(0.0085, 12.1)
    side_by_side: float = 1.05
    spread: float = 0.3

    def batch_s(self, audio_s: Sequence[float]) -> float:
        """Return what a batch takes on average: a fixed part, and one for each job."""
        mean_s = sum(audio_s) / len(audio_s)
        each_s = self.in_full_batch.seconds(mean_s)
        saved_s = max(0.0, self.alone.seconds(mean_s) - each_s)
        left = max(0, FULL_BATCH_JOBS - len(audio_s)) / (FULL_BATCH_JOBS - 1)
        return self.side_by_side * (len(audio_s) * each_s + left * saved_s)

    def job_s(self, jobs: int, audio_s: float) -> float:
        """Return the cost of each of several equal jobs in one batch."""
        return self.batch_s([audio_s] * jobs) / jobs


@dataclass(frozen=True, slots=True)
class Talk:
    """How people speak who speak all the time: utterances of read sentences, and short pauses.

    Attributes:
        utterance_s: Mean length of an utterance.
        spread: Standard deviation of its logarithm.
        pause_s: Between two, evenly spread.
    """

    utterance_s: float = 7.4
    spread: float = 0.4
    shortest_s: float = 1.5
    longest_s: float = 15.0
    pause_s: tuple[float, float] = (0.8, 1.5)

    def next_utterance_s(self, chance: random.Random) -> float:
        """Return the length of the next utterance."""
        drawn = self.utterance_s * chance.lognormvariate(-(self.spread**2) / 2, self.spread)
        return min(self.longest_s, max(self.shortest_s, drawn))

    def next_pause_s(self, chance: random.Random) -> float:
        """Return the length of the pause after it."""
        return chance.uniform(*self.pause_s)

    @property
    def finals_per_s(self) -> float:
        """How many utterances a speaker ends in a second."""
        return 1 / (self.utterance_s + sum(self.pause_s) / 2)
