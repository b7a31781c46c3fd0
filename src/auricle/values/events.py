"""Events of a live session: immutable values, one for each message.

Positions are 16 kHz samples of the session's clock, which starts at its ``start_sample`` and never
jumps. Each protocol defines how it encodes an event.

If channels are transcribed apart, an event of an utterance has the number of its ``channel``, from
0. All channels have one clock, and the numbers of utterances and finals are unique in the session.
"""

import enum
from dataclasses import dataclass, field

from auricle.values.types import SAMPLE_RATE_HZ, Speaker, Word


class Wire(enum.StrEnum):
    """Wire formats of live audio."""

    OPUS = "opus"
    """Framed packets: ``[uint16_le length][packet]``."""
    OPUS_MESSAGE = "opus-message"
    """One raw packet per message."""
    PCM16 = "pcm16"
    OGG = "ogg"
    WEBM = "webm"


class WarningCode(enum.StrEnum):
    """Problems that do not end the session."""

    AUDIO_GAP = "audio_gap"
    """Audio is missing and was replaced by silence."""
    AUDIO_DROPPED = "audio_dropped"
    """Audio was dropped: a duplicate, or more than a session may buffer."""
    SLOW = "slow"
    """The client reads too slowly, so partials are skipped."""
    FORMAT_MISMATCH = "format_mismatch"
    """The packets differ from the declared format, but are decoded."""
    DECODE_ERRORS = "decode_errors"
    """A packet could not be decoded."""
    IGNORED_OPTION = "ignored_option"
    """The client set an option that has no effect."""
    SIMILAR_CHANNELS = "similar_channels"
    """Two channels that are transcribed apart carry the same audio, or nearly."""
    LANGUAGE_IMPROBABLE = "language_improbable"
    """The speech is probably not in the requested language."""
    SPEAKERS_UNAVAILABLE = "speakers_unavailable"
    """The speakers of some finals stay unknown, because their voices can't be compared."""
    TURNS_UNAVAILABLE = "turns_unavailable"
    """Some utterances end after silence only, because the end of turns can't be judged."""


class Trigger(enum.StrEnum):
    """What ended a turn."""

    MODEL = "model"
    """The speaker sounded finished."""
    MANUAL = "manual"
    """The client ended the utterance, or the stream."""
    TIMEOUT = "timeout"
    """Silence."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The session accepts audio.

    Attributes:
        session: The session's ID.
        secret: Proves ownership of the session when resuming; never logged.
        sample_rate_hz: The rate of the session's clock.
        resumed: Whether the requested session was resumed.
        resumable: Whether its wire format can resume after a lost connection.
        received_sample: The next expected sample; all before it were received.
        safe_sample: All audio before it is in finals.
        model: Name of the model that transcribes, as ``/v1/models`` lists it.
        speakers_continue: Whether a new session continues the numbers of the lost session's
            speakers.
    """

    session: str
    secret: str
    sample_rate_hz: int = field(default=SAMPLE_RATE_HZ, kw_only=True)
    resumed: bool
    resumable: bool
    received_sample: int
    safe_sample: int
    model: str = ""
    speakers_continue: bool = False


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began."""

    at_sample: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """An utterance ended; its final follows."""

    at_sample: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """A hypothesis for an open utterance: ``stable`` only grows, ``unstable`` may change.

    The words of ``stable`` do not change, but case and punctuation may: the final is decoded again.
    """

    utterance: int
    stable: str
    unstable: str
    start_sample: int
    end_sample: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class SpeakerSegment:
    """A part of a final that one speaker says.

    Attributes:
        start_sample: Start of the part in the session.
        end_sample: Its end.
        text: Its text.
        speaker: Number of the speaker, from 0; ``None`` if unknown.
    """

    start_sample: int
    end_sample: int
    text: str
    speaker: int | None


@dataclass(frozen=True, slots=True)
class Final:
    """The transcript of a finished utterance.

    Attributes:
        id: Number of the final in its session, from 1; clients acknowledge it.
        utterance: Number of the utterance.
        text: The text; empty if there are no words or recognition failed.
        start_sample: Start of the utterance in the session.
        end_sample: End of the utterance in the session.
        language: The language that was used or detected.
        words: Words with their times in the session, if requested.
        latency_ms: Time from the arrival of the last sample of speech to this event.
        revised: Whether ``text`` does not begin with the words of the last ``stable``, ignoring
            case and punctuation.
        error: Error code, if recognition failed.
        speaker: Number of the speaker who says most of it, from 0; ``None`` if speakers were not
            requested, or the speaker is not known yet.
        segments: Its parts by speaker, if the speaker is known: one, or more if it was split where
            the speaker changes.
        channel: The channel, from 0; ``None`` if channels are not transcribed apart.
        end_of_turn: Probability that the speaker had finished, from 0 to 1, judged in the silence
            after the utterance; ``None`` if it was not judged.
        trigger: What ended the turn; ``None`` without turn detection, or if the turn continues in
            the next utterance, because this one reached the maximum length.
        speakers: Those of its speakers whose names are known.
        original: The text before it was corrected; ``None`` if it was not.
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
    speaker: int | None = None
    segments: tuple[SpeakerSegment, ...] | None = None
    channel: int | None = None
    end_of_turn: float | None = None
    trigger: Trigger | None = None
    speakers: tuple[Speaker, ...] = ()
    original: str | None = None


