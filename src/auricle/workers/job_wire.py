"""Between jobs and messages: what a child is told, and what is believed of its answers."""

import math

from msgspec import structs

from auricle.errors import AudioError, BadRequest, EmptyAudio, WorkerError
from auricle.types import Job, Segment, Timing, Transcript, Word
from auricle.workers.backlog import Ticket
from auricle.workers.messages import (
    JobDone,
    JobFailed,
    JobMessage,
    SegmentMessage,
    WordMessage,
    pack,
)

MAX_TEXT_CHARS = 20_000
"""Most text of one job: 30 s hold at most 448 tokens (Whisper's text context)."""


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
    segments = tuple(read_segment(segment, samples) for segment in result.segments)
    text = "".join(segment.text for segment in segments).strip()
    if len(text) > MAX_TEXT_CHARS or not 0 <= result.language_probability <= 1:
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
        language=result.language,
        language_probability=result.language_probability,
        duration_samples=samples,
        segments=segments,
        timing=timing,
        attempts=ticket.attempts,
    )


def segment_message(segment: Segment) -> SegmentMessage:
    """Return a segment as it is sent; :func:`read_segment` is the way back."""
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


def read_segment(message: SegmentMessage, samples: int) -> Segment:
    """Return a segment of audio that has so many samples; trusts no number in it.

    Raises:
        WorkerError: A time lies outside the audio, or a number is none.
    """
    words = None
    if message.words is not None:
        words = tuple(
            Word(
                *_span(w.start_sample, w.end_sample, samples),
                w.text,
                _finite(w.probability),
                w.tokens,
            )
            for w in message.words
        )
    start, end = _span(message.start_sample, message.end_sample, samples)
    return Segment(
        start_sample=start,
        end_sample=end,
        text=message.text,
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
