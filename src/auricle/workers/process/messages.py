"""Messages between a pool and its workers: length-prefixed msgpack on stdin and stdout.

Layout of a message: ``[uint32_le length][msgpack map]``. Both sides reject a length above their
limits. The parent decodes strictly into these classes, which contain the values of
:mod:`auricle.values.types`, and validates all lengths and numbers. A worker imports this module in
its sandbox only: NumPy starts threads, which the sandbox would not cover.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from auricle.values.types import FrameCodec, Options, Source, Transcript
from auricle.workers.process.framing import decode

MAX_START_ANSWER_BYTES = 64 * 2**10
"""Maximum size of a message from a child that has no work."""
MAX_JOB_ANSWER_BYTES = 2**19
"""Answer size allowed for each job of a batch: the longest text twice, and all word times."""
MAX_STEP_ANSWER_BYTES = 2**20
"""30 s of PCM16 are 960 kB."""

MAX_TEXT_CHARS = 20_000
"""Maximum text of one job: about twenty times what is spoken in ``MAX_JOB_S``."""
MAX_SEGMENTS = 1500
"""Maximum segments, and words, of one job: ``MAX_JOB_S`` in steps of 20 ms."""
MAX_TOKENS = 10_000
"""Maximum tokens in all words of one job."""
MAX_LANGUAGE_CHARS = 16
MAX_REASON_CHARS = 1000


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; the class name is the tag on the wire."""


# Parent to child.


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


class StartDecode(Message, frozen=True):
    """First message to a decode worker."""

    max_samples: int
    hard_limit_bytes: int
    max_chunk_samples: int
    libopus: str | None = None


class StartFrames(Message, frozen=True):
    """First message to a worker that decodes live streams."""

    hard_limit_bytes: int


class StartModel(Message, frozen=True):
    """First message to a worker of speakers or of turns: the model to load."""

    model: str
    threads: int
    hard_limit_bytes: int


class JobMessage(Message, frozen=True):
    """One job of a batch; ``pcm`` is PCM16 little endian, 16 kHz mono."""

    id: str
    pcm: memoryview
    options: Options


class RunBatch(Message, frozen=True):
    """Recognise these jobs; the child dumps its stack after ``dump_after_s``."""

    id: int
    jobs: tuple[JobMessage, ...]
    dump_after_s: float


class StreamStep(Message, frozen=True):
    """One job of a batch of streams: the audio that follows what the stream has; see JobMessage.

    The child opens the stream first if it ``opens``.
    """

    id: str
    stream: str
    opens: bool
    pcm: memoryview
    options: Options


class RunStreams(Message, frozen=True):
    """Close streams, feed others and recognise these; see RunBatch."""

    id: int
    steps: tuple[StreamStep, ...]
    closed: tuple[str, ...]
    dump_after_s: float


class EmbedStretches(Message, frozen=True):
    """Embed parts of this audio, each (start, end) in samples; see JobMessage and RunBatch."""

    id: int
    pcm: memoryview
    stretches: tuple[tuple[int, int], ...]
    dump_after_s: float


class JudgeTurn(Message, frozen=True):
    """Judge whether the speaker has finished; see JobMessage and RunBatch."""

    id: int
    pcm: memoryview
    dump_after_s: float


class DecodeStep(Message, frozen=True):
    """Decode the next part of a file; open it if it is not open at ``from_sample``."""

    id: int
    stream: str
    path: bytes | None
    """Path encoded by ``os.fsencode``; ``None``: a file descriptor accompanies the message."""
    source: Source
    """The format; its path is empty."""
    from_sample: int
    dump_after_s: float


class FrameMessage(Message, frozen=True):
    """A frame, and its duration in samples at 16 kHz."""

    data: bytes
    samples: int


class DecodeFrames(Message, frozen=True):
    """Decode the next frames of a live stream; open it first if it ``opens``.

    A stream that opens again has frames from before to warm up; their samples are dropped.
    """

    id: int
    stream: str
    codec: FrameCodec
    header: bytes
    opens: bool
    warm_up: tuple[FrameMessage, ...]
    frames: tuple[FrameMessage, ...]
    dump_after_s: float


class CloseStream(Message, frozen=True):
    """Close a file or a live stream; there is no answer."""

    stream: str


class StopWorker(Message, frozen=True):
    """Exit with status 0."""


# Child to parent.


class WorkerReady(Message, frozen=True):
    """The worker is loaded and warmed up."""

    pid: int
    rss_bytes: int
    warm_up_s: float = 0.0
    """Duration of the warm-up transcription: the first estimate of this machine's speed."""
    unconfined: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    """Sandbox restrictions that the system could not apply."""


