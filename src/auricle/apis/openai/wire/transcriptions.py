"""The responses of OpenAI's REST API for speech.

https://platform.openai.com/docs/api-reference/audio. Values that the model does not provide are
omitted, never invented.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import msgspec

from auricle.apis.openai.wire.transcription_form import Format, SpeechRequest
from auricle.text.formats.registry import format_of
from auricle.text.formats.whisper_json import seconds, segment_fields
from auricle.values.languages import LANGUAGE_NAMES
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Gap,
    GiveWay,
    Segment,
    Task,
    Transcript,
    Word,
    do_nothing,
)

UNKNOWN_LANGUAGE = "unknown"
"""Language of audio without speech if the request names none."""
UNKNOWN_SPEAKER = "unknown"
"""Speaker of a segment that has none; clients require one."""


Gaps = Sequence[Mapping[str, object]]
"""Gaps in the transcript: ``start``, ``end``, ``code``. An Auricle extension."""


def encode_answer(
    request: SpeechRequest,
    transcript: Transcript,
    gaps: Gaps = (),
    missing: Sequence[Gap] = (),
    give_way: GiveWay = do_nothing,
) -> bytes:
    """Return the response body in the requested format.

    Args:
        request: The parsed form.
        transcript: The transcript.
        gaps: The gaps, for JSON.
        missing: The same gaps, for subtitles, where each is a line.
        give_way: Called between small parts of subtitles.
    """
    match request.format:
        case Format.JSON:
            return msgspec.json.encode(_text_fields(transcript, gaps, request.warnings))
        case Format.VERBOSE_JSON:
            return msgspec.json.encode(_verbose(request, transcript, gaps))
        case Format.DIARIZED_JSON:
            return msgspec.json.encode(_diarized(request, transcript, gaps))
        case Format.TEXT:
            return f"{transcript.text}\n".encode()
        case Format.SRT | Format.VTT as name:
            segments, speakers = transcript.segments, transcript.speakers
            subtitles = format_of(name)
            return subtitles.document(
                segments, missing, request.limits, speakers, give_way
            ).encode()


def _text_fields(
    transcript: Transcript, gaps: Gaps, warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the fields of ``json``; empty ``gaps`` and ``warnings`` are omitted."""
    fields: dict[str, Any] = {
        "text": transcript.text,
        "languages": [{"code": code} for code in transcript.languages],
        "usage": _usage(transcript),
    }
    return fields | _additions(gaps, warnings)


def _additions(gaps: Gaps, warnings: Sequence[str]) -> dict[str, Any]:
    return ({"gaps": gaps} if gaps else {}) | ({"warnings": warnings} if warnings else {})


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {
        "type": "duration",
        "seconds": math.ceil(transcript.duration_samples / SAMPLE_RATE_HZ),
    }


def _verbose(request: SpeechRequest, transcript: Transcript, gaps: Gaps) -> dict[str, Any]:
    task = request.options.task
    code = "en" if task is Task.TRANSLATE else transcript.language
    verbose: dict[str, Any] = {
        "task": f"{task}",
        "language": LANGUAGE_NAMES.get(code or "", UNKNOWN_LANGUAGE),
        "duration": seconds(transcript.duration_samples),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if request.has_segments:
        labels = _labels(transcript)
        verbose["segments"] = [_segment(i, s, labels) for i, s in enumerate(transcript.segments)]
    if request.options.word_timestamps:
        verbose["words"] = [_word(word) for s in transcript.segments for word in s.words or ()]
    return verbose | _additions(gaps, request.warnings)


def _diarized(request: SpeechRequest, transcript: Transcript, gaps: Gaps) -> dict[str, Any]:
    diarized = {
        "task": "transcribe",
        "duration": seconds(transcript.duration_samples),
        "text": transcript.text,
        "segments": list(_speaker_segments(transcript)),
        "usage": _usage(transcript),
    }
    return diarized | _additions(gaps, request.warnings)


def _speaker_segments(transcript: Transcript) -> Iterator[dict[str, Any]]:
    labels = _labels(transcript)
    for number, segment in enumerate(transcript.segments):
        yield {
            "type": "transcript.text.segment",
            "id": f"seg_{number}",
            "start": seconds(segment.start_sample),
            "end": seconds(segment.end_sample),
            "text": segment.text,
            "speaker": labels.get(segment.speaker, UNKNOWN_SPEAKER),
        }


def _labels(transcript: Transcript) -> dict[int | None, str]:
    """Return the speakers' labels by number: their names, or capital letters as at OpenAI."""
    letters = iter(ascii_uppercase)
    return {speaker.number: speaker.name or next(letters) for speaker in transcript.speakers}


def _segment(number: int, segment: Segment, labels: Mapping[int | None, str]) -> dict[str, Any]:
    speaker = labels.get(segment.speaker)
    return ({} if speaker is None else {"speaker": speaker}) | segment_fields(number, segment)


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text.strip(),
        "start": seconds(word.start_sample),
        "end": seconds(word.end_sample),
    }


def delta_event(delta: str) -> bytes:
    """Return the event with the next part of the text."""
    return _event({"type": "transcript.text.delta", "delta": delta})


def segment_events(transcript: Transcript) -> bytes:
    """Return an event for each segment with its speaker."""
    return b"".join(map(_event, _speaker_segments(transcript)))


def done_event(transcript: Transcript, gaps: Gaps = (), warnings: Sequence[str] = ()) -> bytes:
    """Return the last event, with the whole text.

    It has no ``usage``, because OpenAI counts it in tokens here.
    """
    fields = {"type": "transcript.text.done"} | _text_fields(transcript, gaps, warnings)
    del fields["usage"]
    return _event(fields)


def error_event(error: Mapping[str, Any]) -> bytes:
    """Return the event that ends a stream after an error."""
    return _event({"error": error})


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
