"""What a gateway and a recogniser say to each other, over HTTP. No I/O, no clock.

A job is the body of one ``POST``::

    [uint32_le length][msgpack JobHead][PCM16 little endian, 16 kHz mono]

The answer is a stream of frames, ``[uint32_le length][msgpack]``: :class:`Beat` every ``BEAT_S``
while the job waits or runs, then one :class:`Done` or :class:`Failed` and nothing more. So whoever
waits can tell a long queue from a machine that hangs: ``SILENCE_S`` without a whole frame is the
latter, however long the queue may be. What fails before the stream begins is told as JSON, see
:mod:`auricle.cluster.wire.failures`.

Neither end trusts the other: lengths, types and numbers are checked before anything is kept.
"""

import math
from dataclasses import dataclass
from struct import Struct as Layout
from typing import Annotated

import msgspec
import numpy as np

from auricle.errors import (
    BadRequest,
    LocalProtocolError,
    RemoteProtocolError,
    TooLarge,
    WorkerError,
)
from auricle.types import (
    MAX_BEAM_SIZE,
    SAMPLE_RATE_HZ,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Task,
    Timing,
    Transcript,
)
from auricle.workers.asr.codec import clean_language, clean_text, read_segments, segment_message
from auricle.workers.process.messages import MAX_LANGUAGE_CHARS, MAX_TEXT_CHARS, Segments

JOBS_PATH = "/v1/jobs"
CAPACITY_PATH = "/v1/capacity"
JOB_TYPE = "application/x-auricle-job"
ANSWER_TYPE = "application/x-auricle-answer"

BEAT_S = 0.5
SILENCE_S = 3.0
"""Six beats that did not come: the other end hangs, or is gone. A stopped machine keeps its
connections open for ever, so nothing else would tell."""

LENGTH = Layout("<I")
MAX_HEAD_BYTES = 64 * 2**10
MAX_AUDIO_SAMPLES = 30 * SAMPLE_RATE_HZ
MAX_JOB_BYTES = LENGTH.size + MAX_HEAD_BYTES + 2 * MAX_AUDIO_SAMPLES
MAX_FRAME_BYTES = 2**20
"""Some ten times what 448 tokens (Whisper's text context) with all their times can take."""
MAX_ATTEMPTS = 1000
MAX_BEATS_BYTES = 128 * 2**10
"""All beats of one answer: an hour of them takes 108 kB."""


class JobHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a job but its audio.

    Attributes:
        max_wait_s: What is left of the caller's deadline.
        is_reserved: A gateway kept room for it: it is let in beyond the usual bounds.
        attempt: 1, or how often this gateway has sent the job by now.
    """

    id: str
    kind: JobKind
    client: str
    utterance: str
    max_wait_s: float | None
    is_reserved: bool
    trace_id: str
    attempt: Annotated[int, msgspec.Meta(ge=1, le=MAX_ATTEMPTS)]
    language: str | None
    task: Task
    beam_size: Annotated[int, msgspec.Meta(ge=1, le=MAX_BEAM_SIZE)]
    initial_prompt: str | None
    hotwords: tuple[str, ...]
    word_timestamps: bool
    is_piece: bool
    sentence_times: bool
    prefix_tokens: tuple[int, ...]
    is_guess: bool
    languages: tuple[str, ...] = ()


class Frame(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of what an answer is made of; the class name is the tag on the wire."""


class Beat(Frame, frozen=True):
    """The recogniser lives, and has the job still."""


class TimingMessage(msgspec.Struct, frozen=True, array_like=True):
    """Where the time went, in milliseconds, as the recogniser saw it."""

    decode_ms: float
    queue_ms: float
    ipc_ms: float
    asr_ms: float


class Done(Frame, frozen=True):
    """A transcript. ``id`` is the job's; ``spent_s`` runs from its arrival to this answer."""

    id: str
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
    language: Annotated[str, msgspec.Meta(max_length=MAX_LANGUAGE_CHARS)] | None
    language_probability: float
    duration_samples: int
    segments: Segments
    timing: TimingMessage
    attempts: int
    spent_s: float


