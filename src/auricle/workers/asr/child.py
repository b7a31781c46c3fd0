"""The ASR worker, run by :mod:`auricle.workers.process.child` and controlled by the pool.

It loads one engine, warms it up, sends ``WorkerReady``, and answers each ``RunBatch`` with one
``BatchDone``. Invalid input is answered with ``JobFailed``; any other exception ends the process,
because the model's state is unknown afterwards.
"""

import os
import time
from collections.abc import Callable
from typing import assert_never

import numpy as np

from auricle.engine.base import Engine, EngineSettings
from auricle.engine.registry import find_factory
from auricle.errors import AudioError
from auricle.types import Job, JobId, Transcript
from auricle.workers.asr.loading import load_model
from auricle.workers.process import heap
from auricle.workers.process.channel import (
    EXIT_START_FAILED,
    EXIT_STOPPED,
    Channel,
    WireBroken,
    armed,
    limit_memory,
    rss_bytes,
)
from auricle.workers.process.messages import (
    BatchDone,
    JobDone,
    JobFailed,
    JobMessage,
    RunBatch,
    StartAsr,
    StopWorker,
    WorkerReady,
    parse_for_asr,
)


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the engine and run batches until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """
    start = parse_for_asr(channel.receive_body())
    if not isinstance(start, StartAsr):
        raise WireBroken
    loaded = load_model(channel, start, _load)
    if loaded is None:
        return EXIT_START_FAILED
    engine, warm_up_s = loaded
    limit_memory(start.hard_limit_bytes)
    heap.reuse_large_blocks()
    heap.trim()
    channel.send(WorkerReady(os.getpid(), rss_bytes(), warm_up_s, unconfined=seal()))
    keeper = heap.HeapKeeper()
    while True:
        keeper.before_wait(channel.has_input)
        match parse_for_asr(channel.receive_body()):
            case RunBatch() as batch:
                with armed(batch.dump_after_s):
                    done = _run(engine, batch)
                channel.send(done)
                keeper.worked(done.asr_s)
            case StopWorker():
                return EXIT_STOPPED
            case StartAsr():
                raise WireBroken
            case other:
                assert_never(other)


def _load(name: str, settings: EngineSettings) -> Engine:
    return find_factory(name)(settings)


def _run(engine: Engine, batch: RunBatch) -> BatchDone:
    jobs = [_job(message) for message in batch.jobs]
    started_s = time.perf_counter()
    results = engine.transcribe(jobs)
    asr_s = time.perf_counter() - started_s
    answers = tuple(_answer(job, result) for job, result in zip(jobs, results, strict=True))
    return BatchDone(batch.id, answers, asr_s)


def _job(message: JobMessage) -> Job:
    return Job(JobId(message.id), np.frombuffer(message.pcm, "<i2"), message.options)


def _answer(job: Job, result: Transcript | AudioError) -> JobDone | JobFailed:
    if isinstance(result, AudioError):
        return JobFailed(job.id, result.code)
    return JobDone(job.id, result)
