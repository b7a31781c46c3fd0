"""OpenAI's REST API for speech: parse form fields, encode responses.

https://platform.openai.com/docs/api-reference/audio. All fields of OpenAI's API are accepted.
Fields without effect are reported in a warning: ``temperature`` (decoding raises it automatically
for doubtful text), ``include``, known speakers, and unknown fields. Values that the model does not
provide are omitted, never invented.
"""

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from auricle.errors import BadRequest
from auricle.languages import LANGUAGE_NAMES, language_choice
from auricle.protocol.ignored import ignored_options
from auricle.protocol.subtitle_layout import (
    MAX_LINE_WIDTH,
    MAX_LINES,
    MIN_LINE_WIDTH,
    USUAL,
    SubtitleLimits,
)
from auricle.protocol.subtitles import to_srt, to_vtt
from auricle.types import SAMPLE_RATE_HZ, Gap, Options, Segment, Task, Transcript, Word

Fields = Mapping[str, Sequence[str]]
"""Form values by name, in order; ``x[]`` and ``x[y]`` are ``x``."""

FIELDS = frozenset(
    {
        "max_line_width",
        "max_lines",
        "model",
        "language",
        "languages",
        "prompt",
        "keywords",
        "response_format",
        "temperature",
        "timestamp_granularities",
        "stream",
    }
)
"""Fields that have an effect."""
_KNOWN = FIELDS | {"file", "chunking_strategy", "user"}
"""Also fields that need no warning: voice detection is always on."""

MODELS = (
    "whisper-1",
    "gpt-transcribe",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
)
"""OpenAI's model names; all of them select the loaded model."""

_WHISPER_SIZES = frozenset({"tiny", "base", "small", "medium", "large", "turbo"})
_WHISPER_PARTS = _WHISPER_SIZES.union(
    ("whisper", "openai", "faster", "distil", "en", "1", "v1", "v2", "v3", "v3.5"),
    ("ggml", "mlx", "ct2", "fp16", "float16", "int8", "4bit", "8bit"),
)

MAX_PROMPT_CHARACTERS = 10_000
"""The model uses only the end, about 1000 characters, as at OpenAI."""
MAX_KEYWORDS, MAX_KEYWORD_CHARACTERS = 500, 100

FRAMES_PER_SECOND = 100
"""Whisper's frames, the unit of ``seek``."""
UNKNOWN_LANGUAGE = "unknown"
"""Language of audio without speech if the request names none."""

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no", "")


class Format(enum.StrEnum):
    """Response formats."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"

    @property
    def media_type(self) -> str:
        """The ``Content-Type`` of the response."""
        match self:
            case Format.JSON | Format.VERBOSE_JSON:
                return "application/json"
            case _:  # for subtitles too, as at OpenAI: older clients parse other types as JSON
                return "text/plain"

    @property
    def has_times(self) -> bool:
        """Whether the response contains times."""
        return self not in (Format.JSON, Format.TEXT)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A parsed form.

    Attributes:
        model: The requested model name; may be empty.
        options: The options that affect the transcript.
        format: The response format, unless the response is streamed.
        has_segments: Whether ``verbose_json`` contains segments.
        is_streamed: Whether the response is a stream of events.
        warnings: Warnings about options that have no effect.
        limits: Maximum size of subtitles. An Auricle extension.
    """

    model: str
    options: Options
    format: Format
    has_segments: bool
    is_streamed: bool
    warnings: tuple[str, ...] = ()
    limits: SubtitleLimits = USUAL


Gaps = Sequence[Mapping[str, object]]
"""Gaps in the transcript: ``start``, ``end``, ``code``. An Auricle extension."""


def is_whisper_name(name: str) -> bool:
    """Return whether a name is that of a Whisper model, in any spelling.

    Examples: ``large-v3``, ``whisper-1``, ``openai/whisper-base``,
    ``Systran/faster-whisper-tiny.en``.
    """
    last = name.lower().rpartition("/")[2].replace("v3.5", "v3_5").replace(".", "-")
    parts = {part.replace("v3_5", "v3.5") for part in last.split("-")}
    return parts <= _WHISPER_PARTS and not parts.isdisjoint(_WHISPER_SIZES | {"whisper"})


