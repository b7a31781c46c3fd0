"""The ASR worker, run by :mod:`auricle.workers.child.main` and controlled by the pool.

It loads one engine, warms it up, sends ``WorkerReady``, and answers each ``RunBatch`` with one
``BatchDone``. Invalid input is answered with ``JobFailed``; any other exception ends the process,
because the model's state is unknown afterwards.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from auricle.engines.base import Engine, EngineSettings
from auricle.engines.registry import find_factory
from auricle.values.errors import AudioError
from auricle.values.types import Job, JobId, Transcript
from auricle.workers.child import heap
from auricle.workers.child.channel import Channel
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.asr.loading import load_model
from auricle.workers.kinds.asr.messages import (
    TO_CHILD,
    BatchDone,
    JobDone,
    JobFailed,
    JobMessage,
    RunBatch,
    StartAsr,
)


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the engine and run batches until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartAsr) -> Loaded:
        engine, warm_up_s = load_model(start, _load)
        heap.reuse_large_blocks()
        heap.trim()
        keeper = heap.HeapKeeper()

        def answered(done: BatchDone) -> None:
            keeper.worked(done.asr_s)
            keeper.before_wait(channel.has_input)

        return Loaded(partial(_run, engine), warm_up_s, answered)

    return serve_messages(channel, seal, TO_CHILD, StartAsr, load)


def _load(name: str, settings: EngineSettings) -> Engine:
    return find_factory(name)(settings)


def _run(engine: Engine, batch: RunBatch) -> BatchDone:
    jobs = [_job(message) for message in batch.jobs]
    started_s = time.perf_counter()
    results = engine.transcribe(jobs)
    asr_s = time.perf_counter() - started_s
    answers = tuple(_answer(job, result) for job, result in zip(jobs, results, strict=True))
    return BatchDone(answers, asr_s)


def _job(message: JobMessage) -> Job:
    return Job(JobId(message.id), np.frombuffer(message.pcm, "<i2"), message.options)


def _answer(job: Job, result: Transcript | AudioError) -> JobDone | JobFailed:
    if isinstance(result, AudioError):
        return JobFailed(job.id, result.code)
    return JobDone(job.id, result)
