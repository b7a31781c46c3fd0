"""Commands to a live session: immutable values, one for each message.

They are the counterpart of :mod:`auricle.values.events`, and common to all dialects. The native
protocol encodes them as they stand; other dialects decode their own messages into them.
"""

import enum
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from auricle.values.events import Wire
from auricle.values.limits import (
    DEFAULT_PACKET_MS,
    MAX_CHANNELS,
    Channels,
    EndpointMs,
    Hotwords,
    Languages,
    MaxLag,
    ModelName,
    PacketMs,
    Prompt,
    RateHz,
    VocabularyName,
)
from auricle.values.text_filters import FilterChoice, redaction
from auricle.values.types import SAMPLE_RATE_HZ, Redact, SpeakerOptions, Task, TurnDetection

_Position = Annotated[int, Meta(ge=0, le=2**53)]


class StreamParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The stream parameters from a client, in the query or in the first text message.

    ``sample_rate`` applies to pcm16 only; Opus packets are checked against ``frame_ms`` and
    ``channels``. With ``multichannel``, each channel of pcm16 is transcribed apart; otherwise they
    are mixed. ``start_sample`` is the start of the session's clock. A session that replaces an
    expired one also has ``safe_sample``: audio before it is in finals, and some seconds of that
    audio are sent again only to warm up the voice detector. ``channel_safe_samples`` has a later
    position for each channel, because utterances of channels end at different times. Without
    ``endpoint_ms``, the server's setting applies; without ``model``, its default model. With
    ``speakers``, or a number of them, finals have the numbers of their speakers. With
    ``turn_detection``, or one of its numbers, utterances end where the speaker sounds finished.
    What ``redact`` names is hidden in all events and in kept transcripts. With ``max_lag_s``,
    speech whose final would come later than that after its end is dropped, oldest first. With
    ``strict_language``, text is never in another language than the requested one. Without
    ``vocabulary``, the key's default vocabulary applies, if it has one.
    """

    format: Wire = Wire.OPUS
    sample_rate: RateHz = SAMPLE_RATE_HZ
    channels: Channels = 1
    multichannel: bool = False
    frame_ms: PacketMs = DEFAULT_PACKET_MS
    seq: bool = False
    model: ModelName = ""
    language: str | None = None
    languages: Languages = ()
    strict_language: bool = False
    task: Task = Task.TRANSCRIBE
    prompt: Prompt | None = None
    hotwords: Hotwords = ()
    vocabulary: VocabularyName = ""
    partials: bool = True
    endpoint_ms: EndpointMs | None = None
    word_timestamps: bool = False
    speakers: bool = False
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    turn_detection: bool = False
    turn_threshold: float | None = None
    turn_eager_threshold: float | None = None
    turn_limit_ms: int | None = None
    redact: tuple[Redact, ...] = ()
    max_lag_s: MaxLag | None = None
    start_sample: _Position = 0
    safe_sample: _Position = 0
    channel_safe_samples: Annotated[tuple[_Position, ...], Meta(max_length=MAX_CHANNELS)] = ()

    @property
    def resume_sample(self) -> int:
        """The position from which results are wanted, of any channel."""
        return max(self.start_sample, self.safe_sample)

    @property
    def speaker_options(self) -> SpeakerOptions | None:
        """What is known about the number of speakers; ``None`` if they are not requested.

        Raises:
            BadRequest: The numbers are impossible.
        """
        options = SpeakerOptions(self.num_speakers, self.min_speakers, self.max_speakers)
        return options if self.speakers or options != SpeakerOptions() else None

    @property
    def turns(self) -> TurnDetection | None:
        """How the ends of turns are detected; ``None`` if by silence only.

        Raises:
            BadRequest: A number is out of range.
        """
        numbers = {
            "threshold": self.turn_threshold,
            "eager_threshold": self.turn_eager_threshold,
            "limit_ms": self.turn_limit_ms,
        }
        chosen: Any = {name: number for name, number in numbers.items() if number is not None}
        return TurnDetection(**chosen) if self.turn_detection or chosen else None

    @property
    def filters(self) -> tuple[FilterChoice, ...]:
        """The text filters for all events and kept transcripts."""
        return redaction(self.redact)

    @property
    def separate_channels(self) -> int:
        """Number of channels that are transcribed apart; 1 if they are mixed."""
        return self.channels if self.multichannel else 1

    def resume_sample_of(self, channel: int) -> int:
        """Return the position from which results of a channel are wanted."""
        positions = self.channel_safe_samples
        safe_sample = positions[channel] if channel < len(positions) else 0
        return max(self.resume_sample, safe_sample)


class Finalize(msgspec.Struct, frozen=True, tag="finalize", tag_field="type"):
    """End the open utterance now; a word that has just begun after a pause continues."""


class Keepalive(msgspec.Struct, frozen=True, tag="keepalive", tag_field="type"):
    """The client is alive."""


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="configure", tag_field="type"):
    """Change the given parameters, from the next utterance or packet on."""

    model: ModelName | UnsetType = UNSET
    language: str | None | UnsetType = UNSET
    languages: Languages | UnsetType = UNSET
    strict_language: bool | UnsetType = UNSET
    task: Task | UnsetType = UNSET
    prompt: Prompt | None | UnsetType = UNSET
    hotwords: Hotwords | UnsetType = UNSET
    endpoint_ms: EndpointMs | UnsetType = UNSET
    format: Wire | UnsetType = UNSET
    sample_rate: RateHz | UnsetType = UNSET


class Ack(msgspec.Struct, frozen=True, tag="ack", tag_field="type"):
    """Acknowledge all finals up to this number."""

    result: _Position


class Stop(msgspec.Struct, frozen=True, tag="stop", tag_field="type"):
    """End the audio; the server sends the last finals and then closes."""


class Spare(enum.Enum):
    """What a :class:`Flush` lets continue; it ends at its endpoint, or when no audio follows."""

    NOTHING = "nothing"
    ONSET = "onset"
    """A sound that has just begun after a pause: the next word."""
    SPEECH = "speech"
    """An utterance without a pause at its end."""
    UTTERANCE = "utterance"
    """Any open utterance."""


class Flush(msgspec.Struct, frozen=True):
    """End the open utterance; ``Flushed`` confirms it, ``Finalized`` follows its final.

    With ``channel``, only that channel's; otherwise each channel's, with events for each.
    ``Finalized`` doesn't wait for the final of an utterance that it spares.
    """

    channel: int | None = None
    spares: Spare = Spare.NOTHING


class Discard(msgspec.Struct, frozen=True):
    """Drop the open utterance without a final; ``Discarded`` confirms it."""


class UpdateConfig(Configure, frozen=True, kw_only=True):
    """A ``Configure`` that also changes speakers and turn detection.

    Native clients have no message for it.
    """

    speakers: bool | UnsetType = UNSET
    turns: TurnDetection | None | UnsetType = UNSET


SessionCommand = Finalize | Keepalive | Configure | Ack | Stop | Flush | Discard
"""Inputs of a session besides audio; :class:`UpdateConfig` is a ``Configure``."""