def read_form(fields: Fields, task: Task, unread: Iterable[tuple[str, str]] = ()) -> SpeechRequest:
    """Parse a form.

    Args:
        fields: The fields that have an effect.
        task: The task of the endpoint.
        unread: Names of other fields, and the beginnings of their values.

    Raises:
        BadRequest: A field is invalid; the error names it.
    """
    response_format = _format(fields)
    granularities = _granularities(fields)
    temperature = _temperature(fields)
    is_streamed = task is Task.TRANSCRIBE and _is_streamed(fields)
    language, languages = _languages(fields)
    return SpeechRequest(
        model=_last(fields, "model"),
        options=Options(
            language=language,
            languages=languages,
            task=task,
            initial_prompt=_last(fields, "prompt")[-MAX_PROMPT_CHARACTERS:] or None,
            hotwords=_keywords(fields),
            word_timestamps=not is_streamed
            and (
                response_format in (Format.SRT, Format.VTT)
                or (response_format is Format.VERBOSE_JSON and "word" in granularities)
            ),
            sentence_times=response_format.has_times and not is_streamed,
        ),
        format=response_format,
        has_segments="segment" in granularities or not granularities,
        is_streamed=is_streamed,
        warnings=_warnings(_last(fields, "model"), temperature, unread),
        limits=SubtitleLimits(
            _number(fields, "max_line_width", USUAL.max_line_width, MIN_LINE_WIDTH, MAX_LINE_WIDTH),
            _number(fields, "max_lines", USUAL.max_lines, 1, MAX_LINES),
        ),
    )


