"""Request parameters: fields of a JSON body or query string, validated and converted.

Error messages name the field and its allowed values, and never repeat the value that was sent.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from starlette.datastructures import QueryParams

from auricle.errors import BadRequest, UnsupportedFormat
from auricle.languages import language_choice
from auricle.protocol.ignored import ignored_options
from auricle.types import MAX_BEAM_SIZE, SAMPLE_RATE_HZ, Options, Task

CONTAINER_FORMATS = ("wav", "flac", "mp3", "m4a", "ogg", "webm")
AUDIO_FORMATS = ("pcm16", "opus", *CONTAINER_FORMATS, "auto")

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
MAX_WAIT_S = 24 * 3600.0
MAX_PROMPT_CHARACTERS = 10_000
MAX_HOTWORDS, MAX_HOTWORD_CHARACTERS = 500, 100
MAX_PACKET_BYTES = 4000

_JOB_ID = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,256}")

Number = int | float


class Fields(msgspec.Struct, kw_only=True):
    """The unvalidated fields of a request; ``null`` is the same as an absent field."""

    job_id: str | None = None
    trace_id: str | None = None
    audio_format: str | None = None
    sample_rate: Number | None = None
    language: str | None = None
    languages: list[str] | None = None
    src_lang: str | None = None
    task: str | None = None
    beam_size: Number | None = None
    initial_prompt: str | None = None
    hotwords: list[str] | None = None
    condition_on_previous_text: bool | None = None
    word_timestamps: bool | None = None
    max_wait_s: Number | None = None
    opus_packet_bytes: Number | None = None


class JsonRequest(Fields, kw_only=True):
    """A JSON body; ``audio`` references it without a copy."""

    audio: msgspec.Raw


_KNOWN = frozenset((*JsonRequest.__struct_fields__, "wait", "token"))


@dataclass(frozen=True, slots=True)
class TranscriptionParams:
    """Validated request parameters.

    Attributes:
        job_id: The caller's job id, or a generated one.
        trace_id: The caller's trace id, or the job id.
        audio_format: One of ``AUDIO_FORMATS``.
        sample_rate_hz: Sample rate of ``pcm16`` audio.
        options: Options that may change the text.
        condition_on_previous_text: Whether the chunks of a long file run one after another.
        max_wait_s: The caller's deadline in seconds, if it set one.
        opus_packet_bytes: Constant packet size of unframed ``opus``.
        warnings: Warnings of options that have no effect.
    """

    job_id: str
    trace_id: str
    audio_format: str
    sample_rate_hz: int
    options: Options
    condition_on_previous_text: bool
    max_wait_s: float | None
    opus_packet_bytes: int | None
    warnings: tuple[str, ...] = ()


def parse_query(query: QueryParams) -> Fields:
    """Parse a query string; list fields may be repeated or comma-separated.

    Raises:
        BadRequest: A value has the wrong type.
    """
    values: dict[str, object] = dict(query)
    for name in ("hotwords", "languages"):
        if name in query:
            listed = ",".join(query.getlist(name)).split(",")
            values[name] = [each.strip() for each in listed if each.strip()]
    try:
        return msgspec.convert(values, Fields, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid query string: {error}.") from None


def ignored_fields(given: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a warning for each request field that has no effect."""
    return ignored_options(given, _KNOWN)


def check(fields: Fields, warnings: tuple[str, ...] = ()) -> TranscriptionParams:
    """Validate request fields and apply defaults.

    Args:
        fields: The unvalidated fields.
        warnings: Warnings of ignored fields, from :func:`ignored_fields`.

    Raises:
        BadRequest: A value is out of range, or the language or task is unknown.
        UnsupportedFormat: The audio format is unknown.
    """
    job_id = fields.job_id or secrets.token_hex(8)
    trace_id = fields.trace_id or job_id
    if not _JOB_ID.fullmatch(job_id):
        raise BadRequest("job_id must be 1 to 128 of the characters A-Z a-z 0-9 . _ ~ : -")
    if not _TRACE_ID.fullmatch(trace_id):
        raise BadRequest("trace_id must be 1 to 256 visible ASCII characters.")
    audio_format = (fields.audio_format or "auto").lower()
    if audio_format not in AUDIO_FORMATS:
        raise UnsupportedFormat(f"audio_format must be one of {', '.join(AUDIO_FORMATS)}.")
    rate = _whole("sample_rate", fields.sample_rate, SAMPLE_RATE_HZ, MIN_RATE_HZ, MAX_RATE_HZ)
    packet_bytes = fields.opus_packet_bytes
    return TranscriptionParams(
        job_id=job_id,
        trace_id=trace_id,
        audio_format=audio_format,
        sample_rate_hz=rate,
        options=_options(fields),
        condition_on_previous_text=bool(fields.condition_on_previous_text),
        max_wait_s=_wait_s(fields.max_wait_s),
        opus_packet_bytes=None
        if packet_bytes is None
        else _whole("opus_packet_bytes", packet_bytes, 0, 1, MAX_PACKET_BYTES),
        warnings=warnings,
    )


def _options(fields: Fields) -> Options:
    prompt = fields.initial_prompt or None
    if prompt is not None and len(prompt) > MAX_PROMPT_CHARACTERS:
        raise BadRequest(f"initial_prompt may have at most {MAX_PROMPT_CHARACTERS} characters.")
    hotwords = tuple(fields.hotwords or ())
    if len(hotwords) > MAX_HOTWORDS or any(len(w) > MAX_HOTWORD_CHARACTERS for w in hotwords):
        raise BadRequest(
            f"hotwords may have at most {MAX_HOTWORDS} words of at most "
            f"{MAX_HOTWORD_CHARACTERS} characters."
        )
    try:
        task = Task((fields.task or "transcribe").lower())
    except ValueError:
        raise BadRequest("task must be `transcribe` or `translate`.") from None
    language, languages = language_choice(fields.language or fields.src_lang, fields.languages)
    return Options(
        language=language,
        languages=languages,
        task=task,
        beam_size=_whole("beam_size", fields.beam_size, Options().beam_size, 1, MAX_BEAM_SIZE),
        initial_prompt=prompt,
        hotwords=hotwords,
        word_timestamps=bool(fields.word_timestamps),
    )


def _whole(name: str, value: Number | None, default: int, least: int, most: int) -> int:
    if value is None:
        return default
    if not least <= value <= most or value != int(value):  # also rejects NaN
        raise BadRequest(f"{name} must be an integer from {least} to {most}.")
    return int(value)


def _wait_s(value: Number | None) -> float | None:
    if value is None:
        return None
    if not 0 < value <= MAX_WAIT_S:  # also rejects NaN
        raise BadRequest(f"max_wait_s must be greater than 0 and at most {MAX_WAIT_S:g}.")
    return float(value)
