"""The options of a Vosk connection: from its URL, then from ``config`` messages.

``sample_rate``, ``phrase_list``, ``model``, ``words`` and ``max_alternatives`` are vosk-server's,
``language`` is Nextcloud's, ``strict_language`` Auricle's. ``punctuate=0`` returns plain lower-case
words, as Vosk's models do, for programs that compare the text.

Numbers may be text, because BigBlueButton sends the rate so. An option with an invalid value has no
effect and is reported, because the programs disconnect on errors; only an unusable sample rate is
an error, because all text would be wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auricle.protocol.ignored import ignored_options
from auricle.values.commands import StreamParameters, UpdateConfig
from auricle.values.errors import UnsupportedFormat
from auricle.values.events import Wire
from auricle.values.languages import language_code
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ, TELEPHONE_RATE_HZ, Hotwords, ModelName

UNKNOWN_WORD = "[unk]"
"""An entry of Vosk's phrase lists: all other words."""

_TYPES: Mapping[str, Any] = {
    "model": ModelName,
    "phrase_list": Hotwords,
    "words": bool,
    "max_alternatives": Annotated[int, Meta(ge=0)],
    "punctuate": bool,
    "strict_language": bool,
}
_KNOWN = frozenset({*_TYPES, "language", "sample_rate"})


@dataclass(frozen=True, slots=True)
class VoskOptions:
    """The options of a connection.

    Attributes:
        sample_rate_hz: Sample rate of the audio; vosk-server's default is 8 kHz.
        language: Language code; ``None`` detects the language.
        strict_language: Whether text is never in another language than ``language``.
        model: Name of the model; empty for the default.
        hotwords: The phrase list: words that the model should expect.
        has_words: Whether results have words with times.
        has_alternatives: Whether results are lists of alternatives; there is only one.
        punctuates: Whether text has capitals and punctuation.
    """

    sample_rate_hz: int = TELEPHONE_RATE_HZ
    language: str | None = None
    model: str = ""
    hotwords: tuple[str, ...] = ()
    has_words: bool = True
    has_alternatives: bool = False
    punctuates: bool = True
    strict_language: bool = False

    def merged(self, values: Mapping[str, object]) -> tuple["VoskOptions", tuple[str, ...]]:
        """Return these options with a client's changes, and warnings about those without effect.

        ``language`` is not among the changes; see :meth:`with_language`.

        Raises:
            UnsupportedFormat: The sample rate is unusable.
        """
        warnings = ignored_options(((name, repr(value)) for name, value in values.items()), _KNOWN)
        changes: dict[str, Any] = {}
        for name, kind in _TYPES.items():
            if name not in values:
                continue
            try:
                changes[name] = msgspec.convert(values[name], kind, strict=False)
            except msgspec.ValidationError:
                warnings += (f"{name} is invalid and has no effect.",)
        options = replace(
            self,
            model=changes.get("model", self.model),
            has_words=changes.get("words", self.has_words),
            has_alternatives=bool(changes.get("max_alternatives", self.has_alternatives)),
            punctuates=changes.get("punctuate", self.punctuates),
            strict_language=changes.get("strict_language", self.strict_language),
        )
        if "phrase_list" in changes:
            phrases = tuple(phrase for phrase in changes["phrase_list"] if phrase != UNKNOWN_WORD)
            options = replace(options, hotwords=phrases)
        if "sample_rate" in values:
            options = replace(options, sample_rate_hz=_rate_hz(values["sample_rate"]))
        return options, warnings

    def with_language(self, language: object) -> "VoskOptions":
        """Return these options with another language.

        Raises:
            BadRequest: The language is unknown.
        """
        return replace(self, language=language_code(str(language)))

    def parameters(self) -> StreamParameters:
        """Return the stream parameters for a new session."""
        return StreamParameters(
            format=Wire.PCM16,
            sample_rate=self.sample_rate_hz,
            model=self.model,
            language=self.language,
            strict_language=self.strict_language,
            hotwords=self.hotwords,
            word_timestamps=True,
        )

    def update_command(self) -> UpdateConfig:
        """Return the command that applies these options to a running session."""
        return UpdateConfig(
            sample_rate=self.sample_rate_hz,
            model=self.model,
            language=self.language,
            strict_language=self.strict_language,
            hotwords=self.hotwords,
        )


def _rate_hz(value: object) -> int:
    try:
        rate_hz = msgspec.convert(value, float, strict=False)
    except msgspec.ValidationError:
        rate_hz = 0.0
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise UnsupportedFormat(f"sample_rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz.")
    return round(rate_hz)
