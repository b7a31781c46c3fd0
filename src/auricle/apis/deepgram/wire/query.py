"""Parse the query of Deepgram's ``/v1/listen``.

Unknown parameters and parameters of unsupported features have no effect and are reported in a
warning, if the transcript is useful without them. Redaction of what can't be hidden is rejected,
because a text that looks redacted and isn't does harm. Messages name the
parameter and its valid values, and never repeat the value that was sent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from auricle.protocol.fields import convert_texts, split_list
from auricle.protocol.ignored import ignored_options
from auricle.text.filters.registry import TextFilters, open_filters
from auricle.values.errors import BadRequest
from auricle.values.languages import language_choice
from auricle.values.limits import (
    DEFAULT_ENDPOINT_MS,
    HOTWORD_LIMITS,
    MAX_ENDPOINT_MS,
    MAX_RATE_HZ,
    TELEPHONE_RATE_HZ,
    Channels,
    Language,
    Languages,
    ModelName,
    RateHz,
    StrictLanguage,
    VocabularyName,
    are_valid_hotwords,
)
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import Redact, SpeakerOptions

LINEAR16, MULAW, ALAW, OPUS, OGG_OPUS = "linear16", "mulaw", "alaw", "opus", "ogg-opus"
FLAC = "flac"
RAW_ENCODINGS = frozenset({LINEAR16, MULAW, ALAW})
"""Samples without a header: their sample rate must be given."""
ENCODINGS = (LINEAR16, MULAW, ALAW, OPUS, OGG_OPUS)

MIN_ENDPOINT_MS = 300
"""Minimum, and default. At Deepgram, a silence (10 ms by default) ends a result; here the audio is
cut, and a cut at a short breath degrades words."""
MAX_SILENCE_MS = 3_600_000
MAX_TERMS = 100
"""Maximum number of `replace`, and of `search`."""
MAX_UTT_SPLIT_S = 60.0

_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})
CALLBACK_METHODS = ("POST", "PUT")
_REDACT = {kind.value: kind for kind in Redact} | {
    **dict.fromkeys(("true", "1", "yes", "aggressive_numbers"), Redact.NUMBERS),
    **dict.fromkeys(("credit_card", "credit_card_expiration", "cvv", "bank_account"), Redact.PCI),
    "email_address": Redact.EMAIL,
    "phone_number": Redact.PHONE,
}
"""Deepgram's names of what can be hidden; one name of a group hides all of it."""
DIARIZE_MODELS = ("latest", "v1", "v2")


class FileQuery(msgspec.Struct, kw_only=True):
    """The parameters of a file; their types are their validation and OpenAPI schema."""

    encoding: Annotated[
        str | UnsetType,
        Meta(
            description="Encoding of raw audio; omit it for files with a header.",
            extra_json_schema={"enum": [FLAC, *sorted(RAW_ENCODINGS), OGG_OPUS]},
        ),
    ] = UNSET
    sample_rate: Annotated[
        RateHz | UnsetType,
        Meta(description=f"Sample rate of raw audio, in Hz; required for `{LINEAR16}`."),
    ] = UNSET
    channels: Annotated[
        Channels,
        Meta(
            description="Channels of raw audio; they are mixed without `multichannel`.",
        ),
    ] = 1
    multichannel: Annotated[
        bool, Meta(description="Transcribe each channel apart, up to 8 of them.")
    ] = False
    model: Annotated[
        ModelName,
        Meta(description="Name of a model; Deepgram's own names mean the default model."),
    ] = ""
    language: Annotated[
        Language,
        Meta(description="Language code or English name; `multi` or `auto` to detect it."),
    ] = "en"
    detect_language: Annotated[
        Languages,
        Meta(
            description="`true` to detect the language, or the languages that detection is "
            "restricted to."
        ),
    ] = ()
    strict_language: StrictLanguage = False
    keyterm: Annotated[
        tuple[str, ...], Meta(description="Words that the model should favour.")
    ] = ()
    keywords: Annotated[
        tuple[str, ...], Meta(description="As `keyterm`; weights after a colon are ignored.")
    ] = ()
    vocabulary: Annotated[
        VocabularyName, Meta(description="Name of a vocabulary of the key. An extension.")
    ] = ""
    smart_format: Annotated[bool, Meta(description="Add punctuation and paragraphs.")] = False
    punctuate: Annotated[bool, Meta(description="Add punctuation and capital letters.")] = False
    paragraphs: Annotated[bool, Meta(description="Return paragraphs and their sentences.")] = False
    utterances: Annotated[bool, Meta(description="Return utterances, split at silences.")] = False
    diarize: Annotated[
        bool, Meta(description="Label words with their speakers; costs CPU time.")
    ] = False
    diarize_model: Annotated[
        str,
        Meta(
            description="The same as `diarize=true`; all names mean this server's only diarizer.",
            extra_json_schema={"enum": list(DIARIZE_MODELS)},
        ),
    ] = ""
    utt_split: Annotated[
        float,
        Meta(
            gt=0, le=MAX_UTT_SPLIT_S, description="Minimum silence between utterances, in seconds."
        ),
    ] = 0.8  # Deepgram's
    redact: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"enum": [*Redact]})], ...],
        Meta(description="Private data to hide."),
    ] = ()
    numerals: Annotated[bool, Meta(description="Write English numbers in digits.")] = False
    replace: Annotated[
        tuple[str, ...],
        Meta(max_length=MAX_TERMS, description="`FIND:REPLACE`: words to write in another way."),
    ] = ()
    search: Annotated[
        tuple[str, ...],
        Meta(max_length=MAX_TERMS, description="Words whose places are returned."),
    ] = ()
    tag: Annotated[tuple[str, ...], Meta(description="Tags, returned in the metadata.")] = ()
    callback: Annotated[
        str, Meta(description="URL to which the transcript is sent; the response is a request id.")
    ] = ""
    callback_method: Annotated[
        str,
        Meta(
            description="HTTP method of the callback.",
            extra_json_schema={"enum": list(CALLBACK_METHODS)},  # in any case
        ),
    ] = "POST"


