"""Request parameters: fields of a JSON body or query string, validated and converted."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.datastructures import QueryParams

from auricle.engines.models import Models
from auricle.files.registry import method_of
from auricle.ledger.jobs.events import KEPT, PROGRESS
from auricle.ledger.jobs.lease import RENEW_S
from auricle.protocol.fields import convert_texts
from auricle.protocol.ignored import ignored_options
from auricle.values.audio_formats import FORMAT_OPTIONS
from auricle.values.errors import BadRequest, UnsupportedFormat
from auricle.values.languages import language_choice
from auricle.values.limits import (
    MAX_CHANNELS,
    MAX_KEEP_AUDIO_S,
    MAX_PACKET_BYTES,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    FileName,
    Hotwords,
    Language,
    Languages,
    ModelName,
    Prompt,
    StrictLanguage,
    VocabularyName,
)
from auricle.values.text_filters import FilterChoice
from auricle.values.types import (
    DEFAULT_BEAM_SIZE,
    MAX_BEAM_SIZE,
    MAX_SPEAKERS,
    SAMPLE_RATE_HZ,
    Options,
    Source,
    SpeakerOptions,
    Task,
)
from auricle.values.wording import NO_WORDING, Wording

MAX_WAIT_S = 24 * 3600.0

OptionalEvent = Literal["job.progress", "transcript.kept"]

_JOB_ID = r"^[A-Za-z0-9._~:-]{0,128}$(?!\n)"
_TRACE_ID = r"^[\x21-\x7e]{0,256}$(?!\n)"


def _whole(description: str, at_least: int, at_most: int) -> Meta:
    """Return the limits of an integer, which JSON may also write as ``16000.0``."""
    return Meta(ge=at_least, le=at_most, multiple_of=1, description=description)


class Fields(msgspec.Struct, kw_only=True):
    """The fields of a request; their types are its validation and its OpenAPI schema."""

    job_id: Annotated[
        str,
        Meta(
            pattern=_JOB_ID,
            description="Job id, up to 128 of A-Z a-z 0-9 . _ ~ : -; generated if empty.",
        ),
    ] = ""
    trace_id: Annotated[
        str, Meta(pattern=_TRACE_ID, description="Trace id, logged with the job id.")
    ] = ""
    audio_format: Annotated[
        str,
        Meta(
            description="Format of the audio; `auto` detects it from the data.",
            extra_json_schema={"enum": list(FORMAT_OPTIONS)},  # in any case; unknown ones are 415
        ),
    ] = "auto"
    sample_rate: Annotated[
        float, _whole("Sample rate of `pcm16` audio, in Hz.", MIN_RATE_HZ, MAX_RATE_HZ)
    ] = SAMPLE_RATE_HZ
    channels: Annotated[
        float, _whole("Channels of `pcm16` audio, interleaved.", 1, MAX_CHANNELS)
    ] = 1
    multichannel: Annotated[
        bool,
        Meta(
            description=f"Transcribe each channel apart, at most {MAX_CHANNELS}; otherwise they "
            "are mixed."
        ),
    ] = False
    model: Annotated[
        ModelName,
        Meta(description="Name of a model, as `/v1/models` lists it; the default if omitted."),
    ] = ""
    language: Annotated[
        Language, Meta(description="Language code or English name; detected if `auto` or omitted.")
    ] = ""
    languages: Annotated[
        Languages,
        Meta(description="Languages that detection is restricted to; comma-separated in a query."),
    ] = ()
    strict_language: StrictLanguage = False
    src_lang: Annotated[Language, Meta(description="Alias of `language`.")] = ""
    task: Annotated[
        str,
        Meta(
            description="`translate` returns English text.",
            extra_json_schema={"enum": [task.value for task in Task]},  # in any case
        ),
    ] = Task.TRANSCRIBE.value
    beam_size: Annotated[float, _whole("Beam size; 1 is greedy decoding.", 1, MAX_BEAM_SIZE)] = (
        DEFAULT_BEAM_SIZE
    )
    initial_prompt: Annotated[
        Prompt, Meta(description="Text that the model treats as preceding the audio.")
    ] = ""
    hotwords: Annotated[Hotwords, Meta(description="Words that the model should favour.")] = ()
    vocabulary: Annotated[
        VocabularyName,
        Meta(description="Name of a vocabulary, see `/v1/vocabularies`; the key's default one."),
    ] = ""
    condition_on_previous_text: Annotated[
        bool, Meta(description="Use the previous text as context; chunks then run in order.")
    ] = False
    word_timestamps: Annotated[
        bool, Meta(description="Whether segments include words with timestamps.")
    ] = False
    speakers: Annotated[
        bool, Meta(description="Whether to label the speakers; costs CPU time.")
    ] = False
    num_speakers: (
        Annotated[
            float,
            _whole(
                "Number of speakers; estimated if omitted. Implies `speakers`.", 1, MAX_SPEAKERS
            ),
        ]
        | UnsetType
    ) = UNSET
    min_speakers: (
        Annotated[
            float,
            _whole("Minimum of the estimated number. Implies `speakers`.", 1, MAX_SPEAKERS),
        ]
        | UnsetType
    ) = UNSET
    max_speakers: (
        Annotated[
            float,
            _whole("Maximum of the estimated number. Implies `speakers`.", 1, MAX_SPEAKERS),
        ]
        | UnsetType
    ) = UNSET
    max_wait_s: (
        Annotated[
            float,
            Meta(
                gt=0,
                le=MAX_WAIT_S,
                description="Deadline in seconds, including queueing, from the end of the upload.",
            ),
        ]
        | UnsetType
    ) = UNSET
    keep_audio_s: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=MAX_KEEP_AUDIO_S,
                description="Retention of the audio after the end of a job (`wait=0`), in seconds; "
                "0: deleted at once. Default: the server's setting.",
            ),
        ]
        | UnsetType
    ) = UNSET
    opus_packet_bytes: (
        Annotated[
            float,
            _whole(
                "Constant size of Opus packets without length prefix, in bytes.",
                1,
                MAX_PACKET_BYTES,
            ),
        ]
        | UnsetType
    ) = UNSET
    file_name: Annotated[
        FileName, Meta(description="Name of the recording, shown in the list of jobs.")
    ] = ""
    callback_url: Annotated[
        str,
        Meta(description="URL to which the job is sent when it has ended; only with `wait=0`."),
    ] = ""

    webhook_events: Annotated[
        tuple[OptionalEvent, ...],
        Meta(
            description="Further events for `callback_url`; comma-separated in a query: "
            f"`{PROGRESS}` every {RENEW_S:g} s while the job runs, `{KEPT}` when its transcript "
            "is kept."
        ),
    ] = ()


class JsonRequest(Fields, kw_only=True):
    """A JSON body; ``audio`` references it without a copy."""

    audio: Annotated[
        msgspec.Raw,
        Meta(
            description="The audio.",
            extra_json_schema={"type": "string", "contentEncoding": "base64"},
        ),
    ]


_KNOWN = frozenset((*JsonRequest.__struct_fields__, "wait", "token"))


@dataclass(frozen=True, slots=True)
class Callback:
    """Where a job is sent when it has ended, and with which HTTP method.

    Attributes:
        url: The receiver.
        method: The HTTP method.
        events: Types of further events that it gets.
    """

    url: str
    method: str = "POST"
    events: tuple[OptionalEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class TranscriptionParams:
    """Validated request parameters.

    Attributes:
        job_id: The caller's job id, or a generated one.
        trace_id: The caller's trace id, or the job id.
        audio_format: One of ``FORMAT_OPTIONS``.
        sample_rate_hz: Sample rate of ``pcm16`` audio.
        options: Options that may change the text.
        condition_on_previous_text: Whether the chunks of a long file run one after another.
        max_wait_s: The caller's deadline in seconds, if it set one.
        keep_audio_s: Retention of a job's audio after its end, in seconds, if the caller set it.
        opus_packet_bytes: Constant packet size of unframed ``opus``.
        channels: Channels of ``pcm16`` audio.
        is_multichannel: Whether channels are transcribed apart; otherwise they are mixed.
        file_name: Name of the recording; it is no part of a job's identity.
        warnings: Warnings of options that have no effect.
        callback: The receiver of a background job, if there is one.
        speakers: What is known of the number of speakers; ``None``: not requested.
        filters: Text filters for the transcript.
        vocabulary: Name of a vocabulary; empty: the default one of the key.
        wording: What is known of the speech; it is no part of a job's identity.
        max_speech_samples: Transcribe only the first speech of a long file, of about this many
            16 kHz samples; ``None``: all of it.
    """

    job_id: str
    trace_id: str
    audio_format: str
    sample_rate_hz: int
    options: Options
    condition_on_previous_text: bool = False
    max_wait_s: float | None = None
    keep_audio_s: float | None = None
    opus_packet_bytes: int | None = None
    channels: int = 1
    is_multichannel: bool = False
    file_name: str = ""
    warnings: tuple[str, ...] = ()
    callback: Callback | None = None
    speakers: SpeakerOptions | None = None
    filters: tuple[FilterChoice, ...] = ()
    vocabulary: str = ""
    wording: Wording = NO_WORDING
    max_speech_samples: int | None = None

    def source(self, path: str, audio_format: str) -> Source:
        """Return the audio in a file, whose format was detected."""
        return Source(
            path, audio_format, self.sample_rate_hz, self.opus_packet_bytes, self.channels
        )


def parse_query(query: QueryParams) -> Fields:
    """Parse a query string; list fields may be repeated or comma-separated.

    Raises:
        BadRequest: A value has the wrong type, or is out of range.
    """
    return convert_texts(query.multi_items(), Fields, "query string")


def ignored_fields(fields: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a warning for each request field that has no effect."""
    return ignored_options(fields, _KNOWN)


