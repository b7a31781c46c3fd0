"""Messages between gateway and recogniser, over HTTP. No I/O, no clock.

A job is the body of one ``POST``::

    [uint32_le length][msgpack JobHead][PCM16 little endian, 16 kHz mono]

The answer is a stream of frames, ``[uint32_le length][msgpack]``: :class:`Beat` every ``BEAT_S``
while the job waits or runs, then one :class:`Done` or :class:`ErrorFrame` as the last frame. Beats
distinguish a long queue from a hung machine: ``SILENCE_S`` without a complete frame means that it
hangs. Errors before the stream begins are sent as JSON, see :mod:`auricle.cluster.wire.failures`.

Neither end trusts the other: lengths, types and numbers are validated first.
"""

import math
from dataclasses import astuple, fields

import msgspec
import numpy as np

from auricle.values.errors import (
    BadRequest,
    LocalProtocolError,
    RemoteProtocolError,
    TooLarge,
    WorkerError,
)
from auricle.values.types import (
    MAX_BEAM_SIZE,
    MAX_JOB_SAMPLES,
    SAMPLE_BYTES,
    SAMPLE_RATE_HZ,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Transcript,
)
from auricle.workers.kinds.asr.codec import validated
from auricle.workers.wire.framing import LENGTH, decode, pack

JOBS_PATH = "/v1/jobs"
CAPACITY_PATH = "/v1/capacity"
JOB_TYPE = "application/x-auricle-job"
ANSWER_TYPE = "application/x-auricle-answer"

BEAT_S = 0.5
SILENCE_S = 3.0
"""Six missing beats: the other end hangs or is gone. A stopped machine keeps its connections open
indefinitely, so only missing beats reveal it."""

MAX_HEAD_BYTES = 256 * 2**10
"""Ample for the longest prompt and hotwords, with four bytes a character."""
MAX_JOB_BYTES = LENGTH.size + MAX_HEAD_BYTES + 2 * MAX_JOB_SAMPLES
MAX_FRAME_BYTES = 2**20
"""About ten times the size of the words of a job with all their times."""
MAX_BEATS_BYTES = 128 * 2**10
"""Maximum size of all beats of one answer; one hour of beats takes 108 kB."""


class JobHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job without its audio.

    Attributes:
        max_wait_s: Time until the caller's deadline, in seconds; ``None`` without a deadline.
        max_start_s: Time until a worker must have begun the job, in seconds; ``None``: no limit.
        admitted_upstream: Whether the gateway holds a reservation for it; the recogniser then
            admits it beyond the usual bounds.
    """

    id: str
    kind: JobKind
    client: str
    utterance: str
    max_wait_s: float | None
    max_start_s: float | None
    admitted_upstream: bool
    trace_id: str
    options: Options


class _Keys(msgspec.Struct, frozen=True):
    """The names of a job's options; a dataclass ignores unknown ones and fills in missing ones."""

    options: dict[str, msgspec.Raw]


