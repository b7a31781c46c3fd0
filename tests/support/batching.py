"""Pass many jobs to an engine in batches of similar length, and return results in order."""

from collections.abc import Sequence

from auricle.engines.base import Engine
from auricle.engines.whisper.window import MAX_BATCH_JOBS
from auricle.values.errors import AudioError
from auricle.values.types import Job, Transcript


def transcribe_sorted(
    engine: Engine, jobs: Sequence[Job], max_batch_jobs: int = MAX_BATCH_JOBS
) -> list[Transcript | AudioError]:
    """Return one result for each job, in order, for any number of jobs.

    Jobs are sorted by length and decoded in full batches, so that no batch of short jobs waits for
    a long one.
    """
    order = sorted(range(len(jobs)), key=lambda index: jobs[index].pcm.size)
    results: dict[int, Transcript | AudioError] = {}
    for at in range(0, len(order), max_batch_jobs):
        batch = order[at : at + max_batch_jobs]
        answers = engine.transcribe([jobs[index] for index in batch])
        results |= dict(zip(batch, answers, strict=True))
    return [results[index] for index in range(len(jobs))]
