"""Answers of a real worker: no answer is expensive for the server, regardless of its content."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import PoisonJob
from auricle.values.types import Job, JobId, Options, Transcript
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.support.flooding_engine import ANSWERS, CLEANED
from tests.support.pool import worker_pool

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[4]
START_LIMIT_S = 120.0
MAX_CPU_S = 3.0
"""Of the event loop's thread for a job and its worker's death; the largest answers took 14 s."""
MAX_GROWTH_BYTES = 200 * 10**6


@asynccontextmanager
async def flooding_pool(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerPool]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    pool = worker_pool(
        WorkerSettings(workers=1, job_timeout_min_s=120.0),
        QueueSettings(poison_attempts=1),
        engine="tests.support.flooding_engine",
    )
    await pool.start()
    try:
        await pool.wait_ready(START_LIMIT_S)
        yield pool
    finally:
        await pool.aclose()


async def transcribed(pool: WorkerPool, what: str, *, words: bool) -> Transcript:
    options = Options(initial_prompt=what, word_timestamps=words)
    return await pool.transcribe(Job(JobId(what), np.ones(1600, np.int16), options))


async def rejected(pool: WorkerPool, what: str) -> None:
    """Ask for an answer that ends its worker."""
    with pytest.raises(PoisonJob):
        await transcribed(pool, what, words=True)
    exit = pool.stats().workers[0].last_exit
    assert exit is not None
    assert exit.reason == "protocol"


HUGE = sorted(ANSWERS.keys() - {"controls"})


@pytest.mark.parametrize("what", HUGE)
async def test_a_huge_answer_ends_its_worker(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    async with flooding_pool(monkeypatch) as pool:
        await rejected(pool, what)


@pytest.mark.wall_clock
@pytest.mark.parametrize("what", HUGE)
async def test_a_huge_answer_costs_the_server_little(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    async with flooding_pool(monkeypatch) as pool:
        began_s, held_bytes = time.thread_time(), psutil.Process().memory_info().rss
        await rejected(pool, what)
        assert time.thread_time() - began_s < MAX_CPU_S
        assert psutil.Process().memory_info().rss - held_bytes < MAX_GROWTH_BYTES


async def test_control_characters_and_unrequested_words_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with flooding_pool(monkeypatch) as pool:
        plain = await transcribed(pool, "controls", words=False)
        assert (plain.text, plain.language) == (CLEANED.strip(), "en")
        assert [(segment.text, segment.words) for segment in plain.segments] == [(CLEANED, None)]
        (segment,) = (await transcribed(pool, "controls", words=True)).segments
        assert segment.words is not None
        assert [word.text for word in segment.words] == [CLEANED, "w"]
