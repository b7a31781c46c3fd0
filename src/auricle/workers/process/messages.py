"""What the parent and its children say to each other: length-prefixed msgpack on stdin and stdout.

Layout of a message: ``[uint32_le length][msgpack map]``. Both sides refuse a length above
``MAX_MESSAGE_BYTES``. The parent decodes strictly into these classes and trusts no number in them.
"""

from struct import Struct as Layout
from typing import Annotated

import msgspec
from msgspec import Meta

LENGTH = Layout("<I")
MAX_MESSAGE_BYTES = 64 * 2**20  # 64 jobs of 30 s of PCM16 are 61 MB.
"""Largest message to a child; how large an answer may be depends on what was asked."""
MAX_START_ANSWER_BYTES = 64 * 2**10
"""Largest message of a child that was given no work."""
MAX_JOB_ANSWER_BYTES = 2**19
"""Part of a batch's answer for each job: the largest text twice, and the times of all words."""
MAX_STEP_ANSWER_BYTES = 2**20
"""30 s of PCM16 are 960 kB."""

MAX_TEXT_CHARS = 20_000
"""Longest text of one job: 30 s hold at most 448 tokens (Whisper's text context)."""
MAX_SEGMENTS = 1500
"""Of one job, and words too: Whisper's times are multiples of 20 ms, and a job has at most 30 s."""
MAX_TOKENS = 10_000
"""Of all words of one job."""
MAX_LANGUAGE_CHARS = 16
MAX_REASON_CHARS = 1000

_Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]
_Language = Annotated[str, Meta(max_length=MAX_LANGUAGE_CHARS)] | None


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; the class name is the tag on the wire."""


# Parent to child.


class StartAsr(Message, frozen=True):
    """The first message to an ASR worker: load this."""

    factory: str
    model: str
    device: str
    compute_type: str
    threads: int
    hard_limit_bytes: int
    """Allowed above the memory in use once ready; 0 sets no limit."""
    device_index: int = 0


class StartDecode(Message, frozen=True):
    """The first message to a decode worker."""

    max_samples: int
    hard_limit_bytes: int
    libopus: str | None = None


class JobMessage(Message, frozen=True):
    """One job of a batch; ``pcm`` is PCM16 little endian, 16 kHz mono."""

    id: str
    pcm: memoryview
    language: str | None
    task: str
    beam_size: int
    initial_prompt: str | None
    hotwords: tuple[str, ...]
    word_timestamps: bool
    prefix_tokens: tuple[int, ...] = ()
    is_guess: bool = False
    is_piece: bool = False
    sentence_times: bool = True
    languages: tuple[str, ...] = ()


class RunBatch(Message, frozen=True):
    """Recognise these jobs; ``dump_after_s`` is when the child dumps its stack."""

    id: int
    jobs: tuple[JobMessage, ...]
    dump_after_s: float


class DecodeStep(Message, frozen=True):
    """Go on with a file, opening it if this worker doesn't have it open at this place."""

    id: int
    stream: str
    path: bytes | None
    """As ``os.fsencode`` gives it; ``None``: the open file is handed over with the message."""
    audio_format: str
    sample_rate_hz: int
    opus_packet_bytes: int | None
    from_sample: int
    dump_after_s: float


class CloseStream(Message, frozen=True):
    """The file is not read any further; there is no answer."""

    stream: str


class Stop(Message, frozen=True):
    """Exit with 0."""


# Child to parent.


class Ready(Message, frozen=True):
    """Loaded and warmed up."""

    pid: int
    model: Annotated[str, Meta(max_length=MAX_REASON_CHARS)]
    rss_bytes: int
    max_batch_jobs: int
    """Most jobs that this engine gains from having together."""
    warm_up_s: float = 0.0
    """How long the warm-up transcription took: the first guess at this machine's speed."""
    slowest_factor: float = 1.0
    """How many times its usual time a job may take, by the engine's own account."""
    unconfined: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    """What the system doesn't keep this worker from, though it should."""


class StartFailed(Message, frozen=True):
    """The model can't be loaded; ``message`` says why, in words for the operator."""

    message: str


class WordMessage(msgspec.Struct, frozen=True, array_like=True):
    """One word."""

    start_sample: int
    end_sample: int
    text: _Text
    probability: float
    tokens: Annotated[tuple[int, ...], Meta(max_length=MAX_TOKENS)] = ()


class SegmentMessage(msgspec.Struct, frozen=True, array_like=True):
    """One segment."""

    start_sample: int
    end_sample: int
    text: _Text
    words: Annotated[tuple[WordMessage, ...], Meta(max_length=MAX_SEGMENTS)] | None
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


Segments = Annotated[tuple[SegmentMessage, ...], Meta(max_length=MAX_SEGMENTS)]


class JobDone(Message, frozen=True):
    """One job's transcript."""

    id: str
    language: _Language
    language_probability: float
    segments: Segments


class JobFailed(Message, frozen=True):
    """The input's fault; the worker is well. ``code`` is an AudioError's."""

    id: str
    code: str


class BatchDone(Message, frozen=True):
    """All results of a batch, in its order; ``asr_s`` is the engine's own time."""

    id: int
    results: tuple[JobDone | JobFailed, ...]
    asr_s: float


class StepDone(Message, frozen=True):
    """A file went on: speech (``pcm`` not empty), or only progress, or the end.

    ``next_sample`` is where a new worker would have to go on.
    """

    id: int
    fraction: float
    duration_samples: int
    next_sample: int
    start_sample: int
    pcm: bytes
    done: bool
    voiced: tuple[tuple[int, int], ...] = ()
    """Where in the file somebody speaks, within this piece: start and end."""


class StepFailed(Message, frozen=True):
    """The file can't be read: its own fault. ``code`` is an error class's code."""

    id: int
    code: str
    message: Annotated[str, Meta(max_length=MAX_REASON_CHARS)]


ToAsrChild = StartAsr | RunBatch | Stop
ToDecodeChild = StartDecode | DecodeStep | CloseStream | Stop
ToParent = Ready | StartFailed | BatchDone | StepDone | StepFailed

_encoder = msgspec.msgpack.Encoder()
_from_child: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)
_to_asr: msgspec.msgpack.Decoder[ToAsrChild] = msgspec.msgpack.Decoder(ToAsrChild)
_to_decode: msgspec.msgpack.Decoder[ToDecodeChild] = msgspec.msgpack.Decoder(ToDecodeChild)


def pack(message: Message) -> bytes:
    """Return the message with its length before it."""
    body = _encoder.encode(message)
    return LENGTH.pack(len(body)) + body


def parse_from_child(body: bytes) -> ToParent:
    """Parse what a child said.

    Raises:
        msgspec.DecodeError: It isn't one of the messages, or not msgpack at all.
    """
    try:
        return _from_child.decode(body)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError("text that is no UTF-8, or too deep") from error


def parse_for_asr(body: bytes | bytearray) -> ToAsrChild:
    """Parse what the parent told an ASR worker."""
    return _to_asr.decode(body)


def parse_for_decode(body: bytes | bytearray) -> ToDecodeChild:
    """Parse what the parent told a decode worker."""
    return _to_decode.decode(body)
