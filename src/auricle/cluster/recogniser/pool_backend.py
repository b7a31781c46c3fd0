"""A pool of workers behind a recogniser's HTTP side, in the same process."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from auricle.cluster.recogniser.answering import answer
from auricle.cluster.wire.capacity import Capacity, capacity_of
from auricle.cluster.wire.messages import JobHead, ReceivedJob, parse_job
from auricle.types import Transcript
from auricle.workers.asr.admission import ELSEWHERE
from auricle.workers.asr.pool import WorkerPool


class PoolBackend:
    """See :class:`auricle.cluster.recogniser.service.Backend`.

    Args:
        pool: Does the work; started and ended by its owner.
        id: Which recogniser this is among all (:class:`~auricle.cluster.wire.capacity.Capacity`).
    """

    def __init__(self, pool: WorkerPool, id: str) -> None:
        self._pool = pool
        self._id = id

    def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        """Yield the packed frames of the answer to a job; closing it cancels the job."""
        return answer(self._transcribe, parse_job(body))

    async def capacity(self) -> Capacity:
        """Return how things are."""
        return capacity_of({"": self._pool.stats()}, id=self._id)

    async def _transcribe(self, received: ReceivedJob) -> Transcript:
        job = received.job
        if received.is_reserved:
            job = replace(job, reservation=ELSEWHERE)
        return await self._pool.transcribe(job)
