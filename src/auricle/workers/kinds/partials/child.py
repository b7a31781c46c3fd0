"""The worker of partials, run by :mod:`auricle.workers.child.main`.

It loads one model, answers each ``RunStreams`` with one ``BatchDone``, and keeps the open streams
in between. Any exception other than a returned ``AudioError`` ends the process.
"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from auricle.engines.base import EngineSettings, StreamingRecognizer
from auricle.engines.registry import find_factory, find_streaming_factory
from auricle.engines.whole_utterances import WholeUtterances
from auricle.values.errors import AudioError
from auricle.values.types import MAX_JOB_SAMPLES, Transcript
from auricle.workers.child.channel import Channel, WireBroken
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.asr.loading import load_model
from auricle.workers.kinds.asr.messages import BatchDone, JobDone, JobFailed, StartAsr
from auricle.workers.kinds.partials.messages import TO_CHILD, RunStreams, StreamStep
from auricle.workers.priority import yield_to_others


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Load the model and recognise streams until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartAsr) -> Loaded:
        recognizer, warm_up_s = load_model(start, _load)
        yield_to_others()
        return Loaded(partial(_run, recognizer, {}), warm_up_s)

    return serve_messages(channel, seal, TO_CHILD, StartAsr, load)


def _load(name: str, settings: EngineSettings) -> StreamingRecognizer:
    load = find_streaming_factory(name)
    return load(settings) if load else WholeUtterances(find_factory(name)(settings))


def _run(recognizer: StreamingRecognizer, fed: dict[str, int], batch: RunStreams) -> BatchDone:
    for stream in batch.closed:
        del fed[stream]
        recognizer.close(stream)
    started_s = time.perf_counter()
    for step in batch.steps:
        _feed(recognizer, fed, step)
    results = recognizer.results([step.stream for step in batch.steps])
    asr_s = time.perf_counter() - started_s
    answers = tuple(_answer(s.id, result) for s, result in zip(batch.steps, results, strict=True))
    return BatchDone(answers, asr_s)


def _feed(recognizer: StreamingRecognizer, fed: dict[str, int], step: StreamStep) -> None:
    if step.opens:
        fed[step.stream] = 0
        recognizer.open(step.stream, step.options)
    pcm = np.frombuffer(step.pcm, "<i2")
    fed[step.stream] += pcm.size
    if fed[step.stream] > MAX_JOB_SAMPLES:
        raise WireBroken
    recognizer.feed(step.stream, pcm)


def _answer(id: str, result: Transcript | AudioError) -> JobDone | JobFailed:
    return JobFailed(id, result.code) if isinstance(result, AudioError) else JobDone(id, result)