class _Query(FileQuery, kw_only=True):
    """Also the parameters of a live stream, and those that are rejected."""

    dictation: bool = False
    interim_results: bool = False
    vad_events: bool = False
    endpointing: str = "true"
    utterance_end_ms: str = "false"


_KNOWN = frozenset(
    {
        *_Query.__struct_fields__,
        # No warning needed: they choose among Deepgram's models, and nothing is stored or billed.
        *("version", "tier", "no_delay", "mip_opt_out"),
    }
)


@dataclass(frozen=True, slots=True)
class Listen:
    """A valid query.

    Attributes:
        encoding: One of ``ENCODINGS``; ``None`` for a container, whose format is detected.
        sample_rate_hz: Sample rate of raw samples.
        channels: Number of channels of raw samples.
        is_multichannel: Whether channels are transcribed apart; otherwise they are mixed.
        language: A language code; ``None`` to detect the language.
        languages: Language codes that detection is restricted to.
        strict_language: Whether text is never in another language than ``language``.
        callback: URL to which the transcript of a file is sent; empty if there is none.
        callback_method: HTTP method of the callback.
        model: Name of the requested model; empty for the default.
        hotwords: Keyterms, and keywords without their weights.
        wants_interim: Whether to send partials.
        endpoint_ms: Silence that ends an utterance.
        sends_endpoints: Whether to send ``speech_final`` at endpoints.
        utterance_end_ms: Silence after the last word that triggers ``UtteranceEnd``.
        wants_speech_started: Whether to send ``SpeechStarted``.
        punctuates: Whether the text has punctuation and capitals.
        wants_paragraphs: Whether the transcript of a file has paragraphs.
        wants_utterances: Whether the transcript of a file has utterances.
        utt_split_s: Silence between two utterances of a file.
        tags: Returned in the metadata of a file.
        warnings: Warnings about parameters that have no effect.
        speakers: ``None`` if speakers are not requested.
        redact: What to hide.
        writes_numerals: Whether English numbers are written in digits.
        replacements: Words, and what is written instead.
        search: Terms whose places are returned.
        vocabulary: Name of a vocabulary.
    """

    encoding: str | None
    sample_rate_hz: int
    channels: int
    language: str | None
    hotwords: tuple[str, ...]
    wants_interim: bool
    endpoint_ms: int
    sends_endpoints: bool
    utterance_end_ms: int | None
    wants_speech_started: bool
    punctuates: bool
    wants_paragraphs: bool
    wants_utterances: bool
    utt_split_s: float
    tags: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    strict_language: bool = False
    callback: str = ""
    callback_method: str = "POST"
    model: str = ""
    is_multichannel: bool = False
    speakers: SpeakerOptions | None = None
    redact: tuple[Redact, ...] = ()
    writes_numerals: bool = False
    replacements: tuple[tuple[str, str], ...] = ()
    search: tuple[str, ...] = ()
    vocabulary: str = ""

    @property
    def separate_channels(self) -> int:
        """Number of channels of a live stream that are transcribed apart; 1 if they are mixed."""
        return self.channels if self.is_multichannel else 1


