"""The configuration of an OpenAI Realtime transcription session.

Merge rule: an omitted field keeps its value, and an explicit ``null`` disables it. Both event names
accept the GA format (``audio.input.…``) and the beta format (top-level ``input_audio_…``).
Unsupported options (noise reduction, logprobs, delay) are accepted and ignored, and numbers out of
range are clamped, because some clients disconnect on any error.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from auricle.protocol.dialect import Law
from auricle.protocol.fields import decode_json
from auricle.values.commands import StreamParameters, UpdateConfig
from auricle.values.errors import BadRequest
from auricle.values.events import Wire
from auricle.values.languages import language_choice
from auricle.values.limits import (
    DEFAULT_ENDPOINT_MS,
    HOTWORD_LIMITS,
    MAX_ENDPOINT_MS,
    MAX_MODEL_CHARACTERS,
    MAX_PROMPT_CHARACTERS,
    MAX_RATE_HZ,
    MIN_ENDPOINT_MS,
    MIN_RATE_HZ,
    TELEPHONE_RATE_HZ,
    are_valid_hotwords,
)
from auricle.values.types import SAMPLE_BYTES, TurnDetection

PCM_RATE_HZ = 24_000
DEFAULT_MODEL = "whisper-1"

_EAGERNESS_MS = {"low": 1000, "medium": 700, "auto": 700, "high": 400}
"""Silence that ends a ``semantic_vad`` turn whose end can't be judged."""
_EAGERNESS_LIMIT_MS = {"low": 8000, "medium": 4000, "auto": 4000, "high": 2000}
"""Silence that ends one that does not sound finished (OpenAI's SDK 3.57)."""
_WITHOUT_TURNS = ("gpt-realtime-whisper", "gpt-live-transcribe")
"""Models without turn detection at OpenAI: their clients commit without disabling it."""
DIARIZE_MODEL = "gpt-4o-transcribe-diarize"
"""A model with this name assigns speakers: each final is followed by segments with them."""
_CONVERSATION = "realtime"
"""Type of a session; Jigasi asks for it, and never commits."""
_LAWS = {"audio/pcm": None, "audio/pcmu": Law.MU, "audio/pcma": Law.A}
_BETA_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_BETA_NAMES = {name: beta for beta, name in _BETA_FORMATS.items()}

Number = int | float


class ConfigError(BadRequest):
    """Invalid session configuration; ``reason`` is OpenAI's error code."""

    def __init__(self, message: str, field: str, reason: str = "invalid_value") -> None:
        super().__init__(message, field)
        self.reason = reason


class _Format(msgspec.Struct):
    type: str = "audio/pcm"
    rate: int | None = None


class _Transcription(msgspec.Struct):
    model: str | None | UnsetType = UNSET
    language: str | None | UnsetType = UNSET
    languages: list[str] | None | UnsetType = UNSET
    strict_language: bool | None | UnsetType = UNSET
    prompt: str | None | UnsetType = UNSET
    keywords: list[str] | None | UnsetType = UNSET


class _TurnDetection(msgspec.Struct):
    type: str | UnsetType = UNSET
    silence_duration_ms: Number | None | UnsetType = UNSET
    eagerness: str | None | UnsetType = UNSET


class _Input(msgspec.Struct):
    format: _Format | None | UnsetType = UNSET
    transcription: _Transcription | None | UnsetType = UNSET
    turn_detection: _TurnDetection | None | UnsetType = UNSET


class _Audio(msgspec.Struct):
    input: _Input | None = None