class Failed(Frame, frozen=True):
    """The recogniser has judged; ``code`` is one of an error class of :mod:`auricle.errors`."""

    code: str
    message: str
    retry_after_s: int | None = None


AnswerFrame = Beat | Done | Failed

_encoder = msgspec.msgpack.Encoder()
_head_decoder: msgspec.msgpack.Decoder[JobHead] = msgspec.msgpack.Decoder(JobHead)
_frame_decoder: msgspec.msgpack.Decoder[AnswerFrame] = msgspec.msgpack.Decoder(AnswerFrame)


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedJob:
    """A job as it came over the wire; its own ``job.reservation`` is ``None``."""

    job: Job
    is_reserved: bool
    attempt: int


def pack_job(job: Job, *, attempt: int, max_wait_s: float | None) -> bytes:
    """Return the body that asks for a job.

    Args:
        job: What is asked for, at most 30 s of it.
        attempt: How often it was sent, this time included.
        max_wait_s: What is left of its deadline.

    Raises:
        BadRequest: The options hold text that is no Unicode, or are too large to be sent.
        ValueError: It is longer than any job may be.
    """
    if job.pcm.size > MAX_AUDIO_SAMPLES:
        raise ValueError(f"a job of {job.pcm.size} samples")
    options = job.options
    head = JobHead(
        id=job.id,
        kind=job.kind,
        client=job.client,
        utterance=job.utterance,
        max_wait_s=max_wait_s,
        is_reserved=job.reservation is not None,
        trace_id=job.trace_id,
        attempt=attempt,
        language=options.language,
        task=options.task,
        beam_size=options.beam_size,
        initial_prompt=options.initial_prompt,
        hotwords=options.hotwords,
        word_timestamps=options.word_timestamps,
        is_piece=options.is_piece,
        sentence_times=options.sentence_times,
        prefix_tokens=options.prefix_tokens,
        is_guess=options.is_guess,
        languages=options.languages,
    )
    try:
        body = _encoder.encode(head)
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BadRequest("The options hold text that is no Unicode, or a huge number.") from exc
    if len(body) > MAX_HEAD_BYTES:
        raise BadRequest("The options are too long: 64 KiB are the most.")
    return b"".join((LENGTH.pack(len(body)), body, job.pcm.astype("<i2", copy=False).data))


def parse_head(body: bytes) -> tuple[JobHead, int]:
    """Return a job's head and where its audio begins; the audio is not looked at.

    Raises:
        RemoteProtocolError: It is no job.
        TooLarge: No job is as large.
    """
    if len(body) > MAX_JOB_BYTES:
        raise TooLarge(f"A job has at most {MAX_JOB_BYTES} bytes.")
    length = LENGTH.unpack_from(body)[0] if len(body) >= LENGTH.size else 0
    begin = LENGTH.size + length
    if not 0 < length <= MAX_HEAD_BYTES or begin > len(body):
        raise RemoteProtocolError("a job without a whole head")
    pcm_bytes = len(body) - begin
    if not pcm_bytes or pcm_bytes % 2 or pcm_bytes > 2 * MAX_AUDIO_SAMPLES:
        raise RemoteProtocolError(f"a job with {pcm_bytes} bytes of audio")
    try:
        head = _head_decoder.decode(memoryview(body)[LENGTH.size : begin])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError("a head that is none") from exc
    if head.max_wait_s is not None and not (math.isfinite(head.max_wait_s) and head.max_wait_s > 0):
        raise RemoteProtocolError("a deadline that is none")
    return head, begin