class StartFailed(Message, frozen=True):
    """The model cannot be loaded; ``message`` gives the operator the reason."""

    message: str


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

    id: int
    results: tuple[JobDone | JobFailed, ...]
    asr_s: float


class StepDone(Message, frozen=True):
    """Result of a step: speech (``pcm`` is not empty), progress only, or the end of the file.

    ``next_sample`` is the position at which a new worker has to resume.
    """

    id: int
    fraction: float
    duration_samples: int
    next_sample: int
    start_sample: int
    pcm: bytes
    done: bool
    voiced: tuple[tuple[int, int], ...] = ()
    """Speech within this chunk: start and end, in samples from the start of the file."""
    channels: Annotated[int, Meta(ge=1)] = 1
    """Channels of the file."""


class StepFailed(Message, frozen=True):
    """The file is invalid or unreadable. ``code`` is that of an error class."""

    id: int
    code: str
    message: Annotated[str, Meta(max_length=MAX_REASON_CHARS)]


class FramesDecoded(Message, frozen=True):
    """The samples of the frames of a step, PCM16 little endian, 16 kHz mono.

    ``failures`` counts the frames at the end that were not decoded: all since the last good one.
    """

    id: int
    pcm: bytes
    failures: Annotated[int, Meta(ge=0)]


class StretchesEmbedded(Message, frozen=True):
    """The embeddings of all stretches, in order: float32 little endian, one row each."""

    id: int
    vectors: bytes


class TurnJudged(Message, frozen=True):
    """The probability that the speaker has finished."""

    id: int
    probability: Annotated[float, Meta(ge=0, le=1)]


ToAsrChild = StartAsr | RunBatch | StopWorker
ToStreamsChild = StartAsr | RunStreams | StopWorker
ToSpeakersChild = StartModel | EmbedStretches | StopWorker
ToTurnsChild = StartModel | JudgeTurn | StopWorker
ToDecodeChild = StartDecode | DecodeStep | CloseStream | StopWorker
ToFramesChild = StartFrames | DecodeFrames | CloseStream | StopWorker
ToParent = (
    WorkerReady
    | StartFailed
    | BatchDone
    | StretchesEmbedded
    | TurnJudged
    | StepDone
    | StepFailed
    | FramesDecoded
)

_from_child: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)
_to_asr: msgspec.msgpack.Decoder[ToAsrChild] = msgspec.msgpack.Decoder(ToAsrChild)
_to_streams: msgspec.msgpack.Decoder[ToStreamsChild] = msgspec.msgpack.Decoder(ToStreamsChild)
_to_speakers: msgspec.msgpack.Decoder[ToSpeakersChild] = msgspec.msgpack.Decoder(ToSpeakersChild)
_to_turns: msgspec.msgpack.Decoder[ToTurnsChild] = msgspec.msgpack.Decoder(ToTurnsChild)
_to_decode: msgspec.msgpack.Decoder[ToDecodeChild] = msgspec.msgpack.Decoder(ToDecodeChild)
_to_frames: msgspec.msgpack.Decoder[ToFramesChild] = msgspec.msgpack.Decoder(ToFramesChild)


def parse_from_child(body: bytes) -> ToParent:
    """Parse a message from a child.

    Raises:
        msgspec.DecodeError: The body is not msgpack or not a known message.
    """
    return decode(_from_child, body)


def parse_for_asr(body: bytes | bytearray) -> ToAsrChild:
    """Parse a message from the parent to an ASR worker."""
    return _to_asr.decode(body)


def parse_for_streams(body: bytes | bytearray) -> ToStreamsChild:
    """Parse a message from the parent to a worker of partials."""
    return _to_streams.decode(body)


def parse_for_speakers(body: bytes | bytearray) -> ToSpeakersChild:
    """Parse a message from the parent to a speaker worker."""
    return _to_speakers.decode(body)


def parse_for_turns(body: bytes | bytearray) -> ToTurnsChild:
    """Parse a message from the parent to a worker of turns."""
    return _to_turns.decode(body)


def parse_for_decode(body: bytes | bytearray) -> ToDecodeChild:
    """Parse a message from the parent to a decode worker."""
    return _to_decode.decode(body)


def parse_for_frames(body: bytes | bytearray) -> ToFramesChild:
    """Parse a message from the parent to a worker that decodes live streams."""
    return _to_frames.decode(body)
