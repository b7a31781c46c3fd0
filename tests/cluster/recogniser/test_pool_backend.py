"""A recogniser's backend over a real worker pool."""

import numpy as np
import pytest

from auricle.cluster.recogniser.pool_backend import PoolBackend
from auricle.cluster.wire.messages import (
    AnswerFrame,
    AnswerReader,
    Beat,
    Done,
    ErrorFrame,
    JobHead,
    pack_job,
    parse_head,
)
from auricle.values.errors import RemoteProtocolError
from auricle.values.types import Job, JobId, Options
from tests.support.worker_pool import PoolFactory

pytestmark = pytest.mark.process


def packed() -> bytes:
    pcm = np.random.default_rng(1).integers(-9000, 9000, 16_000, np.int16)
    job = Job(JobId("a"), pcm, Options("en"))
    return pack_job(job, max_wait_s=None)


async def frames_of(backend: PoolBackend, body: bytes) -> list[AnswerFrame]:
    reader, frames = AnswerReader(), list[AnswerFrame]()
    async for data in backend.answer(body, head_of(body)):
        reader.receive_data(data)
        while not (frames and isinstance(frames[-1], Done | ErrorFrame)):
            if (frame := reader.next_frame()) is None:
                break
            frames.append(frame)
    return frames


def head_of(body: bytes) -> JobHead:
    return parse_head(body)[0]


async def test_a_job_runs_in_the_pool(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        backend = PoolBackend(pool, "here")
        *beats, done = await frames_of(backend, packed())
        assert {type(beat) for beat in beats} == {Beat}
        assert isinstance(done, Done)
        assert pool.stats().jobs.done == 1
        capacity = await backend.capacity()
        assert capacity.id == "here"


async def test_a_body_that_is_no_job_is_refused(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, ready=False) as pool:
        with pytest.raises(RemoteProtocolError):
            PoolBackend(pool, "here").answer(b"no job", head_of(packed()))
