"""Streams of jobs' events: their number, and one read of a job for all of them."""

from contextlib import ExitStack

import anyio
import pytest

from auricle.server.job_followers import (
    KEY_READS_PER_S,
    MAX_STREAMS,
    MAX_STREAMS_PER_KEY,
    POLL_S,
    JobFollowers,
)
from auricle.values.errors import NotFound, Overloaded
from auricle.values.types import ANONYMOUS, ClientId
from tests.support.poll import poll_until

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

ALICE, BOB = ClientId("alice"), ClientId("bob")


class Job:
    """A job whose reads are counted, and may fail."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_gone = False

    async def read(self) -> int:
        self.reads += 1
        await anyio.lowlevel.checkpoint()
        if self.is_gone:
            raise NotFound("It was deleted.")
        return self.reads


def test_a_key_has_a_limited_number_of_streams() -> None:
    followers, streams = JobFollowers[int](), ExitStack()
    with streams:
        for number in range(MAX_STREAMS_PER_KEY):
            streams.enter_context(followers.follow(ALICE, str(number % 3)))
        with pytest.raises(Overloaded, match="this key"), followers.follow(ALICE, "0"):
            pass
        with followers.follow(BOB, "0"):
            pass
    with followers.follow(ALICE, "0"):
        pass
    assert not followers._jobs
    assert not followers._streams


def test_all_clients_have_a_limited_number_of_streams() -> None:
    followers, streams = JobFollowers[int](), ExitStack()
    with streams:
        for _ in range(MAX_STREAMS):
            streams.enter_context(followers.follow(ANONYMOUS, "0"))
        with pytest.raises(Overloaded, match="this server"), followers.follow(ALICE, "0"):
            pass


async def test_a_job_is_read_once_for_all_of_its_streams() -> None:
    followers, job = JobFollowers[int](), Job()
    states: list[int] = []

    async def stream(max_age_s: float) -> None:
        with followers.follow(ALICE, "a1") as followed:
            states.append(await followed.latest(job.read, max_age_s))
            await poll_until(lambda: len(states) % 10 == 0)  # all of them follow it

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(stream, 60)
    assert (states, job.reads) == ([1] * 10, 1)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(stream, 0)
    assert job.reads == 11


async def test_the_error_of_a_read_ends_all_streams() -> None:
    followers, job = JobFollowers[int](), Job()
    job.is_gone = True
    with followers.follow(ALICE, "a1") as followed:
        for _ in range(3):
            with pytest.raises(NotFound):
                await followed.latest(job.read, 60)
    assert job.reads == 1


def test_a_key_that_follows_many_jobs_reads_each_of_them_less_often() -> None:
    followers, streams = JobFollowers[int](), ExitStack()
    with streams:
        for number in range(60):
            streams.enter_context(followers.follow(ALICE, str(number)))
        streams.enter_context(followers.follow(BOB, "0"))
        assert followers.interval_s(ALICE) == 60 / KEY_READS_PER_S
        assert followers.interval_s(BOB) == POLL_S
