"""Messages to and from ASR workers."""

from msgspec import msgpack

from auricle.values.types import Options, Transcript
from auricle.workers.wire.messages import (
    Message,
    StartFailed,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)

MAX_JOB_ANSWER_BYTES = 2**19
"""Answer size allowed for each job of a batch: the longest text twice, and all word times."""

MAX_TEXT_CHARS = 20_000
"""Maximum text of one job: about twenty times what is spoken in ``MAX_JOB_S``."""
MAX_SEGMENTS = 1500
"""Maximum segments, and words, of one job: ``MAX_JOB_S`` in steps of 20 ms."""
MAX_TOKENS = 10_000
"""Maximum tokens in all words of one job."""
MAX_LANGUAGE_CHARS = 16


class StartAsr(Message, frozen=True):
    """First message to an ASR worker: the engine and model to load."""

    engine: str
    model: str
    device: str
    compute_type: str
    threads: int
    hard_limit_bytes: int
    """Maximum growth over the memory in use once ready; 0 sets no limit."""
    device_index: int = 0


class JobMessage(Message, frozen=True):
    """One job of a batch; ``pcm`` is PCM16 little endian, 16 kHz mono."""

    id: str
    pcm: memoryview
    options: Options


class RunBatch(Message, frozen=True):
    """Recognise these jobs."""

    jobs: tuple[JobMessage, ...]


class JobDone(Message, frozen=True):
    """One job's transcript; untrusted until :mod:`.codec` has validated it."""

    id: str
    transcript: Transcript


class JobFailed(Message, frozen=True):
    """The input is invalid; the worker is healthy. ``code`` is that of an ``AudioError``."""

    id: str
    code: str


class BatchDone(Message, frozen=True):
    """All results of a batch, in job order; ``asr_s`` is the time spent in the engine."""

    results: tuple[JobDone | JobFailed, ...]
    asr_s: float


TO_CHILD = msgpack.Decoder(StartAsr | Submit[RunBatch] | StopWorker)
FROM_CHILD = msgpack.Decoder(WorkerReady | StartFailed | WorkDone[BatchDone])
