"""Convert jobs to worker messages, and validate workers' answers."""

import math
from collections.abc import Sequence

from msgspec import structs

from auricle.errors import AudioError, BadRequest, EmptyAudio, WorkerError
from auricle.types import Job, Segment, Timing, Transcript, Word
from auricle.workers.asr.backlog import Ticket
from auricle.workers.process.messages import (
    MAX_SEGMENTS,
    MAX_TEXT_CHARS,
    MAX_TOKENS,
    JobDone,
    JobFailed,
    JobMessage,
    SegmentMessage,
    WordMessage,
    pack,
)

_LINE_BREAKS = (*range(0x09, 0x0E), 0x85, 0x2028, 0x2029)
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Embeddings, overrides and isolates (Unicode TR9), which change the order of displayed text."""
_CLEANED = dict.fromkeys((*_CONTROLS, *_DIRECTIONS)) | dict.fromkeys(_LINE_BREAKS, " ")


def job_message(job: Job) -> JobMessage:
    """Return the message for a job; the samples are not copied."""
    options = job.options
    return JobMessage(
        id=job.id,
        pcm=job.pcm.data.cast("B"),
        language=options.language,
        task=options.task,
        beam_size=options.beam_size,
        initial_prompt=options.initial_prompt,
        hotwords=options.hotwords,
        word_timestamps=options.word_timestamps,
        prefix_tokens=options.prefix_tokens,
        is_guess=options.is_guess,
        is_piece=options.is_piece,
        sentence_times=options.sentence_times,
        languages=options.languages,
    )


def refuse_unsendable(job: Job) -> None:
    """Reject a job that cannot be encoded, which would otherwise look like poison.

    Raises:
        BadRequest: The options contain invalid Unicode or a number beyond 64 bits.
    """
    try:
        pack(structs.replace(job_message(job), pcm=memoryview(b"")))
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BadRequest("The options contain invalid Unicode or a number beyond 64 bits.") from exc


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
        return AudioError("the engine cannot transcribe this audio")
    samples = ticket.job.pcm.size
    segments = read_segments(result.segments, ticket.job)
    text = "".join(segment.text for segment in segments).strip()
    if not 0 <= result.language_probability <= 1:
        raise WorkerError("language probability out of range")
    elapsed_s = now - ticket.started_at
    if not 0 <= asr_s <= elapsed_s + 1:
        raise WorkerError("engine time out of range")
    timing = Timing(
        queue_ms=(ticket.started_at - ticket.submitted_at) * 1000,
        ipc_ms=max(0.0, elapsed_s - asr_s) * 1000,
        asr_ms=asr_s * 1000,
    )
    return Transcript(
        text=text,
        language=clean_language(result.language),
        language_probability=result.language_probability,
        duration_samples=samples,
        segments=segments,
        timing=timing,
        attempts=ticket.attempts,
    )


def clean_text(text: str) -> str:
    """Return text without control characters, line breaks and direction changes.

    The text comes from a process that read untrusted data, and ends in terminals, logs, subtitles
    and web pages.
    """
    return text if text.isprintable() else text.translate(_CLEANED)


def clean_language(language: str | None) -> str | None:
    """Return a language without control characters."""
    return None if language is None else clean_text(language)


def segment_message(segment: Segment) -> SegmentMessage:
    """Return the message for a segment; :func:`read_segments` is the inverse."""
    words = None
    if segment.words is not None:
        words = tuple(
            WordMessage(w.start_sample, w.end_sample, w.text, w.probability, w.tokens)
            for w in segment.words
        )
    return SegmentMessage(
        segment.start_sample,
        segment.end_sample,
        segment.text,
        words,
        segment.avg_logprob,
        segment.no_speech_prob,
        segment.compression_ratio,
        segment.temperature,
    )


def read_segments(messages: Sequence[SegmentMessage], job: Job) -> tuple[Segment, ...]:
    """Validate and convert a job's segments.

    Words are omitted unless the job requested them.

    Raises:
        WorkerError: A time is outside the audio, a number is not finite, or there is too much text.
    """
    words = [word for message in messages for word in message.words or ()]
    if (
        sum(len(message.text) for message in messages) > MAX_TEXT_CHARS
        or sum(len(word.text) for word in words) > MAX_TEXT_CHARS
        or sum(len(word.tokens) for word in words) > MAX_TOKENS
        or len(words) > MAX_SEGMENTS
    ):
        raise WorkerError("too much text")
    samples, with_words = job.pcm.size, job.options.word_timestamps
    return tuple(_segment(message, samples, with_words=with_words) for message in messages)


def _segment(message: SegmentMessage, samples: int, *, with_words: bool) -> Segment:
    words = None
    if with_words and message.words is not None:
        words = tuple(
            Word(
                *_span(w.start_sample, w.end_sample, samples),
                clean_text(w.text),
                _finite(w.probability),
                w.tokens,
            )
            for w in message.words
        )
    start, end = _span(message.start_sample, message.end_sample, samples)
    return Segment(
        start_sample=start,
        end_sample=end,
        text=clean_text(message.text),
        words=words,
        avg_logprob=_finite(message.avg_logprob),
        no_speech_prob=_finite(message.no_speech_prob),
        compression_ratio=_finite(message.compression_ratio),
        temperature=_finite(message.temperature),
    )


def _span(start: int, end: int, samples: int) -> tuple[int, int]:
    if not 0 <= start <= end <= samples:
        raise WorkerError("time outside the audio")
    return start, end


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise WorkerError("number is not finite")
    return number
