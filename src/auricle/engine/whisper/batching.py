"""Gives an engine many jobs at once: alike ones together, answers in their own order."""

from collections.abc import Sequence

from auricle.engine import Engine
from auricle.errors import AudioError
from auricle.types import Job, Transcript


def transcribe_sorted(engine: Engine, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
    """Return one result for each job, in order, whatever their number.

    Jobs are sorted by length and worked on in full batches, so that no batch waits for one long
    job among short ones.
    """
    order = sorted(range(len(jobs)), key=lambda index: jobs[index].pcm.size)
    results: dict[int, Transcript | AudioError] = {}
    for at in range(0, len(order), engine.max_batch_jobs):
        batch = order[at : at + engine.max_batch_jobs]
        answers = engine.transcribe([jobs[index] for index in batch])
        results |= dict(zip(batch, answers, strict=True))
    return [results[index] for index in range(len(jobs))]