def parse_listen(
    items: Iterable[tuple[str, str]], default_endpoint_ms: int = DEFAULT_ENDPOINT_MS
) -> Listen:
    """Parse a query; names may be repeated.

    Args:
        items: Names and values.
        default_endpoint_ms: Used if endpointing is off: utterances still end, but ``speech_final``
            is not sent.

    Raises:
        BadRequest: A value is of the wrong type, out of range or not supported.
    """
    # FLAC has a header.
    items = [item for item in items if (item[0], item[1].strip().lower()) != ("encoding", FLAC)]
    encoding = parse_encoding(items)
    is_raw = encoding in RAW_ENCODINGS  # otherwise packets and headers define the sample rate
    used = [(name, text) for name, text in items if is_raw or name != "sample_rate"]
    query = convert_texts(used, _Query, "query", is_lenient=True)
    if query.diarize_model not in ("", *DIARIZE_MODELS):
        raise BadRequest(f"diarize_model must be one of {', '.join(DIARIZE_MODELS)}.")
    if query.multichannel and (query.diarize or query.diarize_model):
        raise BadRequest("multichannel and diarize exclude each other: a channel is one speaker.")
    if query.callback_method.upper() not in CALLBACK_METHODS:
        raise BadRequest(f"callback_method must be one of {', '.join(CALLBACK_METHODS)}.")
    if encoding == LINEAR16 and query.sample_rate is UNSET:
        raise BadRequest("sample_rate is required with encoding=linear16.")
    replacements = _replacements(query.replace)
    message_filters(writes_numerals=query.numerals, replacements=replacements)
    term_filters(query.search)
    endpoint_ms = _endpoint_ms(query)
    language, languages = _languages(query)
    return Listen(
        encoding=encoding,
        sample_rate_hz=query.sample_rate or (TELEPHONE_RATE_HZ if is_raw else MAX_RATE_HZ),
        channels=query.channels,
        is_multichannel=query.multichannel,
        language=language,
        languages=languages,
        strict_language=query.strict_language,
        hotwords=_hotwords(query),
        wants_interim=query.interim_results,
        endpoint_ms=default_endpoint_ms if endpoint_ms is None else endpoint_ms,
        sends_endpoints=endpoint_ms is not None,
        utterance_end_ms=_silence_ms("utterance_end_ms", query.utterance_end_ms),
        wants_speech_started=query.vad_events,
        punctuates=query.smart_format or query.punctuate or query.dictation,
        wants_paragraphs=query.smart_format or query.paragraphs,
        wants_utterances=query.utterances,
        utt_split_s=query.utt_split,
        tags=query.tag,
        warnings=(*ignored_options(items, _KNOWN), *_limits_of(query, language)),
        callback=query.callback if _is_enabled((query.callback,)) else "",
        callback_method=query.callback_method.upper(),
        model=query.model,
        speakers=SpeakerOptions() if query.diarize or query.diarize_model else None,
        redact=parse_redact(query.redact),
        writes_numerals=query.numerals,
        replacements=replacements,
        search=tuple(dict.fromkeys(filter(str.strip, query.search))),
        vocabulary=query.vocabulary,
    )


def _limits_of(query: _Query, language: str | None) -> Iterator[str]:
    """Yield a warning for each feature that has only a part of its effect."""
    if query.numerals and language not in (None, "en"):
        yield "numerals has an effect on English only."
    if query.dictation:
        yield "dictation adds punctuation, but spoken commands stay words."
    if any(term and _is_number(weight) for term, _, weight in map(_weighed, query.keywords)):
        yield "Weights of keywords have no effect, and keywords with a negative one are ignored."


def parse_redact(values: Iterable[str]) -> tuple[Redact, ...]:
    """Return what to hide, for values that may be repeated or separated by commas.

    Raises:
        BadRequest: A value names what can't be hidden.
        UnsupportedOption: This installation hides nothing.
    """
    names = [name.lower() for value in values for name in split_list("redact", value)]
    names = [name for name in names if name not in _FALSE]
    if any(name not in _REDACT for name in names):
        raise BadRequest(f"redact must be {', '.join(Redact)}; nothing else can be hidden.")
    kinds = tuple(dict.fromkeys(_REDACT[name] for name in names))
    open_filters(redaction(kinds))
    return kinds