class _Frame(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of the frames of an answer; the class name is the tag on the wire."""


class Beat(_Frame, frozen=True):
    """The recogniser is alive and still has the job."""


class Done(_Frame, frozen=True):
    """A transcript. ``id`` is the job's; ``spent_s`` is the time from its arrival to this frame."""

    id: str
    transcript: Transcript
    spent_s: float


class RemoteError(msgspec.Struct, frozen=True):
    """An error of a recogniser; ``code`` is that of an error class of :mod:`.errors`."""

    code: str
    message: str
    retry_after_s: int | None = None


class ErrorFrame(_Frame, frozen=True):
    """The job failed."""

    error: RemoteError


AnswerFrame = Beat | Done | ErrorFrame

_head_decoder: msgspec.msgpack.Decoder[JobHead] = msgspec.msgpack.Decoder(JobHead)
_keys_decoder: msgspec.msgpack.Decoder[_Keys] = msgspec.msgpack.Decoder(_Keys)
_OPTION_NAMES = {field.name for field in fields(Options)}
_frame_decoder: msgspec.msgpack.Decoder[AnswerFrame] = msgspec.msgpack.Decoder(AnswerFrame)


def pack_job(job: Job, max_wait_s: float | None) -> bytes:
    """Encode a job as a request body.

    Args:
        job: The job, at most ``MAX_JOB_S`` of audio.
        max_wait_s: Time until its deadline, in seconds.

    Raises:
        BadRequest: The options contain invalid Unicode or a huge number, or are too long.
        ValueError: The audio is longer than ``MAX_JOB_S``.
    """
    if job.pcm.size > MAX_JOB_SAMPLES:
        raise ValueError(f"job of {job.pcm.size} samples; the maximum is {MAX_JOB_SAMPLES}")
    head = JobHead(
        id=job.id,
        kind=job.kind,
        client=job.client,
        utterance=job.utterance,
        max_wait_s=max_wait_s,
        max_start_s=job.max_start_s,
        admitted_upstream=job.reservation is not None,
        trace_id=job.trace_id,
        options=job.options,
    )
    try:
        packed = pack(head)
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BadRequest("The options contain invalid Unicode or a number beyond 64 bits.") from exc
    if len(packed) > LENGTH.size + MAX_HEAD_BYTES:
        raise BadRequest(f"The options are too long; the maximum is {MAX_HEAD_BYTES} bytes.")
    return b"".join((packed, job.pcm.astype("<i2", copy=False).data))


def parse_head(body: bytes) -> tuple[JobHead, int]:
    """Parse a job's head; return it and the offset of the audio, which is not read.

    Raises:
        RemoteProtocolError: The body is not a valid job.
        TooLarge: The body exceeds ``MAX_JOB_BYTES``.
    """
    if len(body) > MAX_JOB_BYTES:
        raise TooLarge(f"The job is too large; the maximum is {MAX_JOB_BYTES} bytes.")
    length = LENGTH.unpack_from(body)[0] if len(body) >= LENGTH.size else 0
    begin = LENGTH.size + length
    if not 0 < length <= MAX_HEAD_BYTES or begin > len(body):
        raise RemoteProtocolError("incomplete job head")
    pcm_bytes = len(body) - begin
    if not pcm_bytes or pcm_bytes % 2 or pcm_bytes > 2 * MAX_JOB_SAMPLES:
        raise RemoteProtocolError(f"invalid audio length of {pcm_bytes} bytes")
    try:
        packed = memoryview(body)[LENGTH.size : begin]
        head, keys = decode(_head_decoder, packed), decode(_keys_decoder, packed)
    except msgspec.DecodeError as exc:
        raise RemoteProtocolError("malformed job head") from exc
    limits = (each for each in (head.max_wait_s, head.max_start_s) if each is not None)
    if not all(math.isfinite(each) and each > 0 for each in limits):
        raise RemoteProtocolError("invalid max_wait_s or max_start_s")
    if keys.options.keys() != _OPTION_NAMES:  # of another version: the text would differ
        raise RemoteProtocolError("unknown or missing options")
    if not 1 <= head.options.beam_size <= MAX_BEAM_SIZE:
        raise RemoteProtocolError("invalid beam_size")
    return head, begin


def audio_s_of(body: bytes) -> float:
    """Return the length of the audio of a job whose head was parsed, in seconds."""
    head_bytes = LENGTH.size + LENGTH.unpack_from(body)[0]
    return float(len(body) - head_bytes) / (SAMPLE_BYTES * SAMPLE_RATE_HZ)


def parse_job(body: bytes) -> Job:
    """Parse a request body; the job has no reservation here.

    Raises:
        RemoteProtocolError: The body is not a valid job.
        TooLarge: The body exceeds ``MAX_JOB_BYTES``.
    """
    head, begin = parse_head(body)
    return Job(
        id=JobId(head.id),
        # Copied for alignment: the head may have any length.
        pcm=np.frombuffer(body, "<i2", offset=begin).astype(np.int16),
        options=head.options,
        kind=head.kind,
        client=ClientId(head.client),
        utterance=head.utterance,
        max_wait_s=head.max_wait_s,
        max_start_s=head.max_start_s,
        admitted_upstream=head.admitted_upstream,
        trace_id=head.trace_id,
    )


def read_done(done: Done, job: Job) -> Transcript:
    """Validate an answer and return its transcript.

    Raises:
        RemoteProtocolError: The answer belongs to another job, or a value is out of range.
    """
    transcript = done.transcript
    if done.id != job.id or transcript.duration_samples != job.pcm.size:
        raise RemoteProtocolError("answer does not match the job")
    times = (*astuple(transcript.timing), done.spent_s)
    if not all(math.isfinite(time) and time >= 0 for time in times):
        raise RemoteProtocolError("time out of range")
    if not 1 <= transcript.attempts < 2**31:
        raise RemoteProtocolError("number of attempts out of range")
    try:
        return validated(transcript, job)
    except WorkerError as exc:
        raise RemoteProtocolError(str(exc)) from exc


class AnswerReader:
    """Split an answer into frames; buffers at most one incomplete frame.

    After each :meth:`receive_data`, call :meth:`next_frame` until it returns ``None``.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._beats_bytes = 0
        self._has_ended = False

    def receive_data(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next_frame(self) -> AnswerFrame | None:
        """Return the next frame, or ``None`` if more bytes are needed.

        Raises:
            RemoteProtocolError: The answer is malformed; close the connection.
            LocalProtocolError: The last frame was returned already.
        """
        if self._has_ended:
            raise LocalProtocolError("next_frame() called after the last frame")
        if len(self._buffer) < LENGTH.size:
            return None
        (length,) = LENGTH.unpack_from(self._buffer)
        if not 0 < length <= MAX_FRAME_BYTES:  # reject before its bytes arrive
            raise RemoteProtocolError(f"invalid frame length of {length} bytes")
        end = LENGTH.size + length
        if len(self._buffer) < end:
            return None
        try:
            frame = decode(_frame_decoder, memoryview(self._buffer)[LENGTH.size : end])
        except msgspec.DecodeError as exc:
            raise RemoteProtocolError("malformed frame") from exc
        del self._buffer[:end]
        if isinstance(frame, Beat):
            self._beats_bytes += end
            if self._beats_bytes > MAX_BEATS_BYTES:
                raise RemoteProtocolError("beats without end")
        else:
            self._has_ended = True
        return frame
