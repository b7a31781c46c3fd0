"""Converts a transcript of the API into the values that this package formats."""

from auricle.client.api.results import (
    MissingPart,
    SpokenWord,
    SubtitleFormat,
    Transcript,
    TranscriptSegment,
)
from auricle.text.formats.subtitles import to_srt, to_vtt
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Word
from auricle.values.types import Transcript as Recognised


def recognised(transcript: Transcript) -> tuple[Recognised, tuple[Gap, ...]]:
    """Return the transcript in samples of 16 kHz, and its gaps."""
    converted = Recognised(
        text=transcript.text,
        language=transcript.language,
        language_probability=transcript.language_probability,
        duration_samples=_samples(transcript.duration_ms / 1000),
        segments=tuple(map(_segment, transcript.segments)),
        attempts=transcript.attempts,
        speakers=tuple(Speaker(each.number, each.name) for each in transcript.speakers),
    )
    return converted, tuple(map(_gap, transcript.gaps))


def subtitles(transcript: Transcript, format: SubtitleFormat) -> str:
    """Return the transcript as SubRip or WebVTT."""
    converted, gaps = recognised(transcript)
    write = to_vtt if format == "vtt" else to_srt
    return write(converted.segments, gaps, speakers=converted.speakers)


def _segment(segment: TranscriptSegment) -> Segment:
    words = segment.words
    return Segment(
        _samples(segment.start_s),
        _samples(segment.end_s),
        segment.text,
        None if words is None else tuple(map(_word, words)),
        language=segment.language,
        speaker=segment.speaker,
        channel=segment.channel,
    )


def _word(word: SpokenWord) -> Word:
    return Word(
        _samples(word.start_s),
        _samples(word.end_s),
        word.text,
        word.probability,
        speaker=word.speaker,
        speaker_confidence=word.speaker_confidence,
    )


def _gap(part: MissingPart) -> Gap:
    return Gap(_samples(part.start_s), _samples(part.end_s), part.code, part.channel)


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
