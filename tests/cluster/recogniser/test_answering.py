"""Frames of an answer: beats while a job runs, then its result."""

import asyncio

import anyio
import numpy as np
import pytest

from auricle.cluster.recogniser.answering import answer
from auricle.cluster.wire.messages import (
    AnswerFrame,
    AnswerReader,
    Beat,
    Done,
    ErrorFrame,
    pack_job,
    parse_job,
)
from auricle.values.errors import AudioError
from auricle.values.types import Job, JobId, Transcript

pytestmark = pytest.mark.unit

JOB = Job(JobId("a"), np.ones(1600, np.int16))
RECEIVED = parse_job(pack_job(JOB, max_wait_s=None))


def frame_of(data: bytes) -> AnswerFrame:
    reader = AnswerReader()
    reader.receive_data(data)
    frame = reader.next_frame()
    assert frame is not None
    return frame


async def test_a_beat_comes_before_the_result() -> None:
    async def transcribe(job: Job) -> Transcript:
        assert job.id == "a"
        return Transcript("hello", "en", 1.0, 1600)

    beat, done = [frame_of(data) async for data in answer(transcribe, RECEIVED)]
    assert isinstance(beat, Beat)
    assert isinstance(done, Done)


async def test_an_expected_error_is_a_frame() -> None:
    async def transcribe(job: Job) -> Transcript:
        raise AudioError("Broken.")

    _, failed = [frame_of(data) async for data in answer(transcribe, RECEIVED)]
    assert isinstance(failed, ErrorFrame)
    assert failed.error.code == "bad_audio"


async def test_a_bug_ends_the_answer_without_a_result() -> None:
    async def transcribe(job: Job) -> Transcript:
        raise ValueError("a bug")

    frames = answer(transcribe, RECEIVED)
    assert isinstance(frame_of(await anext(frames)), Beat)
    with pytest.raises(ValueError, match="a bug"):
        await anext(frames)


async def test_a_closed_answer_cancels_its_job() -> None:
    cancelled = anyio.Event()

    async def transcribe(job: Job) -> Transcript:
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    frames = answer(transcribe, RECEIVED)
    await anext(frames)
    await anyio.lowlevel.checkpoint()
    await frames.aclose()
    assert cancelled.is_set()
