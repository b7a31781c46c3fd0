"""The responses of ``/asr`` and ``/detect-language``.

``json`` is that of the service's engine faster-whisper; labels of speakers are those of its engine
WhisperX (``SPEAKER_00``). Gaps in the transcript are visible in subtitles and in ``json``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

from auricle.apis.asr_webservice.wire.query import AsrRequest, Output
from auricle.text.formats.registry import format_of
from auricle.text.formats.whisper_json import seconds, segment_fields
from auricle.values.languages import LANGUAGE_NAMES
from auricle.values.types import (
    SAMPLES_PER_MS,
    Gap,
    GiveWay,
    Segment,
    Speaker,
    Transcript,
    Word,
    do_nothing,
)

UNDETERMINED, UNKNOWN = "und", "Unknown"
"""Code (ISO 639-2) and name of the language of audio without speech, as Subgen returns them."""

Gaps = Sequence[Mapping[str, object]]
"""Gaps in the transcript: ``start``, ``end``, ``code``. An Auricle extension."""


class Detection(TypedDict):
    """The response of ``/detect-language``."""

    detected_language: Annotated[str, Meta(description="English name, in lower case.")]
    language_code: str
    confidence: Annotated[float, Meta(ge=0, le=1)]


class ErrorBody(TypedDict):
    """The JSON body of an error: FastAPI's ``detail``, and Auricle's code."""

    detail: str
    code: str


def detection(transcript: Transcript) -> Detection:
    """Return the language of a transcript."""
    if transcript.language is None:
        return Detection(detected_language=UNKNOWN, language_code=UNDETERMINED, confidence=0.0)
    return Detection(
        detected_language=LANGUAGE_NAMES.get(transcript.language, transcript.language),
        language_code=transcript.language,
        confidence=transcript.language_probability,
    )


def encode_answer(
    request: AsrRequest,
    transcript: Transcript,
    gaps: Gaps = (),
    missing: Sequence[Gap] = (),
    give_way: GiveWay = do_nothing,
) -> bytes:
    """Return the response body in the requested format.

    Args:
        request: The parsed query.
        transcript: The transcript.
        gaps: The gaps, for JSON.
        missing: The same gaps, for subtitles, where each is a cue.
        give_way: Called between small parts of subtitles.
    """
    segments, speakers = transcript.segments, transcript.speakers
    match request.output:
        case Output.JSON:
            return msgspec.json.encode(_json(request, transcript, gaps))
        case Output.SRT | Output.VTT as name:
            subtitles = format_of(name)
            return subtitles.document(
                segments, missing, speakers=speakers, give_way=give_way
            ).encode()
        case Output.TSV:
            rows = (_row(segment, speakers) for segment in segments)
            return "".join(("start\tend\ttext\n", *rows)).encode()
        case Output.TXT:
            return "".join(f"{line}\n" for line in _lines(segments, speakers)).encode()


def _json(request: AsrRequest, transcript: Transcript, gaps: Gaps) -> dict[str, Any]:
    body: dict[str, Any] = {
        "language": transcript.language,
        "segments": [
            _segment(request, number, segment, transcript.speakers)
            for number, segment in enumerate(transcript.segments)
        ],
        "text": transcript.text,
    }
    if gaps:
        body["gaps"] = gaps
    if request.warnings:
        body["warnings"] = request.warnings
    return body


def _segment(
    request: AsrRequest, number: int, segment: Segment, speakers: Sequence[Speaker]
) -> dict[str, Any]:
    fields = segment_fields(number, segment)
    if request.has_words:
        fields["words"] = [_word(word, speakers) for word in segment.words or ()]
    if segment.speaker is not None:
        fields["speaker"] = _label(segment.speaker, speakers)
    return fields


def _word(word: Word, speakers: Sequence[Speaker]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "start": seconds(word.start_sample),
        "end": seconds(word.end_sample),
        "word": word.text,
        "probability": word.probability,
    }
    return fields if word.speaker is None else fields | {"speaker": _label(word.speaker, speakers)}


def _row(segment: Segment, speakers: Sequence[Speaker]) -> str:
    start_ms = round(segment.start_sample / SAMPLES_PER_MS)
    end_ms = round(segment.end_sample / SAMPLES_PER_MS)
    return f"{start_ms}\t{end_ms}\t{_line(segment, speakers)}\n"


def _lines(segments: Sequence[Segment], speakers: Sequence[Speaker]) -> Iterator[str]:
    return (line for segment in segments if (line := _line(segment, speakers)))


def _line(segment: Segment, speakers: Sequence[Speaker]) -> str:
    """Return the text of a segment in one line, with its speaker if there is one."""
    text = " ".join(segment.text.split())
    if segment.speaker is None or not text:
        return text
    return f"[{_label(segment.speaker, speakers)}]: {text}"


def _label(speaker: int, speakers: Sequence[Speaker]) -> str:
    """Return the name of a speaker, or the label of WhisperX."""
    return Speaker.of(speaker, speakers).name or f"SPEAKER_{speaker:02}"
