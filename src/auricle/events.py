"""What a live session tells whoever listens: frozen values, each of them one message.

Positions are 16 kHz samples of the session's own clock, which starts at its ``start_sample`` and
never jumps. How an event looks on the wire is the business of each protocol.
"""

import enum
from dataclasses import dataclass

from auricle.types import Word


class Wire(enum.StrEnum):
    """How live audio may travel."""

    OPUS = "opus"
    """Framed packets: ``[uint16_le length][packet]``."""
    OPUS_MESSAGE = "opus-message"
    """One raw packet a message."""
    PCM16 = "pcm16"
    OGG = "ogg"
    WEBM = "webm"


class WarningCode(enum.StrEnum):
    """What went wrong without ending the session."""

    AUDIO_GAP = "audio_gap"
    """Audio is missing; silence keeps the clock."""
    AUDIO_DROPPED = "audio_dropped"
    """Audio came twice, or more of it than a session may hold."""
    SLOW = "slow"
    """The client reads too slowly: partials are left out."""
    FORMAT_MISMATCH = "format_mismatch"
    """The packets are not what was declared; they are decoded all the same."""
    DECODE_ERRORS = "decode_errors"
    """A packet could not be decoded."""
    IGNORED_OPTION = "ignored_option"
    """The client set an option that has no effect."""
    LANGUAGE_IMPROBABLE = "language_improbable"
    """Speech is hardly in the language that was asked for."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The session takes audio.

    Attributes:
        session: Its name.
        secret: What proves that a session is one's own; never logged.
        resumed: Whether it is the one that was asked for.
        resumable: Whether its wire format can go on after a lost connection.
        received_sample: How far audio was taken: the next sample that is wanted.
        safe_sample: Everything before it is in finals.
    """

    session: str
    secret: str
    resumed: bool
    resumable: bool
    received_sample: int
    safe_sample: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody began to speak."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """An utterance is over; its final follows."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class Partial:
    """What an open utterance says so far: ``stable`` only grows, ``unstable`` is a guess.

    The words of ``stable`` are stable, not their case and punctuation: the final is decoded anew.
    """

    utterance: int
    stable: str
    unstable: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class Final:
    """What an utterance said.

    Attributes:
        id: Counts the session's finals from 1; what a client acknowledges.
        utterance: Which one.
        text: The words; empty if it held none, or could not be recognised.
        start_sample: Where it starts in the session.
        end_sample: Where it ends.
        language: The language it was heard in.
        words: Each word with its time in the session, if asked for.
        latency_ms: From the arrival of the last sample of speech to this event.
        revised: Whether ``text`` does not begin with the words of the last ``stable``; case and
            punctuation don't count.
        error: The code of the error that it ends with, if it could not be recognised.
    """

    id: int
    utterance: int
    text: str
    start_sample: int
    end_sample: int
    language: str | None
    words: tuple[Word, ...] | None
    latency_ms: float
    revised: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class AudioProgress:
    """How far audio was taken, and up to where a client may forget it."""

    received_sample: int
    safe_sample: int
    received_seq: int | None = None
    safe_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something is not as it should be; the session goes on."""

    code: WarningCode
    message: str
    gap_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SwitchFormat:
    """The client is asked to send another format."""

    format: Wire
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An error, in the words of :mod:`auricle.errors`; the connection ends, or the request did.

    ``retry_after_s`` says when to come back, if the connection ends and coming back helps.
    """

    code: str
    message: str
    retryable: bool
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over and every final is out."""

    reason: str
    audio_samples: int
    packets: int
    lost_packets: int
    decode_errors: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """The answer to a dialect's ``Flush``: no utterance is open, and none starts before this place.

    Attributes:
        at_sample: How far audio was taken.
        ended_utterance: Whether one was open until now; its ``SpeechEnded`` came right before.
    """

    at_sample: int
    ended_utterance: bool


@dataclass(frozen=True, slots=True)
class Finalized:
    """Every final of what came before a ``Flush`` is out; ``at_sample`` as its ``Flushed`` said."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class Discarded:
    """The answer to a dialect's ``Discard``: nothing before this place becomes part of a final.

    Finals of utterances that had ended before still come.
    """

    at_sample: int


Event = (
    Ready
    | SpeechStarted
    | SpeechEnded
    | Partial
    | Final
    | AudioProgress
    | Warned
    | SwitchFormat
    | Failed
    | Closed
)
"""What the native protocol has messages for."""

SessionEvent = Event | Flushed | Finalized | Discarded
"""All that a session tells: the last three only to a dialect that asks for them."""
