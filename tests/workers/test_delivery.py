"""Answers that do not match are rejected, and callers get one outcome."""

import asyncio

import pytest

from auricle.values.errors import AudioError, WorkerError
from auricle.values.types import Transcript
from auricle.workers.delivery import checked_answer, deliver
from auricle.workers.process.messages import BatchDone, JobFailed, StartFailed, ToParent

DONE = BatchDone(7, (JobFailed("a", "bad_audio"), JobFailed("b", "bad_audio")), 0.5)
TEXT = Transcript("text", "en", 1.0, 16_000)


def test_the_answer_to_the_batch_is_returned() -> None:
    assert checked_answer(DONE, 7, ["a", "b"]) is DONE


@pytest.mark.parametrize(
    ("message", "batch", "jobs"),
    [
        (StartFailed("no"), 7, ["a", "b"]),
        (DONE, 8, ["a", "b"]),
        (DONE, 7, ["b", "a"]),
        (DONE, 7, ["a"]),
    ],
)
def test_any_other_answer_is_an_error(message: ToParent, batch: int, jobs: list[str]) -> None:
    with pytest.raises(WorkerError):
        checked_answer(message, batch, jobs)


async def test_a_caller_gets_the_first_outcome() -> None:
    future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    deliver(future, TEXT)
    deliver(future, AudioError("late"))
    assert await future is TEXT


async def test_an_error_is_raised_and_a_caller_that_has_left_gets_none() -> None:
    future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    deliver(future, AudioError("bad"))
    with pytest.raises(AudioError):
        await future
    left: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
    left.cancel()
    deliver(left, TEXT)
    deliver(None, TEXT)
    assert left.cancelled()
