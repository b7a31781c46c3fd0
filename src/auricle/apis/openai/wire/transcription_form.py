"""The form of OpenAI's REST API for speech.

All fields of OpenAI's API are accepted. Fields without effect are reported in a warning:
``temperature`` (decoding raises it automatically for doubtful text), ``include``, and unknown
fields.

Speakers are labelled for ``diarized_json``, and for a model whose name says ``diarize`` if the
format can show them.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from auricle.apis.openai.wire.known_speakers import (
    MAX_KNOWN_SPEAKERS,
    NAMES,
    REFERENCES,
    KnownSpeaker,
    known_speakers,
)
from auricle.protocol.fields import check_list, convert_texts, decode_json, split_list
from auricle.protocol.ignored import ignored_options
from auricle.text.formats.base import (
    MAX_LINE_WIDTH,
    MAX_LINES,
    MIN_LINE_WIDTH,
    USUAL,
    SubtitleLimits,
)
from auricle.text.formats.registry import format_of
from auricle.values.errors import BadRequest
from auricle.values.languages import language_choice
from auricle.values.limits import (
    MAX_PROMPT_CHARACTERS,
    Hotwords,
    Language,
    Languages,
    ModelName,
    StrictLanguage,
    VocabularyName,
)
from auricle.values.types import MAX_SPEAKERS, Options, SpeakerOptions, Task

Texts = Mapping[str, Sequence[str]]
"""Form values by name, in order; ``x[]`` and ``x[y]`` are ``x``."""


_LISTS = ("languages", "keywords", "timestamp_granularities")
_REPEATED = (NAMES, REFERENCES)
"""Lists whose entries may contain commas."""
_SPEAKER_FIELDS = ("num_speakers", "min_speakers", "max_speakers")

_NumberOfSpeakers = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": MAX_SPEAKERS})]


class Format(enum.StrEnum):
    """Response formats."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VERBOSE_JSON = "verbose_json"
    VTT = "vtt"
    DIARIZED_JSON = "diarized_json"

    @property
    def media_type(self) -> str:
        """The ``Content-Type`` of the response."""
        match self:
            case Format.JSON | Format.VERBOSE_JSON | Format.DIARIZED_JSON:
                return "application/json"
            case _:  # for subtitles too, as at OpenAI: older clients parse other types as JSON
                return "text/plain"

    @property
    def is_subtitles(self) -> bool:
        """Whether it is a format of subtitles, which an installation may lack."""
        return self in (Format.SRT, Format.VTT)

    @property
    def has_times(self) -> bool:
        """Whether the response contains times."""
        return self not in (Format.JSON, Format.TEXT)


class Form(
    msgspec.Struct,
    kw_only=True,
    rename={name: f"{name}[]" for name in (*_LISTS, *_REPEATED)},
):
    """The fields that have an effect; their types are their validation and OpenAPI schema."""

    model: Annotated[
        ModelName,
        Meta(description="Name of a model; OpenAI's names mean the default model."),
    ] = ""
    language: Annotated[
        Language, Meta(description="Language code or English name; detected if omitted.")
    ] = ""
    languages: Annotated[
        Languages, Meta(description="Languages that detection is restricted to.")
    ] = ()
    strict_language: StrictLanguage = False
    prompt: Annotated[
        str, Meta(description="Text that the model treats as preceding the audio.")
    ] = ""
    keywords: Annotated[Hotwords, Meta(description="Words that the model should favour.")] = ()
    vocabulary: Annotated[
        VocabularyName, Meta(description="Name of a vocabulary of the key. An extension.")
    ] = ""
    response_format: Annotated[
        str,
        Meta(
            description="`diarized_json` has segments with speakers, `verbose_json` segments.",
            extra_json_schema={"enum": list(Format)},
        ),
    ] = Format.JSON
    temperature: Annotated[float, Meta(ge=0, le=1)] = 0
    timestamp_granularities: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"enum": ["word", "segment"]})], ...],
        Meta(description="Only for `verbose_json`."),
    ] = ()
    max_line_width: Annotated[
        int,
        Meta(
            ge=MIN_LINE_WIDTH,
            le=MAX_LINE_WIDTH,
            description="Only for `srt` and `vtt`; East Asian characters count twice.",
        ),
    ] = USUAL.max_line_width
    max_lines: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_LINES,
            description="Only for `srt` and `vtt`: maximum lines of a subtitle.",
        ),
    ] = USUAL.max_lines
    known_speaker_names: Annotated[
        tuple[str, ...],
        Meta(description=f"Names of up to {MAX_KNOWN_SPEAKERS} speakers, for `diarized_json`."),
    ] = ()
    known_speaker_references: Annotated[
        tuple[str, ...],
        Meta(description="A recording of each of them, 2 to 10 s, as a data URL with base64."),
    ] = ()
    num_speakers: Annotated[
        _NumberOfSpeakers | None, Meta(description="Number of speakers; estimated if omitted.")
    ] = None
    min_speakers: Annotated[
        _NumberOfSpeakers | None, Meta(description="Minimum of the estimated number of speakers.")
    ] = None
    max_speakers: Annotated[
        _NumberOfSpeakers | None, Meta(description="Maximum of the estimated number of speakers.")
    ] = None
    stream: Annotated[bool, Meta(description="Return an event stream (transcriptions only).")] = (
        False
    )


