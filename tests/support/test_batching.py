from collections.abc import Sequence

import numpy as np
import pytest

from auricle.values.errors import AudioError
from auricle.values.types import Job, JobId, Transcript
from tests.support.batching import transcribe_sorted

pytestmark = pytest.mark.unit


class CountingEngine:
    """Answers with each job's length and remembers what came together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def warm_up(self) -> None:
        pass

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        self.batches.append([job.pcm.size for job in jobs])
        return [Transcript(str(job.pcm.size), "en", 1.0, job.pcm.size) for job in jobs]


def test_jobs_of_like_length_go_together_and_answers_keep_their_order() -> None:
    engine = CountingEngine()
    sizes = [50, 10, 40, 20, 30, 60, 10]
    jobs = [Job(JobId(str(i)), np.zeros(size, np.int16)) for i, size in enumerate(sizes)]
    results = transcribe_sorted(engine, jobs, 3)
    assert [result.text for result in results if isinstance(result, Transcript)] == [
        str(size) for size in sizes
    ]
    assert engine.batches == [[10, 10, 20], [30, 40, 50], [60]]


def test_no_jobs_make_no_batch() -> None:
    engine = CountingEngine()
    assert transcribe_sorted(engine, []) == []
    assert engine.batches == []