def check(fields: Fields, warnings: tuple[str, ...] = ()) -> TranscriptionParams:
    """Return the parameters for valid fields.

    Args:
        fields: The fields.
        warnings: Warnings of ignored fields, from :func:`ignored_fields`.

    Raises:
        BadRequest: The language or task is unknown, or options exclude or need each other.
        UnsupportedOption: This installation can't transcribe channels apart.
        UnsupportedFormat: The audio format is unknown.
    """
    job_id = fields.job_id or secrets.token_hex(8)
    audio_format = (fields.audio_format or "auto").lower()
    if audio_format not in FORMAT_OPTIONS:
        raise UnsupportedFormat(f"audio_format must be one of {', '.join(FORMAT_OPTIONS)}.")
    if fields.webhook_events and not fields.callback_url:
        raise BadRequest("webhook_events needs callback_url.", "webhook_events")
    speakers = _speakers(fields)
    if fields.multichannel and speakers is not None:
        raise BadRequest("multichannel and speakers exclude each other: a channel is one speaker.")
    method_of(is_multichannel=fields.multichannel)
    return TranscriptionParams(
        job_id=job_id,
        trace_id=fields.trace_id or job_id,
        audio_format=audio_format,
        sample_rate_hz=int(fields.sample_rate),
        options=_options(fields),
        condition_on_previous_text=fields.condition_on_previous_text,
        max_wait_s=fields.max_wait_s or None,
        keep_audio_s=None if fields.keep_audio_s is UNSET else fields.keep_audio_s,
        opus_packet_bytes=int(fields.opus_packet_bytes) if fields.opus_packet_bytes else None,
        channels=int(fields.channels),
        is_multichannel=fields.multichannel,
        file_name=fields.file_name,
        warnings=warnings,
        callback=_callback(fields),
        speakers=speakers,
        vocabulary=fields.vocabulary,
    )


