"""The query of ``/asr`` and ``/detect-language``.

https://github.com/ahmetoner/whisper-asr-webservice. Programs written for it show an error as
subtitles, or give up. So unknown options and an unknown ``output`` have no effect and are reported
in a warning, as at any other API; only values that make the result useless are rejected.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct

from auricle.protocol.fields import convert_texts, split_list
from auricle.protocol.ignored import ignored_options
from auricle.text.formats.registry import format_of
from auricle.values.errors import BadRequest
from auricle.values.languages import language_code
from auricle.values.limits import (
    HOTWORD_LIMITS,
    MAX_PROMPT_CHARACTERS,
    Language,
    ModelName,
    StrictLanguage,
    VocabularyName,
    are_valid_hotwords,
)
from auricle.values.types import MAX_SPEAKERS, Options, SpeakerOptions, Task


class Output(enum.StrEnum):
    """Response formats."""

    TXT = "txt"
    VTT = "vtt"
    SRT = "srt"
    TSV = "tsv"
    JSON = "json"


_NumberOfSpeakers = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": MAX_SPEAKERS})]


class DetectionQuery(Struct, kw_only=True):
    """The parameters of both paths; their types are their validation and OpenAPI schema."""

    encode: Annotated[
        bool,
        Meta(description="false: the audio is PCM16, mono, 16 kHz, without a header (or WAV)."),
    ] = True
    model: Annotated[
        ModelName, Meta(description="Name of a model; the default if omitted. An extension.")
    ] = ""


class AsrQuery(DetectionQuery, kw_only=True):
    """The parameters of ``/asr``."""

    task: Annotated[
        str,
        Meta(
            description="`translate` returns English text.",
            extra_json_schema={"enum": [task.value for task in Task]},  # in any case
        ),
    ] = Task.TRANSCRIBE.value
    language: Annotated[
        Language, Meta(description="Language code or English name; detected if omitted.")
    ] = ""
    strict_language: StrictLanguage = False
    initial_prompt: Annotated[
        str, Meta(description="Text that the model treats as preceding the audio.")
    ] = ""
    hotwords: Annotated[
        str, Meta(description="Words to expect, with commas between them. An extension.")
    ] = ""
    vocabulary: Annotated[
        VocabularyName, Meta(description="Name of a vocabulary of the key. An extension.")
    ] = ""
    word_timestamps: Annotated[
        bool, Meta(description="Whether the segments of `json` have words with times.")
    ] = False
    diarize: Annotated[bool, Meta(description="Label the speakers; costs CPU time.")] = False
    enable_diarization: Annotated[bool, Meta(description="The same as `diarize`.")] = False
    min_speakers: Annotated[
        _NumberOfSpeakers | None, Meta(description="Minimum of the estimated number of speakers.")
    ] = None
    max_speakers: Annotated[
        _NumberOfSpeakers | None, Meta(description="Maximum of the estimated number of speakers.")
    ] = None
    output: Annotated[
        str,
        Meta(description="Format of the response.", extra_json_schema={"enum": list(Output)}),
    ] = Output.TXT.value


_KNOWN = frozenset(
    {
        *AsrQuery.__struct_fields__,
        # No warning needed: voice detection is always on, and names of files are not logged.
        *("vad_filter", "video_file"),
    }
)


@dataclass(frozen=True, slots=True)
class AsrRequest:
    """A parsed query.

    Attributes:
        options: The options that affect the transcript.
        is_raw: Whether the audio is PCM16 without a header, mono at 16 kHz.
        output: The format of the response.
        has_words: Whether the segments of ``json`` have words.
        speakers: What is known of the speakers; ``None`` if they are not requested.
        warnings: Warnings about options that have no effect.
        vocabulary: Name of a vocabulary. An Auricle extension.
    """

    options: Options
    is_raw: bool = False
    output: Output = Output.TXT
    has_words: bool = False
    speakers: SpeakerOptions | None = None
    warnings: tuple[str, ...] = ()
    vocabulary: str = ""


def parse_asr(items: Iterable[tuple[str, str]]) -> AsrRequest:
    """Parse the query of ``/asr``; of repeated names, the last counts.

    Raises:
        BadRequest: A value is of the wrong type or not supported; the error names it.
    """
    items = list(items)
    query = convert_texts(items, AsrQuery, "query", is_lenient=True)
    output = _output(query)
    speakers = _speakers(query)
    has_subtitles = output in (Output.SRT, Output.VTT)
    if has_subtitles:
        format_of(query.output.lower(), "output")
    return AsrRequest(
        options=Options(
            language=_language(query),
            task=_task(query),
            initial_prompt=query.initial_prompt[-MAX_PROMPT_CHARACTERS:] or None,
            hotwords=_hotwords(query),
            word_timestamps=has_subtitles or query.word_timestamps,
            model=query.model,
            strict_language=query.strict_language,
        ),
        is_raw=not query.encode,
        output=output or Output.TXT,
        has_words=query.word_timestamps,
        speakers=speakers,
        warnings=_warnings(items, query, output),
        vocabulary=query.vocabulary,
    )


def parse_detection(items: Iterable[tuple[str, str]]) -> AsrRequest:
    """Parse the query of ``/detect-language``; all other options are ignored.

    Raises:
        BadRequest: A value is of the wrong type; the error names it.
    """
    query = convert_texts(items, DetectionQuery, "query", is_lenient=True)
    return AsrRequest(Options(sentence_times=False, model=query.model), is_raw=not query.encode)


def _output(query: AsrQuery) -> Output | None:
    """Return the format, or ``None`` for an unknown one."""
    return next((each for each in Output if each == query.output.lower()), None)


def _language(query: AsrQuery) -> str | None:
    try:
        return language_code(query.language)
    except BadRequest as error:
        raise BadRequest(str(error), "language") from None


def _task(query: AsrQuery) -> Task:
    try:
        return Task(query.task.lower())
    except ValueError:
        raise BadRequest(f"task must be one of {', '.join(Task)}.", "task") from None


def _hotwords(query: AsrQuery) -> tuple[str, ...]:
    words = tuple(filter(None, split_list("hotwords", query.hotwords)))
    if not are_valid_hotwords(words):
        raise BadRequest(f"Too many or too long hotwords; use {HOTWORD_LIMITS}.", "hotwords")
    return words


def _speakers(query: AsrQuery) -> SpeakerOptions | None:
    if not (query.diarize or query.enable_diarization):
        return None
    return SpeakerOptions(min_speakers=query.min_speakers, max_speakers=query.max_speakers)


def _warnings(
    items: Iterable[tuple[str, str]], query: AsrQuery, output: Output | None
) -> tuple[str, ...]:
    warnings = list(ignored_options(items, _KNOWN))
    if not (query.diarize or query.enable_diarization):
        given = (name for name in ("min_speakers", "max_speakers") if getattr(query, name))
        warnings += [f"{name} has no effect without diarize." for name in given]
    if output is None:
        warnings.append(f"output must be one of {', '.join(Output)}; {Output.TXT} is used.")
    return tuple(warnings)
