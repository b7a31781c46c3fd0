"""Parse the query of Deepgram's ``/v2/listen`` (Flux), and the thresholds of its ``Configure``.

As in ``/v1/listen``, parameters without effect are reported in a warning.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from auricle.apis.deepgram.wire.audio_input import WIRES
from auricle.apis.deepgram.wire.query import (
    LINEAR16,
    RAW_ENCODINGS,
    check_hotwords,
    parse_encoding,
    parse_redact,
)
from auricle.protocol.fields import convert_texts
from auricle.protocol.ignored import ignored_options
from auricle.values.commands import StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.languages import language_choice
from auricle.values.limits import (
    MAX_RATE_HZ,
    TELEPHONE_RATE_HZ,
    Languages,
    ModelName,
    RateHz,
    StrictLanguage,
    VocabularyName,
)
from auricle.values.types import SAMPLE_RATE_HZ, Redact, TurnDetection

ENGLISH_MODEL = "flux-general-en"
"""The model whose language is English; the language of all others is detected."""

EotThreshold = Annotated[float, Meta(ge=0.5, le=1.0)]
EagerEotThreshold = Annotated[float, Meta(ge=0.3, le=0.9)]
EotTimeoutMs = Annotated[int, Meta(ge=500, le=60_000)]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """When a turn ends; the ranges and defaults are Deepgram's.

    Attributes:
        eager_eot_threshold: Probability from which ``EagerEndOfTurn`` is sent; ``None``: never.
        eot_threshold: Probability from which a turn ends; at 1, only silence or the client ends it.
        eot_timeout_ms: Silence that ends a turn.
    """

    eager_eot_threshold: EagerEotThreshold | None = None
    eot_threshold: EotThreshold = 0.7
    eot_timeout_ms: EotTimeoutMs = 5000

    @property
    def turns(self) -> TurnDetection:
        """The same as an option of a session; an eager threshold is never above the other."""
        eager = self.eager_eot_threshold
        return TurnDetection(
            threshold=self.eot_threshold,
            eager_threshold=None if eager is None else min(eager, self.eot_threshold),
            limit_ms=self.eot_timeout_ms,
        )


class ChangedThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds of a ``Configure``: those that are absent are kept."""

    eager_eot_threshold: EagerEotThreshold | None | UnsetType = UNSET
    eot_threshold: EotThreshold | UnsetType = UNSET
    eot_timeout_ms: EotTimeoutMs | UnsetType = UNSET

    def applied_to(self, thresholds: Thresholds) -> Thresholds:
        """Return the thresholds after the change."""
        changes = {name: getattr(self, name) for name in self.__struct_fields__}
        changes = {name: value for name, value in changes.items() if value is not UNSET}
        return msgspec.structs.replace(thresholds, **changes)


class _Query(msgspec.Struct, kw_only=True):
    model: ModelName = ""
    sample_rate: RateHz | UnsetType = UNSET
    eager_eot_threshold: EagerEotThreshold | UnsetType = UNSET
    eot_threshold: EotThreshold | UnsetType = UNSET
    eot_timeout_ms: EotTimeoutMs | UnsetType = UNSET
    keyterm: tuple[str, ...] = ()
    language_hint: Languages = ()
    strict_language: StrictLanguage = False
    redact: tuple[str, ...] = ()
    numerals: bool = False
    vocabulary: VocabularyName = ""


_KNOWN = frozenset(
    {
        *_Query.__struct_fields__,
        "encoding",
        *("mip_opt_out", "tag"),  # nothing is stored or billed
    }
)


@dataclass(frozen=True, slots=True)
class ListenTurns:
    """A valid query.

    Attributes:
        encoding: One of ``ENCODINGS``; ``None`` for a container, whose format is detected.
        sample_rate_hz: Sample rate of raw samples.
        model: Name of the requested model; empty for the default.
        language: A language code; ``None`` to detect the language.
        languages: Language codes that detection is restricted to.
        language_hints: The hints as they were sent.
        strict_language: Whether text is never in another language than ``language``.
        thresholds: When a turn ends.
        keyterms: Words that the model should favour.
        redact: What to hide.
        writes_numerals: Whether English numbers are written in digits.
        warnings: Warnings about parameters that have no effect.
        vocabulary: Name of a vocabulary. An Auricle extension.
    """

    encoding: str | None
    sample_rate_hz: int
    model: str
    language: str | None
    languages: tuple[str, ...]
    language_hints: tuple[str, ...]
    thresholds: Thresholds
    keyterms: tuple[str, ...]
    strict_language: bool = False
    redact: tuple[Redact, ...] = ()
    writes_numerals: bool = False
    warnings: tuple[str, ...] = ()
    vocabulary: str = ""

    @property
    def detects_language(self) -> bool:
        """Whether the model is multilingual at Deepgram; then messages have the languages."""
        return self.model != ENGLISH_MODEL

    def with_hints(self, hints: Iterable[str]) -> "ListenTurns":
        """Return the query with other language hints; the English model has none.

        Raises:
            BadRequest: A hint is not a known language.
        """
        hints = tuple(hint.strip() for hint in hints if hint.strip())
        if not self.detects_language:
            return replace(self, language="en", languages=(), language_hints=())
        language, languages = language_choice(None, hints)
        return replace(self, language=language, languages=languages, language_hints=hints)


def parse_listen_turns(items: Iterable[tuple[str, str]]) -> ListenTurns:
    """Parse a query; names may be repeated.

    Args:
        items: Names and values.

    Raises:
        BadRequest: A value is of the wrong type, out of range or not supported.
    """
    items = list(items)
    encoding = parse_encoding(items)
    is_raw = encoding in RAW_ENCODINGS  # otherwise packets and headers define the sample rate
    used = [(name, text) for name, text in items if is_raw or name != "sample_rate"]
    query = convert_texts(used, _Query, "query", is_lenient=True)
    if encoding == LINEAR16 and query.sample_rate is UNSET:
        raise BadRequest("sample_rate is required with encoding=linear16.")
    changed = ChangedThresholds(
        eager_eot_threshold=query.eager_eot_threshold,
        eot_threshold=query.eot_threshold,
        eot_timeout_ms=query.eot_timeout_ms,
    )
    listen = ListenTurns(
        encoding=encoding,
        sample_rate_hz=query.sample_rate or (TELEPHONE_RATE_HZ if is_raw else MAX_RATE_HZ),
        model=query.model,
        language=None,
        languages=(),
        language_hints=(),
        thresholds=changed.applied_to(Thresholds()),
        keyterms=check_hotwords(query.keyterm),
        strict_language=query.strict_language,
        redact=parse_redact(query.redact),
        writes_numerals=query.numerals,
        warnings=ignored_options(items, _KNOWN),
        vocabulary=query.vocabulary,
    )
    return listen.with_hints(query.language_hint)


def parameters_of(query: ListenTurns) -> StreamParameters:
    """Return the stream parameters for a query."""
    turns = query.thresholds.turns
    return StreamParameters(
        format=WIRES[query.encoding],
        sample_rate=query.sample_rate_hz if query.encoding in RAW_ENCODINGS else SAMPLE_RATE_HZ,
        channels=1,
        model=query.model,
        language=query.language,
        languages=query.languages,
        strict_language=query.strict_language,
        hotwords=query.keyterms,
        partials=True,
        word_timestamps=True,
        turn_detection=True,
        turn_threshold=turns.threshold,
        turn_eager_threshold=turns.eager_threshold,
        turn_limit_ms=turns.limit_ms,
        redact=query.redact,
        vocabulary=query.vocabulary,
    )
