"""Between jobs and messages: what a child is told, and what is believed of its answers."""

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
"""Embeddings, overrides and isolates (Unicode TR9): they show text in another order than it has."""
_CLEANED = dict.fromkeys((*_CONTROLS, *_DIRECTIONS)) | dict.fromkeys(_LINE_BREAKS, " ")


def job_message(job: Job) -> JobMessage:
    """Return the job as a child is told of it; the samples are not copied."""
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
    """Refuse what no worker could be told: it would look like poison.

    Raises:
        BadRequest: The options hold text that is no Unicode, or a number beyond 64 bits.
    """
    try:
        pack(structs.replace(job_message(job), pcm=memoryview(b"")))
    except (UnicodeEncodeError, OverflowError) as exc:
        raise BadRequest("The options hold text that is no Unicode, or a huge number.") from exc


def read_outcome(
    ticket: Ticket, result: JobDone | JobFailed, now: float, asr_s: float
) -> Transcript | AudioError:
    """Turn a child's result into ours; trusts no number in it.

    Raises:
        WorkerError: A number or a length is impossible.
    """
    if isinstance(result, JobFailed):
        if result.code == EmptyAudio.code:
            return EmptyAudio("there is no audio in it")
        return AudioError("the engine can't work on this audio")
    samples = ticket.job.pcm.size
    segments = read_segments(result.segments, ticket.job)
    text = "".join(segment.text for segment in segments).strip()
    if not 0 <= result.language_probability <= 1:
        raise WorkerError("an impossible result")
    elapsed_s = now - ticket.started_at
    if not 0 <= asr_s <= elapsed_s + 1:
        raise WorkerError("an impossible time")
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
    """Return text without control characters, line breaks and changes of direction.

    It ends in terminals, logs, subtitles and pages, and comes from a process that read a stranger's
    bytes.
    """
    return text if text.isprintable() else text.translate(_CLEANED)


def clean_language(language: str | None) -> str | None:
    """Return a language without control characters."""
    return None if language is None else clean_text(language)


def segment_message(segment: Segment) -> SegmentMessage:
    """Return a segment as it is sent; :func:`read_segments` is the way back."""
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
    """Return a job's segments; trusts no number and no text in them.

    Words that the job didn't ask for are left out.

    Raises:
        WorkerError: A time lies outside the audio, a number is none, or there is too much of it.
    """
    words = [word for message in messages for word in message.words or ()]
    if (
        sum(len(message.text) for message in messages) > MAX_TEXT_CHARS
        or sum(len(word.text) for word in words) > MAX_TEXT_CHARS
        or sum(len(word.tokens) for word in words) > MAX_TOKENS
        or len(words) > MAX_SEGMENTS
    ):
        raise WorkerError("an impossible amount of text")
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
        raise WorkerError("a time outside the audio")
    return start, end


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise WorkerError("a number that isn't one")
    return number
