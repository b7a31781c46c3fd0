"""What a child sends to its parent: msgpack, and the numbers in it."""

from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import numpy as np

from auricle.values.errors import WorkerError
from auricle.values.types import Job, JobId, Segment, Transcript, Word
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.codec import read_outcome
from auricle.workers.kinds.asr.messages import MAX_TEXT_CHARS, BatchDone, JobDone, JobFailed
from auricle.workers.kinds.decode.messages import StepDone, StepFailed
from auricle.workers.wire.framing import LENGTH, decode, pack
from auricle.workers.wire.messages import StartFailed, WorkDone, WorkerReady
from fuzz.mutation import changed_document
from fuzz.target import Blind, Target

MODULES = ("auricle.workers.wire.messages", "auricle.workers.kinds.asr.codec")
_SAMPLES = 16_000
_ANSWERS = msgspec.msgpack.Decoder(
    WorkerReady | StartFailed | WorkDone[BatchDone | StepDone | StepFailed]
)
_TICKET = Ticket(
    Job(JobId("a"), np.zeros(_SAMPLES, np.int16)), 1.0, 9.0, attempts=1, started_at=2.0
)
_WORDS = (
    *(
        "type",
        "WorkerReady",
        "StartFailed",
        "WorkDone",
        "BatchDone",
        "StepDone",
        "StepFailed",
        "JobDone",
        "JobFailed",
    ),
    *(
        "id",
        "result",
        "results",
        "asr_s",
        "language",
        "language_probability",
        "segments",
        "words",
        "code",
        "message",
    ),
    *("pid", "rss_bytes", "warm_up_s", "fraction", "pcm", "done"),
    *(
        "transcript",
        "text",
        "attempts",
        "duration_samples",
        "next_sample",
        "start_sample",
        "empty_audio",
    ),
)


def run(data: bytes) -> None:
    """Parse, send again, and believe only what can be."""
    try:
        message = decode(_ANSWERS, data)
    except msgspec.DecodeError:
        return
    again = decode(_ANSWERS, pack(message)[LENGTH.size :])
    assert repr(again) == repr(message), "it changes on its way"  # NaN is not equal to itself
    if isinstance(message, WorkDone) and isinstance(message.result, BatchDone):
        for result in message.result.results:
            _read(result, message.result.asr_s)


def _read(result: JobDone | JobFailed, asr_s: float) -> None:
    try:
        outcome = read_outcome(_TICKET, result, 3.0, asr_s)
    except WorkerError:
        return
    if isinstance(outcome, Transcript):
        assert len(outcome.text) <= MAX_TEXT_CHARS
        assert 0 <= outcome.language_probability <= 1
        assert 0 <= outcome.timing.asr_ms <= 2000
        for segment in outcome.segments:
            assert 0 <= segment.start_sample <= segment.end_sample <= _SAMPLES
            for word in segment.words or ():
                assert 0 <= word.start_sample <= word.end_sample <= _SAMPLES


def seeds() -> Iterator[bytes]:
    """Give every message that a child sends."""
    word = Word(0, 800, " Hi", 0.9, (5, 6))
    segments = (
        Segment(0, 8000, " Hi", (word,), -0.1, 0.0, 1.0, 0.0),
        Segment(8000, 16_000, " there", None, -0.1, 0.0, 1.0, 0.2),
    )
    results = (
        JobDone("a", Transcript(" Hi there", "en", 0.9, 16_000, segments)),
        JobFailed("b", "empty_audio"),
    )
    for message in (
        WorkDone(1, BatchDone(results, 0.5)),
        WorkDone(1, BatchDone((JobDone("a", Transcript("", None, 0.0, 16_000)),), 0.5)),
        WorkerReady(5, 10**9, 0.3),
        StartFailed("no model"),
        WorkDone(1, StepDone(0.5, 16_000, 16_000, 0, bytes(20), False)),
        WorkDone(1, StepFailed("bad_audio", "broken")),
    ):
        yield pack(message)[LENGTH.size :]
    yield pack(WorkDone(1, BatchDone(results[:1], 0.5)))[LENGTH.size : -30] + b"\x91" * 900


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    if rng.random() < 0.3:
        return change(data)
    try:
        document: Any = msgspec.msgpack.decode(data, strict=False)
        return msgspec.msgpack.encode(changed_document(document, rng, _WORDS))
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError):
        return change(data)


TARGET = Target(run, seeds, _mutate, words=tuple(word.encode() for word in _WORDS))
