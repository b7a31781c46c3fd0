"""Backend of a recogniser's HTTP service: worker pools in the same process."""

from collections.abc import AsyncGenerator

from auricle.cluster.recogniser.answering import answer
from auricle.cluster.wire.capacity import Capacity, capacity_of
from auricle.cluster.wire.messages import JobHead, parse_job
from auricle.values.transcriber import Transcriber


class PoolBackend:
    """See :class:`auricle.cluster.recogniser.service.Backend`.

    Args:
        pool: Runs the jobs, of one model or of several; started and closed by its owner.
        id: Identity of this recogniser (:class:`~auricle.cluster.wire.capacity.Capacity`).
    """

    def __init__(self, pool: Transcriber, id: str) -> None:
        self._pool = pool
        self._id = id

    def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        """Yield the packed frames of the answer to a job; closing it cancels the job."""
        return answer(self._pool.transcribe, parse_job(body))

    async def capacity(self) -> Capacity:
        """Return the current capacity."""
        return capacity_of({"": self._pool.stats()}, id=self._id)