def parse_job(body: bytes) -> ReceivedJob:
    """Return the job in the body of a request.

    Raises:
        RemoteProtocolError: It is no job.
        TooLarge: No job is as large.
    """
    head, begin = parse_head(body)
    job = Job(
        id=JobId(head.id),
        # Copied: the head before it may have any length, and an engine wants its numbers aligned.
        pcm=np.frombuffer(body, "<i2", offset=begin).astype(np.int16),
        options=Options(
            language=head.language,
            task=head.task,
            beam_size=head.beam_size,
            initial_prompt=head.initial_prompt,
            hotwords=head.hotwords,
            word_timestamps=head.word_timestamps,
            is_piece=head.is_piece,
            sentence_times=head.sentence_times,
            prefix_tokens=head.prefix_tokens,
            is_guess=head.is_guess,
            languages=head.languages,
        ),
        kind=head.kind,
        client=ClientId(head.client),
        utterance=head.utterance,
        max_wait_s=head.max_wait_s,
        trace_id=head.trace_id,
    )
    return ReceivedJob(job, head.is_reserved, head.attempt)


def done_frame(job: Job, transcript: Transcript, spent_s: float) -> Done:
    """Return a job's transcript as it is sent."""
    timing = transcript.timing
    return Done(
        id=job.id,
        text=transcript.text,
        language=transcript.language,
        language_probability=transcript.language_probability,
        duration_samples=transcript.duration_samples,
        segments=tuple(segment_message(segment) for segment in transcript.segments),
        timing=TimingMessage(timing.decode_ms, timing.queue_ms, timing.ipc_ms, timing.asr_ms),
        attempts=transcript.attempts,
        spent_s=spent_s,
    )


def read_done(done: Done, job: Job) -> Transcript:
    """Return the transcript of a job; trusts no number in it.

    Raises:
        RemoteProtocolError: It is another job's, or can't be.
    """
    if done.id != job.id or done.duration_samples != job.pcm.size:
        raise RemoteProtocolError("the answer to another job")
    times_ms = msgspec.structs.astuple(done.timing)
    if not all(math.isfinite(ms) and ms >= 0 for ms in (*times_ms, done.spent_s)):
        raise RemoteProtocolError("a time that can't be")
    if len(done.text) > MAX_TEXT_CHARS or not 0 <= done.language_probability <= 1:
        raise RemoteProtocolError("an impossible result")
    if not 1 <= done.attempts < 2**31:
        raise RemoteProtocolError("an impossible number of attempts")
    try:
        segments = read_segments(done.segments, job)
    except WorkerError as exc:
        raise RemoteProtocolError(str(exc)) from exc
    return Transcript(
        text=clean_text(done.text),
        language=clean_language(done.language),
        language_probability=done.language_probability,
        duration_samples=done.duration_samples,
        segments=segments,
        timing=Timing(*times_ms),
        attempts=done.attempts,
    )


def pack_frame(frame: AnswerFrame) -> bytes:
    """Return a frame with its length before it."""
    body = _encoder.encode(frame)
    return LENGTH.pack(len(body)) + body


class AnswerReader:
    """Cuts an answer's bytes into frames; holds at most one that is incomplete.

    Call :meth:`next_frame` until it gives ``None`` after all that was received.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._beats_bytes = 0
        self._has_ended = False

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self._buffer += data

    def next_frame(self) -> AnswerFrame | None:
        """Return the next frame, or ``None`` when more bytes are needed.

        Raises:
            RemoteProtocolError: This is no answer; the connection is of no more use.
        """
        if self._has_ended:
            raise LocalProtocolError("next_frame() after the last one")
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if not 0 < length <= MAX_FRAME_BYTES:  # its bytes are not waited for
            raise RemoteProtocolError(f"a frame of {length} bytes")
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        try:
            frame = _frame_decoder.decode(memoryview(self._buffer)[LENGTH.size : end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise RemoteProtocolError("a frame that is none") from exc
        del self._buffer[:end]
        if isinstance(frame, Beat):
            self._beats_bytes += end
            if self._beats_bytes > MAX_BEATS_BYTES:
                raise RemoteProtocolError("beats without end")
        else:
            self._has_ended = True
        return frame
