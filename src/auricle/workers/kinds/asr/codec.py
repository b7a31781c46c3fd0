"""Convert jobs to worker messages, and validate workers' answers."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from msgspec import structs

from auricle.values.errors import AudioError, BadRequest, EmptyAudio, WorkerError
from auricle.values.types import Job, Segment, Timing, Transcript, Word
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.messages import (
    MAX_LANGUAGE_CHARS,
    MAX_SEGMENTS,
    MAX_TEXT_CHARS,
    MAX_TOKENS,
    BatchDone,
    JobDone,
    JobFailed,
    JobMessage,
)
from auricle.workers.wire.framing import pack

T = TypeVar("T", Transcript, Segment, Word)

_LINE_BREAKS = (*range(0x09, 0x0E), 0x85, 0x2028, 0x2029)
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides and isolates (Unicode TR9), which change the order of displayed text."""
_CLEANED = dict.fromkeys((*_CONTROLS, *_DIRECTIONS)) | dict.fromkeys(_LINE_BREAKS, " ")


def job_message(job: Job) -> JobMessage:
    """Return the message for a job; the samples are not copied."""
    return JobMessage(job.id, job.pcm.data.cast("B"), job.options)


def refuse_unsendable(job: Job) -> None:
    """Reject a job that cannot be encoded, which would otherwise look like poison.

    Raises:
        BadRequest: The options contain invalid Unicode or a number beyond 64 bits.
    """
    try:
        pack(structs.replace(job_message(job), pcm=memoryview(b"")))
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BadRequest("The options contain invalid Unicode or a number beyond 64 bits.") from exc


def check_jobs(done: BatchDone, jobs: Sequence[str]) -> None:
    """Check that the results are those of these jobs, in this order.

    Raises:
        WorkerError: They are not.
    """
    if [result.id for result in done.results] != jobs:
        raise WorkerError("results do not match the jobs of the batch")


def read_outcomes(
    tickets: Sequence[Ticket], done: BatchDone, now: float
) -> list[Transcript | AudioError]:
    """Validate a worker's results of these jobs, and convert them.

    Raises:
        WorkerError: They are those of other jobs, or a number or a length is out of range.
    """
    check_jobs(done, [ticket.job.id for ticket in tickets])
    return [
        read_outcome(ticket, result, now, done.asr_s)
        for ticket, result in zip(tickets, done.results, strict=True)
    ]


def read_outcome(
    ticket: Ticket, result: JobDone | JobFailed, now: float, asr_s: float
) -> Transcript | AudioError:
    """Validate a worker's result and convert it.

    Raises:
        WorkerError: A number or a length is out of range.
    """
    if isinstance(result, JobFailed):
        if result.code == EmptyAudio.code:
            return EmptyAudio("the job contains no audio")
        return AudioError("The engine cannot transcribe this audio.")
    transcript = validated(result.transcript, ticket.job)
    elapsed_s = now - ticket.started_at
    if not 0 <= asr_s <= elapsed_s + 1:
        raise WorkerError("engine time out of range")
    timing = Timing(
        queue_ms=(ticket.started_at - ticket.submitted_at) * 1000,
        ipc_ms=max(0.0, elapsed_s - asr_s) * 1000,
        asr_ms=asr_s * 1000,
    )
    return replace(
        transcript,
        text="".join(segment.text for segment in transcript.segments).strip(),
        duration_samples=ticket.job.pcm.size,
        timing=timing,
        attempts=ticket.attempts,
    )


def validated(transcript: Transcript, job: Job) -> Transcript:
    """Return the transcript of a job by another process, with its text cleaned.

    Words are omitted unless the job requested them, and speakers always: no engine assigns them.
    The caller validates duration, timing and attempts, or replaces them.

    Raises:
        WorkerError: A time is outside the audio, a number is out of range, or there is too much
            text.
    """
    segments = transcript.segments
    words = [word for segment in segments for word in segment.words or ()]
    if (
        max(len(segments), len(words)) > MAX_SEGMENTS
        or sum(len(segment.text) for segment in segments) > MAX_TEXT_CHARS
        or sum(len(word.text) for word in words) > MAX_TEXT_CHARS
        or sum(len(word.tokens) for word in words) > MAX_TOKENS
        or len(transcript.language or "") > MAX_LANGUAGE_CHARS
    ):
        raise WorkerError("too much text")
    if not 0 <= transcript.language_probability <= 1:
        raise WorkerError("language probability out of range")
    segments = tuple(_validated_segment(segment, job) for segment in segments)
    return replace(_cleaned(transcript), segments=segments, speakers=())


def clean_text(text: str) -> str:
    """Return text without control characters, line breaks and direction changes.

    The text comes from a process that read untrusted data, and ends in terminals, logs, subtitles
    and web pages.
    """
    return text if text.isprintable() else text.translate(_CLEANED)


def _validated_segment(segment: Segment, job: Job) -> Segment:
    words = segment.words if job.options.word_timestamps else None
    timed: Sequence[Segment | Word] = (segment, *(words or ()))
    if any(not 0 <= each.start_sample <= each.end_sample <= job.pcm.size for each in timed):
        raise WorkerError("time outside the audio")
    if words is not None:
        words = tuple(
            replace(_cleaned(word), speaker=None, speaker_confidence=None) for word in words
        )
    return replace(_cleaned(segment), words=words, language=None, speaker=None)


def _cleaned(value: T) -> T:
    """Return the value with all its texts cleaned; reject numbers that are not finite."""
    texts: dict[str, Any] = {}
    for field in fields(value):
        match getattr(value, field.name):
            case float() as number if not math.isfinite(number):
                raise WorkerError("number is not finite")
            case str() as text if len(text) > MAX_TEXT_CHARS:
                raise WorkerError("too much text")
            case str() as text if not text.isprintable():
                texts[field.name] = clean_text(text)
            case _:
                pass
    return replace(value, **texts) if texts else value