class SessionFields(msgspec.Struct):
    """The session object from a client, in the GA or the beta format."""

    type: str | None = None
    audio: _Audio | None = None
    input_audio_format: str | None | UnsetType = UNSET
    input_audio_transcription: _Transcription | None | UnsetType = UNSET
    turn_detection: _TurnDetection | None | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class RealtimeConfig:
    """The configuration of a session.

    Attributes:
        format: The audio type, by its GA name.
        rate_hz: Sample rate of the audio.
        model: The model name from the client; the session resolves it.
        language: A supported language code.
        languages: Language codes that detection is restricted to.
        strict_language: Whether text is never in another language than ``language``.
        prompt: Text that the model treats as preceding text.
        keywords: Words that the model should expect.
        turn_detection: ``server_vad``, ``semantic_vad``, or ``None`` for manual commits.
        silence_ms: Silence that ends a turn.
        eagerness: The eagerness of ``semantic_vad``.
        has_chosen_turns: Whether the client configured turn detection.
        is_conversation: Whether the client asked for a conversation, which has turn detection with
            any model. Only the speech of the user is transcribed.
        default_endpoint_ms: The server's silence that ends an utterance.
    """

    format: str = "audio/pcm"
    rate_hz: int = PCM_RATE_HZ
    model: str = DEFAULT_MODEL
    language: str | None = None
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    turn_detection: str | None = "server_vad"
    silence_ms: int = DEFAULT_ENDPOINT_MS
    eagerness: str = "auto"
    languages: tuple[str, ...] = ()
    strict_language: bool = False
    has_chosen_turns: bool = field(default=False, compare=False)
    is_conversation: bool = field(default=False, compare=False)
    default_endpoint_ms: int = DEFAULT_ENDPOINT_MS

    @property
    def law(self) -> Law | None:
        """The companding law of the samples; ``None`` for PCM."""
        return _LAWS[self.format]

    def bytes_in(self, duration_s: float) -> int:
        """Return the size of audio of this duration."""
        return int(duration_s * self.rate_hz) * (SAMPLE_BYTES if self.law is None else 1)

    @property
    def wants_speakers(self) -> bool:
        """Whether to assign speakers."""
        return self.model.startswith(DIARIZE_MODEL)

    @property
    def endpoint_ms(self) -> int:
        """Silence that ends an utterance; a manually committed turn may have several."""
        match self.turn_detection:
            case "server_vad":
                return self.silence_ms
            case "semantic_vad":
                return _EAGERNESS_MS[self.eagerness]
            case _:
                return self.default_endpoint_ms

    @property
    def turns(self) -> TurnDetection | None:
        """How the ends of turns are detected; ``None``: by silence, or by commits."""
        if self.turn_detection != "semantic_vad":
            return None
        return TurnDetection(limit_ms=_EAGERNESS_LIMIT_MS[self.eagerness])

    def parameters(self) -> StreamParameters:
        """Return the stream parameters for a new session."""
        return StreamParameters(
            format=Wire.PCM16,
            sample_rate=self.rate_hz,
            model=self.model,
            language=self.language,
            languages=self.languages,
            strict_language=self.strict_language,
            prompt=self.prompt,
            hotwords=self.keywords,
            endpoint_ms=self.endpoint_ms,
            speakers=self.wants_speakers,
            turn_limit_ms=None if self.turns is None else self.turns.limit_ms,
        )

    def update_command(self) -> UpdateConfig:
        """Return the command that applies this configuration to a running session."""
        return UpdateConfig(
            sample_rate=self.rate_hz,
            model=self.model,
            language=self.language,
            languages=self.languages,
            strict_language=self.strict_language,
            prompt=self.prompt,
            hotwords=self.keywords,
            endpoint_ms=self.endpoint_ms,
            speakers=self.wants_speakers,
            turns=self.turns,
        )

    def merged(self, fields: SessionFields) -> "RealtimeConfig":
        """Return this configuration with the changes from a client.

        Raises:
            ConfigError: A field is invalid.
        """
        audio_input = (fields.audio and fields.audio.input) or _Input()
        config = self
        if fields.type is not None:
            is_conversation = fields.type == _CONVERSATION
            config = replace(config, is_conversation=is_conversation).with_model(self.model)
        if audio_input.format is not UNSET:
            config = config._with_format(audio_input.format or _Format(), "audio.input.format")
        elif fields.input_audio_format is not UNSET:
            beta_format = fields.input_audio_format or "pcm16"
            config = config._with_format(
                _Format(_BETA_FORMATS.get(beta_format, beta_format)), "input_audio_format"
            )
        if audio_input.transcription is not UNSET:
            config = config._with_transcription(
                audio_input.transcription, "audio.input.transcription"
            )
        elif fields.input_audio_transcription is not UNSET:
            config = config._with_transcription(
                fields.input_audio_transcription, "input_audio_transcription"
            )
        if audio_input.turn_detection is not UNSET:
            return config._with_turns(audio_input.turn_detection, "audio.input.turn_detection")
        if fields.turn_detection is not UNSET:
            return config._with_turns(fields.turn_detection, "turn_detection")
        return config

    def with_model(self, model: str) -> "RealtimeConfig":
        """Return this configuration with another model and its default turn detection."""
        config = replace(self, model=model[:MAX_MODEL_CHARACTERS])
        if self.has_chosen_turns:
            return config
        has_turns = self.is_conversation or not model.startswith(_WITHOUT_TURNS)
        return replace(config, turn_detection="server_vad" if has_turns else None)

    def _with_format(self, format: _Format, param: str) -> "RealtimeConfig":
        if format.type not in _LAWS:
            raise ConfigError(f"type must be one of {', '.join(_LAWS)}.", f"{param}.type")
        if format.type != "audio/pcm":
            return replace(self, format=format.type, rate_hz=TELEPHONE_RATE_HZ)
        rate_hz = PCM_RATE_HZ if format.rate is None else format.rate
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise ConfigError(
                f"rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz; default is {PCM_RATE_HZ}.",
                f"{param}.rate",
            )
        return replace(self, format=format.type, rate_hz=rate_hz)

    def _with_transcription(
        self, transcription: _Transcription | None | UnsetType, param: str
    ) -> "RealtimeConfig":
        transcription = transcription or _Transcription(
            model=None,
            language=None,
            languages=None,
            strict_language=None,
            prompt=None,
            keywords=None,
        )
        config = self
        if transcription.model is not UNSET:
            config = config.with_model(transcription.model or DEFAULT_MODEL)
        if transcription.language is not UNSET or transcription.languages is not UNSET:
            language, languages = _languages(transcription, param)
            config = replace(config, language=language, languages=languages)
        if transcription.strict_language is not UNSET:
            config = replace(config, strict_language=bool(transcription.strict_language))
        if transcription.prompt is not UNSET:
            if len(transcription.prompt or "") > MAX_PROMPT_CHARACTERS:
                raise ConfigError(
                    f"prompt is too long; use at most {MAX_PROMPT_CHARACTERS} characters.",
                    f"{param}.prompt",
                    "string_above_max_length",
                )
            config = replace(config, prompt=transcription.prompt or None)
        if transcription.keywords is not UNSET:
            config = replace(config, keywords=_keywords(transcription.keywords or [], param))
        return config

    def _with_turns(self, turns: _TurnDetection | None | UnsetType, param: str) -> "RealtimeConfig":
        if not turns:
            return replace(self, turn_detection=None, has_chosen_turns=True)
        kind = turns.type or self.turn_detection or "server_vad"
        if kind not in ("server_vad", "semantic_vad"):
            raise ConfigError(
                "Turn detection must be server_vad, semantic_vad or null.", f"{param}.type"
            )
        config = replace(self, turn_detection=kind, has_chosen_turns=True)
        if turns.silence_duration_ms is not UNSET:
            silence_ms = turns.silence_duration_ms
            if silence_ms is None:
                silence_ms = self.default_endpoint_ms
            silence_ms = round(min(max(silence_ms, MIN_ENDPOINT_MS), MAX_ENDPOINT_MS))
            config = replace(config, silence_ms=silence_ms)
        if turns.eagerness is not UNSET:
            eagerness = turns.eagerness if turns.eagerness in _EAGERNESS_MS else "auto"
            config = replace(config, eagerness=eagerness)
        return config

    # Server format.

    def session(self, name: str) -> dict[str, Any]:
        """Return the session object in the GA format."""
        format: dict[str, Any] = {"type": self.format}
        if self.format == "audio/pcm":
            format["rate"] = self.rate_hz
        return {
            "id": name,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "audio": {
                "input": {
                    "format": format,
                    "noise_reduction": None,
                    "transcription": self._transcription(),
                    "turn_detection": self._turns(),
                }
            },
            "include": None,
        }

    def beta_session(self, name: str) -> dict[str, Any]:
        """Return the session object in the beta format."""
        return {
            "id": name,
            "object": "realtime.transcription_session",
            "input_audio_format": _BETA_NAMES[self.format],
            "input_audio_noise_reduction": None,
            "input_audio_transcription": self._transcription(),
            "turn_detection": self._turns(),
            "modalities": ["text"],
            "include": None,
        }

    def _transcription(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "model": self.model,
            "language": self.language,
            "prompt": self.prompt,
        }
        extensions = {
            "languages": self.languages,
            "keywords": self.keywords,
            "strict_language": self.strict_language,
        }
        return fields | {name: value for name, value in extensions.items() if value}

    def _turns(self) -> dict[str, Any] | None:
        match self.turn_detection:
            case "server_vad":
                return {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": self.silence_ms,
                }
            case "semantic_vad":
                return {"type": "semantic_vad", "eagerness": self.eagerness}
            case _:
                return None


def decode_session(data: bytes | msgspec.Raw) -> SessionFields:
    """Decode a session object.

    Raises:
        ConfigError: It is not valid JSON, or a field has the wrong type.
    """
    try:
        return decode_json(data, SessionFields, "session")
    except BadRequest as error:
        raise ConfigError(str(error), "session", "invalid_type") from None


def _languages(transcription: _Transcription, param: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the requested language, or the languages that detection is restricted to."""
    language = transcription.language or None
    try:
        return language_choice(language, transcription.languages or ())
    except BadRequest as error:
        field = "languages" if language is None else "language"
        raise ConfigError(str(error), f"{param}.{field}") from None


def _keywords(words: list[str], param: str) -> tuple[str, ...]:
    if not are_valid_hotwords(words):
        raise ConfigError(
            f"Too many or too long keywords; use {HOTWORD_LIMITS}.",
            f"{param}.keywords",
            "array_above_max_length",
        )
    return tuple(words)