def with_model(params: TranscriptionParams, models: Models) -> TranscriptionParams:
    """Return the parameters with the served model that the request means, and a check of both.

    Raises:
        ModelNotFound: There is no such model.
        BadRequest: The model does not support the language or the task.
    """
    choice = models.choose(params.options.model)
    options = replace(params.options, model=choice.option)
    choice.model.engine.fit(options)
    return replace(params, options=options, warnings=(*params.warnings, *choice.warnings))


def encode_params(params: TranscriptionParams) -> bytes:
    """Return parameters as JSON, for a row of the ledger."""
    return msgspec.json.encode(params)


def ended_request(request: bytes) -> bytes:
    """Return what is kept of a row after the end of its job: the callback, for its webhooks."""
    try:
        callback = decode_params(request).callback
    except msgspec.DecodeError:
        return request
    if callback is None:
        return b""
    return encode_params(TranscriptionParams("", "", "", 0, Options(), callback=callback))


def decode_params(request: bytes) -> TranscriptionParams:
    """Return the parameters in a row of the ledger; fields of later versions are ignored."""
    return msgspec.json.decode(request, type=TranscriptionParams)


def _callback(fields: Fields) -> Callback | None:
    url = fields.callback_url
    return Callback(url, events=fields.webhook_events) if url else None


def _speakers(fields: Fields) -> SpeakerOptions | None:
    numbers = [
        None if number is UNSET else int(number)
        for number in (fields.num_speakers, fields.min_speakers, fields.max_speakers)
    ]
    return SpeakerOptions(*numbers) if fields.speakers or any(numbers) else None


def _options(fields: Fields) -> Options:
    try:
        task = Task(fields.task.lower() or Task.TRANSCRIBE)
    except ValueError:
        raise BadRequest("task must be `transcribe` or `translate`.") from None
    language, languages = language_choice(fields.language or fields.src_lang, fields.languages)
    return Options(
        language=language,
        languages=languages,
        task=task,
        beam_size=int(fields.beam_size),
        initial_prompt=fields.initial_prompt or None,
        hotwords=fields.hotwords,
        word_timestamps=fields.word_timestamps,
        model=fields.model,
        strict_language=fields.strict_language,
    )