def _warnings(model: str, temperature: float, unread: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    found = list(ignored_options(unread, _KNOWN))
    if temperature:
        found.append("temperature has no effect; decoding starts at 0 and raises it if needed.")
    if "diarize" in model:
        found.append("Speaker diarization is not supported with any model.")
    return tuple(found)


def _number(fields: Fields, name: str, usual: int, least: int, most: int) -> int:
    value = _last(fields, name)
    if not value:
        return usual
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise BadRequest(f"{name} must be a whole number.", name)
    if not least <= int(value) <= most:
        raise BadRequest(f"{name} must be from {least} to {most}.", name)
    return int(value)


def _last(fields: Fields, name: str) -> str:
    values = fields.get(name, ())
    return values[-1].strip() if values else ""


def _list(fields: Fields, name: str) -> list[str]:
    """Return the values of a list: repeated fields, a JSON array, or one value with commas."""
    found: list[str] = []
    for value in fields.get(name, ()):
        found += _array(value, name) if value.lstrip().startswith("[") else value.split(",")
    return [value.strip() for value in found if value.strip()]


def _array(value: str, name: str) -> list[str]:
    try:
        return msgspec.json.decode(value, type=list[str])
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest(f"{name} must be a list of strings.", name) from None


def _format(fields: Fields) -> Format:
    named = _last(fields, "response_format") or Format.JSON.value
    if named == "diarized_json":
        raise BadRequest(
            "diarized_json is not supported; this server has no speaker diarization.",
            "response_format",
        )
    try:
        return Format(named)
    except ValueError:
        raise BadRequest(
            f"response_format must be one of {', '.join(Format)}.", "response_format"
        ) from None


def _granularities(fields: Fields) -> frozenset[str]:
    found = frozenset(_list(fields, "timestamp_granularities"))
    if not found <= {"word", "segment"}:
        raise BadRequest(
            "timestamp_granularities must be `word` or `segment`.", "timestamp_granularities"
        )
    return found


def _temperature(fields: Fields) -> float:
    try:
        given = float(_last(fields, "temperature") or 0)
    except ValueError:
        given = -1.0
    if not 0 <= given <= 1:  # also rejects NaN
        raise BadRequest("temperature must be a number from 0 to 1.", "temperature")
    return given


def _languages(fields: Fields) -> tuple[str | None, tuple[str, ...]]:
    """Return the requested language, or the languages that detection is restricted to."""
    named, possible = _last(fields, "language"), _list(fields, "languages")
    try:
        return language_choice(named, possible)
    except BadRequest as error:
        raise BadRequest(str(error), "language" if named else "languages") from None


def _keywords(fields: Fields) -> tuple[str, ...]:
    words = tuple(_list(fields, "keywords"))
    if len(words) > MAX_KEYWORDS or any(len(word) > MAX_KEYWORD_CHARACTERS for word in words):
        raise BadRequest(
            f"Too many or too long keywords; use at most {MAX_KEYWORDS} of at most "
            f"{MAX_KEYWORD_CHARACTERS} characters.",
            "keywords",
        )
    return words


def _is_streamed(fields: Fields) -> bool:
    named = _last(fields, "stream").lower()
    if named not in _TRUE + _FALSE:
        raise BadRequest("stream must be `true` or `false`.", "stream")
    return named in _TRUE


def encode_answer(
    request: SpeechRequest,
    transcript: Transcript,
    gaps: Gaps = (),
    missing: Sequence[Gap] = (),
) -> bytes:
    """Return the response body in the requested format.

    Args:
        request: The parsed form.
        transcript: The transcript.
        gaps: The gaps, for JSON.
        missing: The same gaps, for subtitles, where each is a line.
    """
    match request.format:
        case Format.JSON:
            return msgspec.json.encode(_told(transcript, gaps, request.warnings))
        case Format.VERBOSE_JSON:
            return msgspec.json.encode(_verbose(request, transcript, gaps))
        case Format.TEXT:
            return f"{transcript.text}\n".encode()
        case Format.SRT:
            return to_srt(transcript.segments, missing, request.limits).encode()
        case Format.VTT:
            return to_vtt(transcript.segments, missing, request.limits).encode()


def _told(transcript: Transcript, gaps: Gaps, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the fields of ``json``; empty ``gaps`` and ``warnings`` are omitted."""
    told: dict[str, Any] = {
        "text": transcript.text,
        "languages": [{"code": code} for code in transcript.languages],
        "usage": _usage(transcript),
    }
    return told | _additions(gaps, warnings)


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
        "duration": _seconds(transcript.duration_samples),
        "text": transcript.text,
        "usage": _usage(transcript),
    }
    if request.has_segments:
        verbose["segments"] = [_segment(i, s) for i, s in enumerate(transcript.segments)]
    if request.options.word_timestamps:
        verbose["words"] = [_word(word) for s in transcript.segments for word in s.words or ()]
    return verbose | _additions(gaps, request.warnings)


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """Return a segment; its tokens are known only if words were requested."""
    return {
        "id": number,
        "seek": segment.start_sample * FRAMES_PER_SECOND // SAMPLE_RATE_HZ,
        "start": _seconds(segment.start_sample),
        "end": _seconds(segment.end_sample),
        "text": segment.text,
        "tokens": [token for word in segment.words or () for token in word.tokens],
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text.strip(),
        "start": _seconds(word.start_sample),
        "end": _seconds(word.end_sample),
    }


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, 3)


def delta_event(delta: str) -> bytes:
    """Return the event with the next part of the text."""
    return _event({"type": "transcript.text.delta", "delta": delta})


def done_event(transcript: Transcript, gaps: Gaps = (), warnings: Sequence[str] = ()) -> bytes:
    """Return the last event, with the whole text.

    It has no ``usage``, because OpenAI counts it in tokens here.
    """
    told = {"type": "transcript.text.done"} | _told(transcript, gaps, warnings)
    del told["usage"]
    return _event(told)


def error_event(error: Mapping[str, Any]) -> bytes:
    """Return the event that ends a stream after an error."""
    return _event({"error": error})


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def error_fields(
    message: str, *, status: int, code: str, param: str | None = None
) -> dict[str, Any]:
    """Return the ``error`` object of a response."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": message, "type": kind, "param": param, "code": code}


def model_fields(name: str, created: int) -> dict[str, Any]:
    """Return a model object for ``/v1/models``.

    Args:
        name: The model ID.
        created: Unix time in seconds.
    """
    return {"id": name, "object": "model", "created": created, "owned_by": "auricle"}