FIELDS = frozenset(Form.__struct_fields__)
_KNOWN = FIELDS | {"file", "chunking_strategy", "user"}
"""Also fields that need no warning: voice detection is always on."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A parsed form.

    Attributes:
        options: The options that affect the transcript.
        format: The response format, unless the response is streamed.
        has_segments: Whether ``verbose_json`` contains segments.
        is_streamed: Whether the response is a stream of events.
        warnings: Warnings about options that have no effect.
        limits: Maximum size of subtitles. An Auricle extension.
        speakers: What is known of the speakers; ``None`` if they are not requested.
        known_speakers: Speakers with names and recordings.
        vocabulary: Name of a vocabulary. An Auricle extension.
    """

    options: Options
    format: Format
    has_segments: bool
    is_streamed: bool
    warnings: tuple[str, ...] = ()
    limits: SubtitleLimits = USUAL
    speakers: SpeakerOptions | None = None
    known_speakers: tuple[KnownSpeaker, ...] = ()
    vocabulary: str = ""


def read_form(texts: Texts, task: Task, unread: Iterable[tuple[str, str]] = ()) -> SpeechRequest:
    """Parse a form.

    Args:
        texts: The texts of the fields that have an effect.
        task: The task of the endpoint.
        unread: Names of other fields, and the beginnings of their values.

    Raises:
        BadRequest: A field is invalid; the error names it.
        UnsupportedOption: This installation lacks the format.
    """
    form = convert_texts(_items(texts), Form, "form", is_lenient=True)
    response_format = _format(form)
    if not {"word", "segment"}.issuperset(form.timestamp_granularities):
        raise BadRequest(
            "timestamp_granularities must be `word` or `segment`.", "timestamp_granularities"
        )
    is_streamed = task is Task.TRANSCRIBE and form.stream
    has_words = response_format.is_subtitles or (
        response_format is Format.VERBOSE_JSON and "word" in form.timestamp_granularities
    )
    language, languages = _languages(form)
    shows_speakers = response_format is Format.DIARIZED_JSON or (
        response_format.has_times and not is_streamed
    )
    speakers = _speakers(form, response_format)
    known = known_speakers(form.known_speaker_names, form.known_speaker_references)
    return SpeechRequest(
        options=Options(
            language=language,
            languages=languages,
            task=task,
            initial_prompt=form.prompt[-MAX_PROMPT_CHARACTERS:] or None,
            hotwords=form.keywords,
            word_timestamps=has_words and not is_streamed,
            sentence_times=shows_speakers,
            model=form.model,
            strict_language=form.strict_language,
        ),
        format=response_format,
        has_segments="segment" in form.timestamp_granularities or not form.timestamp_granularities,
        is_streamed=is_streamed,
        warnings=_warnings(form, unread, ignores_speakers=not (shows_speakers and speakers)),
        limits=SubtitleLimits(form.max_line_width, form.max_lines),
        speakers=speakers if shows_speakers else None,
        known_speakers=known if shows_speakers and speakers else (),
        vocabulary=form.vocabulary,
    )


def _speakers(form: Form, response_format: Format) -> SpeakerOptions | None:
    numbers = {name: getattr(form, name) for name in _SPEAKER_FIELDS}
    options = SpeakerOptions(**numbers)
    is_wanted = (
        response_format is Format.DIARIZED_JSON
        or "diarize" in form.model.lower()
        or form.known_speaker_names
        or any(numbers.values())
    )
    return options if is_wanted else None


def _warnings(
    form: Form, unread: Iterable[tuple[str, str]], *, ignores_speakers: bool
) -> tuple[str, ...]:
    warnings = list(ignored_options(unread, _KNOWN))
    if form.temperature:
        warnings.append("temperature has no effect; decoding starts at 0 and raises it if needed.")
    if ignores_speakers:
        given = (name for name in (NAMES, *_SPEAKER_FIELDS) if getattr(form, name))
        warnings += [f"{name} has no effect; use response_format=diarized_json." for name in given]
    return tuple(warnings)


def _items(texts: Texts) -> Iterator[tuple[str, str]]:
    """Yield names and texts; a list may be repeated fields, a JSON array, or have commas."""
    for name, values in texts.items():
        for value in values:
            is_json = value.lstrip().startswith("[")
            if name not in (*_LISTS, *_REPEATED) or (name in _REPEATED and not is_json):
                yield name, value
            elif is_json:
                check_list(name, value)
                try:
                    yield from ((name, text) for text in decode_json(value, list[str], name))
                except BadRequest:
                    raise BadRequest(f"{name} must be a list of strings.", name) from None
            else:
                yield from ((name, text) for text in split_list(name, value))


def _format(form: Form) -> Format:
    try:
        found = Format(form.response_format)
    except ValueError:
        raise BadRequest(
            f"response_format must be one of {', '.join(Format)}.", "response_format"
        ) from None
    if found.is_subtitles:
        format_of(found, "response_format")
    return found


def _languages(form: Form) -> tuple[str | None, tuple[str, ...]]:
    """Return the requested language, or the languages that detection is restricted to."""
    try:
        return language_choice(form.language, form.languages)
    except BadRequest as error:
        raise BadRequest(str(error), "language" if form.language else "languages") from None
