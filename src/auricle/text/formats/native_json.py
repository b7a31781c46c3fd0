"""The transcript of the native API: from a result to the response body, and back."""

from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from auricle.protocol.errors import ErrorBody
from auricle.text.formats.gaps import GapBody, gap_fields
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Transcript, Word

_Seconds = Annotated[float, Meta(description="In seconds.")]


class SpeakerBody(TypedDict):
    """A speaker of the transcript."""

    speaker: Annotated[int, Meta(description="Number, from 0 by first appearance.")]
    name: Annotated[str | None, Meta(description="Name of a known speaker.")]


class WordBody(TypedDict):
    """A word of a segment; the speaker only if speakers were requested."""

    start: _Seconds
    end: _Seconds
    word: str
    probability: float
    speaker: NotRequired[int | None]
    speaker_confidence: NotRequired[Annotated[float | None, Meta(description="From 0 to 1.")]]


class SegmentBody(TypedDict):
    """A segment of a transcript; the speaker only if speakers were requested."""

    start: _Seconds
    end: _Seconds
    text: str
    language: str | None
    words: Annotated[list[WordBody] | None, Meta(description="Only with `word_timestamps`.")]
    speaker: NotRequired[
        Annotated[
            int | None, Meta(description="Number from 0, null if unknown; only with `speakers`.")
        ]
    ]
    channel: NotRequired[
        Annotated[int, Meta(description="From 0; only if channels were transcribed apart.")]
    ]
    original: NotRequired[
        Annotated[str, Meta(description="The text before a vocabulary corrected it.")]
    ]


class GapsBody(ErrorBody):
    """The error of a transcript with gaps."""

    gaps: list[GapBody]


class TimingBody(TypedDict):
    """Times that the transcript took, in milliseconds."""

    decode: float
    queue: float
    ipc: float
    asr: float


class TranscriptBody(TypedDict):
    """The response body of ``POST /utterance``; ``speakers`` only if there are any."""

    job_id: str
    trace_id: str
    model: str
    text: str
    language: str | None
    language_probability: float
    duration_ms: int
    segments: Annotated[list[SegmentBody], Meta(description="Sentences, in order of time.")]
    speakers: NotRequired[list[SpeakerBody]]
    timing_ms: TimingBody
    attempts: int
    error: Annotated[
        GapsBody | None, Meta(description="Parts that could not be transcribed; usually null.")
    ]
    warnings: NotRequired[
        Annotated[
            tuple[str, ...], Meta(description="Options without an effect, and doubtful text.")
        ]
    ]


def transcript_body(
    job_id: str,
    trace_id: str,
    transcript: Transcript,
    gaps: tuple[Gap, ...] = (),
    warnings: tuple[str, ...] = (),
    *,
    model: str = "",
) -> TranscriptBody:
    """Return the JSON body for a transcript of a model.

    Gaps are in ``error``; ``warnings`` is present only if there are any.
    """
    timing = transcript.timing
    body: TranscriptBody = {
        "job_id": job_id,
        "trace_id": trace_id,
        "model": model,
        "text": transcript.text,
        "language": transcript.language,
        "language_probability": float(f"{transcript.language_probability:.4g}"),
        "duration_ms": round(transcript.duration_samples * 1000 / SAMPLE_RATE_HZ),
        "segments": [
            _segment(segment, has_speakers=bool(transcript.speakers))
            for segment in transcript.segments
        ],
        "timing_ms": {
            "decode": round(timing.decode_ms, 3),
            "queue": round(timing.queue_ms, 3),
            "ipc": round(timing.ipc_ms, 3),
            "asr": round(timing.asr_ms, 3),
        },
        "attempts": transcript.attempts,
        "error": _gaps(gaps) if gaps else None,
    }
    if transcript.speakers:
        body["speakers"] = [
            {"speaker": speaker.number, "name": speaker.name} for speaker in transcript.speakers
        ]
    if warnings:
        body["warnings"] = warnings
    return body


def _segment(segment: Segment, *, has_speakers: bool) -> SegmentBody:
    words = segment.words
    body: SegmentBody = {
        "start": _seconds(segment.start_sample),
        "end": _seconds(segment.end_sample),
        "text": segment.text,
        "language": segment.language,
        "words": None
        if words is None
        else [_word(word, has_speakers=has_speakers) for word in words],
    }
    if has_speakers:
        body["speaker"] = segment.speaker
    if segment.channel is not None:
        body["channel"] = segment.channel
    if segment.original is not None:
        body["original"] = segment.original
    return body


def _word(word: Word, *, has_speakers: bool) -> WordBody:
    body: WordBody = {
        "start": _seconds(word.start_sample),
        "end": _seconds(word.end_sample),
        "word": word.text,
        "probability": round(word.probability, 4),
    }
    if has_speakers:
        confidence = word.speaker_confidence
        body["speaker"] = word.speaker
        body["speaker_confidence"] = None if confidence is None else round(confidence, 4)
    return body


def _gaps(gaps: tuple[Gap, ...]) -> GapsBody:
    return {
        "code": gaps[0].code,
        "message": "Some parts of the audio could not be transcribed; see `gaps`.",
        "retryable": False,
        "retry_after_s": None,
        "gaps": gap_fields(gaps),
    }


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 3)


def parse_transcript(body: TranscriptBody) -> tuple[Transcript, tuple[Gap, ...]]:
    """Return the transcript of a body, in samples at 16 kHz, and its gaps."""
    transcript = Transcript(
        text=body["text"],
        language=body["language"],
        language_probability=body["language_probability"],
        duration_samples=_samples(body["duration_ms"] / 1000),
        segments=tuple(map(_parse_segment, body["segments"])),
        attempts=body["attempts"],
        speakers=tuple(Speaker(each["speaker"], each["name"]) for each in body.get("speakers", ())),
    )
    return transcript, tuple(map(_parse_gap, body["error"]["gaps"] if body["error"] else ()))


def _parse_segment(body: SegmentBody) -> Segment:
    words = body["words"]
    return Segment(
        _samples(body["start"]),
        _samples(body["end"]),
        body["text"],
        None if words is None else tuple(map(_parse_word, words)),
        language=body["language"],
        speaker=body.get("speaker"),
        channel=body.get("channel"),
        original=body.get("original"),
    )


def _parse_word(body: WordBody) -> Word:
    return Word(
        _samples(body["start"]),
        _samples(body["end"]),
        body["word"],
        body["probability"],
        speaker=body.get("speaker"),
        speaker_confidence=body.get("speaker_confidence"),
    )


def _parse_gap(body: GapBody) -> Gap:
    return Gap(_samples(body["start"]), _samples(body["end"]), body["code"], body.get("channel"))


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