def message_filters(
    *, writes_numerals: bool, replacements: Iterable[tuple[str, str]] = ()
) -> TextFilters:
    """Return what writes English numbers in digits and replaces words, if a client wants it.

    Messages have digits, kept transcripts do not: a client may change this during a session.

    Args:
        writes_numerals: Whether numbers are written in digits.
        replacements: Words, and what is written instead.

    Raises:
        UnsupportedOption: This installation lacks one of the filters.
    """
    choices = [FilterChoice("numerals")] if writes_numerals else []
    if changes := [{"from": old, "to": new} for old, new in replacements]:
        choices.append(FilterChoice.of("correction", {"replacements": changes}))
    return open_filters(choices)


def term_filters(terms: Iterable[str]) -> TextFilters:
    """Return what writes words that sound like a term as this term.

    Raises:
        UnsupportedOption: This installation lacks the filter.
    """
    found = [{"term": term} for term in terms]
    return open_filters([FilterChoice.of("correction", {"terms": found})] if found else [])


def _replacements(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return words and what is written instead, for ``FIND:REPLACE``; ``FIND`` removes them."""
    parts = (value.partition(":") for value in values)
    changes = tuple((find.strip(), new.strip()) for find, _, new in parts)
    if any(not find for find, _ in changes):
        raise BadRequest("replace must be FIND:REPLACE; an empty REPLACE removes the words.")
    return changes


def check_hotwords(words: Iterable[str]) -> tuple[str, ...]:
    """Return keyterms as hotwords.

    Raises:
        BadRequest: There are too many terms, or one is too long.
    """
    terms = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if not are_valid_hotwords(terms):
        raise BadRequest(f"Too many or too long keyterm and keywords; use {HOTWORD_LIMITS}.")
    return terms


def parse_encoding(items: Iterable[tuple[str, str]]) -> str | None:
    """Return the ``encoding`` of a query; ``None`` for a container.

    Raises:
        BadRequest: It is unknown.
    """
    texts = [text.strip().lower() for name, text in items if name == "encoding" and text.strip()]
    if texts and texts[-1] not in ENCODINGS:
        raise BadRequest(
            f"encoding must be one of {', '.join(ENCODINGS)}; omit it for a container."
        )
    return texts[-1] if texts else None


def _is_enabled(texts: tuple[str, ...]) -> bool:
    return any(text.lower() not in _FALSE for text in texts)


def _silence_ms(name: str, text: str) -> int | None:
    """Return a silence in milliseconds, or ``None`` if it is disabled."""
    if text.lower() in ("false", "no"):
        return None
    silence_ms = int(text) if text.isdecimal() and len(text) < 10 else -1
    if not 0 <= silence_ms <= MAX_SILENCE_MS:
        raise BadRequest(f"{name} must be a whole number from 0 to {MAX_SILENCE_MS}.")
    return silence_ms


def _endpoint_ms(query: _Query) -> int | None:
    """Return the silence that ends an utterance, or ``None`` if endpointing is off."""
    if query.endpointing.lower() == "true":
        return MIN_ENDPOINT_MS
    silence_ms = _silence_ms("endpointing", query.endpointing)
    return None if silence_ms is None else min(max(silence_ms, MIN_ENDPOINT_MS), MAX_ENDPOINT_MS)


def _languages(query: _Query) -> tuple[str | None, tuple[str, ...]]:
    """Return the language, or the languages that ``detect_language`` restricts detection to."""
    if _is_enabled(query.detect_language):
        named = [text for text in query.detect_language if text.lower() not in _TRUE]
        return language_choice(None, named)
    return language_choice(query.language, ())


def _hotwords(query: _Query) -> tuple[str, ...]:
    weighed = [_weighed(value) for value in query.keywords]
    # `word:-3` means to avoid a word, which is not supported.
    keywords = [
        term if term and _is_number(weight) else f"{term}{colon}{weight}"
        for term, colon, weight in weighed
        if not (term and _is_number(weight) and weight.startswith("-"))
    ]
    return check_hotwords([*query.keyterm, *keywords])


def _weighed(keyword: str) -> tuple[str, str, str]:
    """Return a keyword without its weight, the colon, and the weight, if it has one."""
    return keyword.rpartition(":")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
