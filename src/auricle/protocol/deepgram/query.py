"""Parse the query of Deepgram's ``/v1/listen``.

Unknown parameters and parameters of unsupported features have no effect and are reported in a
warning, if the transcript is useful without them. Other unsupported features (redaction, callbacks,
separate channels) are rejected. Messages name the parameter and its valid values, and never repeat
the value that was sent.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from auricle.commands import MAX_HOTWORDS
from auricle.errors import BadRequest
from auricle.languages import language_choice
from auricle.limits import DEFAULT_ENDPOINT_MS, MAX_ENDPOINT_MS
from auricle.protocol.ignored import ignored_options

LINEAR16, MULAW, ALAW, OPUS, OGG_OPUS = "linear16", "mulaw", "alaw", "opus", "ogg-opus"
RAW_ENCODINGS = frozenset({LINEAR16, MULAW, ALAW})
"""Samples without a header: their sample rate must be given."""
ENCODINGS = (LINEAR16, MULAW, ALAW, OPUS, OGG_OPUS)
_TELEPHONE_RATE_HZ = 8_000
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000

MIN_ENDPOINT_MS = 300
"""Minimum, and default. At Deepgram, a silence (10 ms by default) ends a result; here the audio is
cut, and a cut at a short breath degrades words."""
MAX_SILENCE_MS = 3_600_000

MAX_HOTWORD_CHARACTERS = 100
DEFAULT_LANGUAGE = "en"
MAX_UTT_SPLIT_S = 60.0
DEFAULT_UTT_SPLIT_S = 0.8  # Deepgram's

_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})
_REFUSED = {
    "redact": "redact is not supported; text is not redacted.",
    "callback": "callback is not supported; results are sent over this connection.",
}


_KNOWN = frozenset(
    {
        *("encoding", "sample_rate", "channels", "multichannel", "language", "detect_language"),
        *("keyterm", "keywords", "interim_results", "endpointing", "utterance_end_ms"),
        *("vad_events", "punctuate", "smart_format", "dictation", "paragraphs", "utterances"),
        *("utt_split", "tag", "redact", "callback"),
        # No warning needed: the loaded model is used, and nothing is stored or billed.
        *("model", "version", "tier", "no_delay", "mip_opt_out", "callback_method"),
    }
)


@dataclass(frozen=True, slots=True)
class Listen:
    """A valid query.

    Attributes:
        encoding: One of ``ENCODINGS``; ``None`` for a container, whose format is detected.
        sample_rate_hz: Sample rate of raw samples.
        channels: Number of channels; two are mixed.
        language: A Whisper language code; ``None`` to detect the language.
        languages: Language codes that detection is restricted to.
        hotwords: Keyterms, and keywords without their weights.
        wants_interim: Whether to send partials.
        endpoint_ms: Silence that ends an utterance.
        tells_endpoints: Whether to send ``speech_final`` at endpoints.
        utterance_end_ms: Silence after the last word that triggers ``UtteranceEnd``.
        wants_speech_started: Whether to send ``SpeechStarted``.
        punctuates: Whether the text has punctuation and capitals.
        wants_paragraphs: Whether the transcript of a file has paragraphs.
        wants_utterances: Whether the transcript of a file has utterances.
        utt_split_s: Silence between two utterances of a file.
        tags: Returned in the metadata of a file.
        warnings: Warnings about parameters that have no effect.
    """

    encoding: str | None
    sample_rate_hz: int
    channels: int
    language: str | None
    hotwords: tuple[str, ...]
    wants_interim: bool
    endpoint_ms: int
    tells_endpoints: bool
    utterance_end_ms: int | None
    wants_speech_started: bool
    punctuates: bool
    wants_paragraphs: bool
    wants_utterances: bool
    utt_split_s: float
    tags: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


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
    query = _Query(items)
    for name, why_not in _REFUSED.items():
        if query.has(name):
            raise BadRequest(why_not)
    encoding = query.text("encoding")
    if encoding is not None and encoding not in ENCODINGS:
        raise BadRequest(
            f"encoding must be one of {', '.join(ENCODINGS)}; omit it for a container."
        )
    channels = query.whole("channels", 1, 1, 2)
    if query.flag("multichannel") and channels != 1:
        raise BadRequest("multichannel is not supported; omit it to mix the channels.")
    is_smart = query.flag("smart_format")
    endpoint_ms = query.endpoint_ms()
    language, languages = _languages(query)
    return Listen(
        encoding=encoding,
        sample_rate_hz=_rate_hz(query, encoding),
        channels=channels,
        language=language,
        languages=languages,
        hotwords=_hotwords(query),
        wants_interim=query.flag("interim_results"),
        endpoint_ms=default_endpoint_ms if endpoint_ms is None else endpoint_ms,
        tells_endpoints=endpoint_ms is not None,
        utterance_end_ms=query.silence_ms("utterance_end_ms"),
        wants_speech_started=query.flag("vad_events"),
        punctuates=is_smart or query.flag("punctuate") or query.flag("dictation"),
        wants_paragraphs=is_smart or query.flag("paragraphs"),
        wants_utterances=query.flag("utterances"),
        utt_split_s=query.seconds("utt_split", DEFAULT_UTT_SPLIT_S, MAX_UTT_SPLIT_S),
        tags=query.texts("tag"),
        warnings=ignored_options(query.items(), _KNOWN),
    )


def check_hotwords(words: Iterable[str]) -> tuple[str, ...]:
    """Return keyterms as hotwords.

    Raises:
        BadRequest: There are too many terms, or one is too long.
    """
    found = tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    if len(found) > MAX_HOTWORDS or any(len(word) > MAX_HOTWORD_CHARACTERS for word in found):
        raise BadRequest(
            f"Too many or too long keyterms; use at most {MAX_HOTWORDS} keyterm and keywords of at "
            f"most {MAX_HOTWORD_CHARACTERS} characters."
        )
    return found


class _Query:
    """Query values by name, with typed accessors."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = defaultdict(list)
        for name, value in items:
            self._values[name].append(value.strip())

    def items(self) -> Iterable[tuple[str, str]]:
        return ((name, value) for name, values in self._values.items() for value in values)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self._values.get(name, ()) if value)

    def text(self, name: str) -> str | None:
        found = self.texts(name)
        return found[-1].lower() if found else None

    def has(self, name: str) -> bool:
        return any(value.lower() not in _FALSE for value in self._values.get(name, ()))

    def flag(self, name: str) -> bool:
        value = self.text(name) or ""
        if value not in _TRUE | _FALSE:
            raise BadRequest(f"{name} must be true or false.")
        return value in _TRUE

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name)
        if value is None:
            return default
        number = int(value) if value.isdecimal() and len(value) < 10 else -1
        if not least <= number <= most:
            raise BadRequest(f"{name} must be a whole number from {least} to {most}.")
        return number

    def silence_ms(self, name: str) -> int | None:
        """Return a silence in milliseconds, or ``None`` if it is absent or false."""
        value = self.text(name)
        if value in (None, "false", "no"):
            return None
        return self.whole(name, 0, 0, MAX_SILENCE_MS)

    def endpoint_ms(self) -> int | None:
        """Return the silence that ends an utterance, or ``None`` if endpointing is off."""
        if self.text("endpointing") in (None, "true"):
            return MIN_ENDPOINT_MS
        given_ms = self.silence_ms("endpointing")
        if given_ms is None:
            return None
        return min(max(given_ms, MIN_ENDPOINT_MS), MAX_ENDPOINT_MS)

    def seconds(self, name: str, default: float, most: float) -> float:
        value = self.text(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 < number <= most:  # also rejects NaN
            raise BadRequest(f"{name} must be a number of seconds above 0 and at most {most:g}.")
        return number


def _rate_hz(query: _Query, encoding: str | None) -> int:
    if encoding == LINEAR16 and not query.has("sample_rate"):
        raise BadRequest("sample_rate is required with encoding=linear16.")
    if encoding in RAW_ENCODINGS:
        return query.whole("sample_rate", _TELEPHONE_RATE_HZ, MIN_RATE_HZ, MAX_RATE_HZ)
    return MAX_RATE_HZ  # unused: packets and headers define it


def _languages(query: _Query) -> tuple[str | None, tuple[str, ...]]:
    """Return the language, or the languages that ``detect_language`` restricts detection to."""
    if query.has("detect_language"):
        named = [each for each in query.texts("detect_language") if each.lower() not in _TRUE]
        return language_choice(None, named)
    return language_choice(query.text("language") or DEFAULT_LANGUAGE, ())


def _hotwords(query: _Query) -> tuple[str, ...]:
    weighed = [value.rpartition(":") for value in query.texts("keywords")]
    # `word:-3` means to avoid a word, which is not supported.
    keywords = [
        term if term and _is_number(weight) else f"{term}{colon}{weight}"
        for term, colon, weight in weighed
        if not (term and _is_number(weight) and weight.startswith("-"))
    ]
    return check_hotwords([*query.texts("keyterm"), *keywords])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