@dataclass(frozen=True, slots=True)
class EagerFinal:
    """The text of an open utterance whose speaker has probably finished.

    The final of the utterance has the same text and words, unless a ``TurnResumed`` comes before
    it. There is at most one in a pause, and none without text.

    Attributes:
        utterance: Number of the utterance.
        text: The text; never empty.
        start_sample: Start of the utterance in the session.
        end_sample: Its end, if no more speech follows.
        language: The language that was used or detected.
        words: As in :class:`Final`.
        probability: Probability that the speaker has finished, from 0 to 1.
        channel: As in :class:`Final`.
    """

    utterance: int
    text: str
    start_sample: int
    end_sample: int
    language: str | None
    words: tuple[Word, ...] | None
    probability: float
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The utterance of the last ``EagerFinal`` continues; its final will have another text."""

    utterance: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class FinalSpeakers:
    """The speakers of a final that was sent before; the fields are those of :class:`Final`."""

    id: int
    speaker: int | None
    segments: tuple[SpeakerSegment, ...]
    speakers: tuple[Speaker, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeakerRevision:
    """Other speakers for finals that were sent before; their text and times don't change.

    A final may be sent before its speaker is known, and later speech may show that two speakers are
    one, or one is two.
    """

    finals: tuple[FinalSpeakers, ...]


@dataclass(frozen=True, slots=True)
class AudioProgress:
    """Positions up to which audio was received, and up to which a client may discard it.

    If channels are transcribed apart, ``channel_safe_samples`` has the position of each up to which
    its speech is in finals; the least of them is safe.
    """

    received_sample: int
    safe_sample: int
    received_seq: int | None = None
    safe_seq: int | None = None
    channel_safe_samples: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """A problem that does not end the session."""

    code: WarningCode
    message: str
    gap_ms: int | None = None


@dataclass(frozen=True, slots=True)
class SwitchFormat:
    """Asks the client to send another format."""

    format: Wire
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An error of :mod:`auricle.values.errors` that ends the connection or a request.

    ``retry_after_s`` says when to reconnect, if the connection ends and a retry may succeed.
    """

    code: str
    message: str
    retryable: bool
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The session ended; all finals were sent."""

    reason: str
    audio_samples: int
    packets: int
    lost_packets: int
    decode_errors: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """The reply to a dialect's ``Flush``: no utterance will start before it.

    Attributes:
        at_sample: Position up to which audio was received.
        ended_utterance: Whether this ended an open utterance; its ``SpeechEnded`` precedes this.
        channel: As in :class:`Final`.
        is_open: Whether an utterance is still open, because the ``Flush`` has spared it.
    """

    at_sample: int
    ended_utterance: bool
    channel: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Finalized:
    """All finals before a ``Flush`` were sent; ``at_sample`` is the one of its ``Flushed``."""

    at_sample: int
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Discarded:
    """The reply to a dialect's ``Discard``: no audio before it becomes part of a final.

    Finals of utterances that had already ended still follow.
    """

    at_sample: int


Event = (
    Ready
    | SpeechStarted
    | SpeechEnded
    | Partial
    | EagerFinal
    | TurnResumed
    | Final
    | SpeakerRevision
    | AudioProgress
    | Warned
    | SwitchFormat
    | Failed
    | Closed
)
"""Events that the native protocol has messages for."""

SessionEvent = Event | Flushed | Finalized | Discarded
"""All events of a session; the last three only occur if a dialect requests them."""
