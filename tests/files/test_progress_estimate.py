"""The estimated progress of a simulated file, whose batches take a known time."""

from itertools import pairwise

import pytest

from auricle.files.assemble import ChunkSlot, FileProgress, TranscriptAssembler
from auricle.files.progress_estimate import ProgressEstimate
from tests.support.transcriber import heard

pytestmark = pytest.mark.unit

BATCH, BATCHES = 8, 5
CHUNK_S = 25
SHARE = 1 / BATCHES
"""Part of the file that a batch is."""


class SimulatedFile:
    """A file of equal chunks; all are submitted at the start. The clock is counted in seconds."""

    def __init__(self, seconds_per_audio_s: float = 0.0, fraction: float = 0.0) -> None:
        self.estimate = ProgressEstimate(BATCH, seconds_per_audio_s, fraction)
        self.now = 100.0
        self.fraction = 0.0
        self.seen: list[tuple[float, float]] = []
        self._assembler = TranscriptAssembler(self._note)
        count = BATCH * BATCHES
        samples = CHUNK_S * 16_000
        self._slots = [
            ChunkSlot(at, at * samples, (at + 1) * samples, (at + 1) / count) for at in range(count)
        ]
        for slot in self._slots:
            self._assembler.mark_submitted(slot)

    def _note(self, progress: FileProgress) -> None:
        self.fraction = progress.fraction
        self.estimate.record(progress, self.now)

    def wait(self, seconds: int) -> None:
        """Let time pass; each second, the estimate and the true progress are recorded."""
        for _ in range(seconds):
            self.now += 1
            self.seen.append((self.estimate.at(self.now), self.fraction))

    def finish_batch(self) -> None:
        """Add the results of a batch, within a moment."""
        for _ in range(BATCH):
            slot = self._slots.pop(0)
            self.now += 0.01
            self._assembler.add(slot, heard("word"))


@pytest.mark.parametrize(
    "seconds_per_audio_s", [0.0, 0.05, 0.3, 5.0], ids=["unknown", "fast", "so", "slow"]
)
@pytest.mark.parametrize(
    "batch_s", [[60] * 5, [60, 60, 200, 20, 60], [1] * 5], ids=["even", "uneven", "fast"]
)
def test_the_estimate_neither_falls_nor_leaves_the_batch(
    seconds_per_audio_s: float, batch_s: list[int]
) -> None:
    file = SimulatedFile(seconds_per_audio_s)
    for seconds in batch_s:
        file.wait(seconds)
        file.finish_batch()
    file.wait(1)
    estimates = [estimate for estimate, _ in file.seen]
    assert all(before <= after for before, after in pairwise(estimates))
    assert all(true <= estimate <= true + SHARE + 1e-9 for estimate, true in file.seen)
    assert estimates[-1] == pytest.approx(1)


def test_it_moves_all_the_time_and_after_a_batch_at_the_measured_speed() -> None:
    file = SimulatedFile(0.3)  # as measured: 60 s for a batch of 200 s
    file.wait(60)
    file.finish_batch()
    file.wait(90)  # half as long again
    estimates = [estimate for estimate, _ in file.seen]
    assert all(before < after for before, after in pairwise(estimates))
    assert estimates[29] == pytest.approx(SHARE / 2, rel=0.05)
    assert estimates[60 + 29] == pytest.approx(1.5 * SHARE, rel=0.05)
    slow = SimulatedFile(0.01)  # a wrong expectation counts only until the first result
    slow.wait(60)
    slow.finish_batch()
    slow.wait(30)
    assert slow.seen[-1][0] == pytest.approx(1.5 * SHARE, rel=0.05)


def test_it_continues_where_an_earlier_attempt_was() -> None:
    file = SimulatedFile(0.3, fraction=0.5)
    file.finish_batch()  # results that were stored
    file.finish_batch()
    file.wait(30)
    assert file.seen[0][0] >= 0.5
    assert 0.5 < file.seen[-1][0] < 0.6


def test_nothing_is_estimated_before_a_chunk_is_submitted() -> None:
    estimate = ProgressEstimate(BATCH, 0.3)
    assert estimate.at(100) == 0
    assert estimate.at(200) == 0
