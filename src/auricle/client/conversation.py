"""One stream of speech over any number of sessions and connections, without I/O.

Received events are passed to :meth:`Conversation.receive_event`; messages to send are returned by
:meth:`Conversation.next_message`. The stream survives lost connections and server restarts:

- A connection begins with ``start``, or with ``resume`` if there is a session. Audio waits for
  ``ready``, which contains the position to continue from.
- A resumed session continues with the audio that it has not received. If the session has expired,
  a new one gets the safe position, and some seconds of audio before it to warm up the voice
  detector, so that it finds the same utterances as the old session.
- Each final is delivered once: within a session, repeats are detected by their ``id``, and audio
  that finals cover is never sent to another session. The numbers that the application sees
  continue over all sessions.
- Unless the server says that another session knows the voices of the first, its speakers get new
  numbers.
"""

import enum
import secrets
from collections import deque
from dataclasses import dataclass, replace
from math import inf
from struct import Struct

import msgspec
import numpy as np

from auricle.apis.native.wire.stream import Resume, Start, encode_command
from auricle.client.kept_audio import FRAME_MS, Encode, Frame, KeptAudio
from auricle.client.losses import Losses
from auricle.protocol.framing import pack
from auricle.text.formats.gaps import NOT_CAPTURED, TOO_SLOW, UNREACHABLE
from auricle.values.commands import Ack, Configure, Finalize, Stop, StreamParameters
from auricle.values.events import (
    AudioProgress,
    Closed,
    EagerFinal,
    Event,
    Failed,
    Final,
    FinalSpeakers,
    Partial,
    Ready,
    SpeakerRevision,
    SpeakerSegment,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    TurnResumed,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Pcm16, Speaker

MESSAGE_FRAMES = 50
"""Frames per message when sending a backlog: one second."""

UNMARKED_SAMPLES = 2 * SAMPLE_RATE_HZ
"""Audio without a mark after which the client checks the connection. A server sends a mark about
every second."""


DROP_SAMPLES = 10 * SAMPLE_RATE_HZ
"""Audio dropped at once if the connection is slower than real time: one long gap loses fewer words
than many short ones."""

FAR_BEHIND_SAMPLES = 10 * SAMPLE_RATE_HZ
"""A new connection with more speech than this without text is catching up."""
CAUGHT_UP_SAMPLES = 5 * SAMPLE_RATE_HZ
"""Up to this, it has caught up: an open utterance may be as long."""

OFFSET = Struct("<Q")  # position of a PCM message on the session's clock


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection is open; ``resumed`` is whether the server resumed an existing session."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection was lost and the client reconnects; speech is buffered meanwhile.

    Attributes:
        reason: Why, as text.
        retry_in_s: Time until the next attempt, in seconds.
        is_full: Whether the server holds no other speaker now; the reason says how many it holds.
    """

    reason: str
    retry_in_s: float
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Buffered speech is sent faster than real time; its text is ``behind_s`` seconds late.

    Emitted about once a second after a long outage, and with 0 at the end.
    """

    behind_s: float


LiveEvent = (
    Connected
    | Disconnected
    | CatchingUp
    | SpeechStarted
    | SpeechEnded
    | Partial
    | EagerFinal
    | TurnResumed
    | Final
    | SpeakerRevision
    | Gap
    | Warned
    | Failed
    | Closed
)
"""The events that an application receives."""

_OF_A_POSITION = (
    *(AudioProgress, SwitchFormat),
    *(Final, Partial, EagerFinal, TurnResumed, SpeakerRevision),
)
"""Events that are meaningless unless the session is at the requested position."""


class State(enum.Enum):
    """The state of the current connection."""

    WAITING = "waiting"
    """Only the first message may be sent."""
    OPEN = "open"
    MISPLACED = "misplaced"
    """The new session has other parameters than requested: stop it and start another."""
    OVER = "over"
    """All finals have arrived."""


class Conversation:
    """Speech in, captions out.

    Args:
        parameters: The stream parameters of each session.
        encode: Encodes a frame as an Opus packet; ``None`` to send PCM.
    """

    def __init__(self, parameters: StreamParameters, encode: Encode | None) -> None:
        self._parameters = msgspec.structs.replace(
            parameters,
            format=Wire.PCM16 if encode is None else Wire.OPUS,
            sample_rate=SAMPLE_RATE_HZ,
            channels=1,
            frame_ms=FRAME_MS,
            seq=True,
        )
        self.audio = KeptAudio(parameters.start_sample, encode)
        self.state = State.WAITING
        self.safe_sample = parameters.start_sample
        """The position before which all speech is in finals."""
        self.received_sample = parameters.start_sample
        self.furthest_sample = parameters.start_sample
        """The furthest position that any session has received."""
        self._losses = Losses()
        self._sent_sample = parameters.start_sample  # end of the audio sent to the session
        self._has_sent = False  # on this connection
        self._partial_sample = 0  # the end of the newest partial
        self._behind_s: float | None = None  # last reported value; None: not catching up
        self._waiter = secrets.token_hex(8)
        self._session: Ready | None = None
        self._lost: Ready | None = None  # the session that the next one continues for its readers
        self._last_result = 0  # of this session
        self._finals = 0  # of all sessions
        self._utterance = 0  # of the newest final, over all sessions
        self._utterances_before = 0  # those of earlier sessions
        self._numbers: dict[int, int] = {}  # of the session's finals, over all sessions
        self._speakers = 0  # so far
        self._speakers_before = 0  # those of sessions whose voices this session does not know
        self._cues: deque[int] = deque()  # positions at which the application requested a final
        self._cues_sent = 0
        self._ack_due: int | None = None
        self._configure_due: Configure | None = None
        self._is_configured = False
        self._requested_position: dict[str, int] | None = None  # if the query was complete
        self._is_finished = False
        self._is_stop_sent = False

    @property
    def is_finished(self) -> bool:
        """Whether the application has ended the audio."""
        return self._is_finished

    @property
    def is_waiting(self) -> bool:
        """Whether a message from the server is due."""
        unmarked = self.audio.next_sample - self.received_sample
        return self.state is State.WAITING or self._is_stop_sent or unmarked > UNMARKED_SAMPLES

    @property
    def behind_samples(self) -> int:
        """Length of the speech that has no text yet."""
        return self.audio.end_sample - max(self.safe_sample, self._partial_sample)

    def receive_pcm(self, pcm: Pcm16) -> None:
        """Receive speech from the application."""
        self.audio.receive_pcm(pcm)

    def skip(self, samples: int) -> None:
        """Report uncaptured speech as a gap, and send silence in its place."""
        start_sample = self.audio.end_sample
        self.audio.receive_pcm(np.zeros(samples, np.int16))
        self._losses.note(start_sample, start_sample + samples, NOT_CAPTURED)

    def limit(self, max_samples: int) -> None:
        """Drop the oldest audio above this length, and report it as a gap."""
        audio = self.audio
        if self.state is State.OPEN and audio.kept_samples > max_samples:
            is_unsent = audio.next_sample <= audio.safe_sample
            max_samples -= min(DROP_SAMPLES, max_samples // 4) if is_unsent else 0
        audio.drop_above(max_samples)

    def give_up(self, code: str) -> list[Gap]:
        """Return the gaps that remain if there is no further connection."""
        self._losses.note(self.safe_sample, self.audio.end_sample, code)
        return self._losses.due()

    def finalize(self) -> None:
        """Request a final for the speech so far."""
        if not self._cues or self._cues[-1] != self.audio.end_sample:
            self._cues.append(self.audio.end_sample)

    def configure(self, change: Configure) -> None:
        """Change the parameters of this session and of later ones."""
        changes = {name: value for name, value in _changes(change).items() if name in _CONFIGURABLE}
        self._parameters = msgspec.structs.replace(self._parameters, **changes)
        self._is_configured = True
        self._configure_due = self._configuration()

    def finish(self) -> None:
        """End the audio; idempotent."""
        if not self._is_finished:
            self.audio.finish()
            self._is_finished = True

    def query(self) -> dict[str, str]:
        """Return the query of the URL of the next connection.

        With ``waiter``, the client keeps its position after a refusal. When resuming, the query
        contains the session ID, by which a load balancer finds the server, and the parameters of a
        new session in case the old one has expired. Prompts and hotwords are
        private, so they are not part of a URL; neither is the session secret.
        """
        if self._session is None:
            lost = {} if self._lost is None else {"session": self._lost.session}
            return {"waiter": self._waiter, **lost}
        parameters = msgspec.structs.asdict(self._parameters)
        position = self._restart()
        parameters |= position
        is_whole = not parameters["prompt"] and not parameters["hotwords"]
        self._requested_position = position if is_whole else None
        query = {"resume": "1", "session": self._session.session, "waiter": self._waiter}
        if not is_whole:
            return query
        values = {name: _in_query(value) for name, value in parameters.items() if value}
        return {**query, "partials": _in_query(parameters["partials"]), **values}

    def connected(self) -> str:
        """Return the first message of a new connection."""
        self.state = State.WAITING
        self._is_stop_sent = False
        if self._session is not None:
            session = self._session
            return encode_command(Resume(session.session, session.secret, self._last_result))
        fields = msgspec.structs.asdict(self._parameters) | self._restart()
        if self._lost is not None:
            fields |= {"session": self._lost.session, "secret": self._lost.secret}
        return encode_command(Start(**fields))

    def disconnected(self) -> None:
        """Update the state after the connection ended, for any reason."""
        if self.state is not State.OVER:
            self.state = State.WAITING
        if self._session is not None and not self._session.resumable:
            self._forget_session()

    def next_message(self) -> str | bytes | None:
        """Return the next message to send, or ``None`` if there is none."""
        if self.state is State.MISPLACED and not self._is_stop_sent:
            self._is_stop_sent = True
            return encode_command(Stop())
        if self.state is not State.OPEN or self._is_stop_sent:
            return None
        if self._configure_due is not None:
            due, self._configure_due = self._configure_due, None
            return encode_command(due)
        if self._ack_due is not None:
            result, self._ack_due = self._ack_due, None
            return encode_command(Ack(result))
        return self._next_of_the_stream()

    def receive_event(self, event: Event) -> list[LiveEvent]:
        """Process a server event; return the events for the application."""
        events = [*self._receive(event), *self._losses.due(self.safe_sample)]
        return [*events, *self._catching_up()]

    def _receive(self, event: Event) -> list[LiveEvent]:
        if isinstance(event, _OF_A_POSITION) and self.state is not State.OPEN:
            return []  # of a session at another position; unrelated to this audio
        match event:
            case Ready():
                return self._ready(event)
            case AudioProgress():
                self.received_sample = max(self.received_sample, event.received_sample)
                self.furthest_sample = max(self.furthest_sample, self.received_sample)
                self._note_safe(event.safe_sample)
                return []
            case SwitchFormat():
                self._switch(event.format)
                return []
            case Final():
                return self._final(event)
            case SpeakerRevision():
                return self._revision(event)
            case Partial():
                self._partial_sample = max(self._partial_sample, event.end_sample)
                return [replace(event, utterance=event.utterance + self._utterances_before)]
            case EagerFinal() | TurnResumed():
                return [replace(event, utterance=event.utterance + self._utterances_before)]
            case Closed():
                return self._closed(event)
            case Warned(code=WarningCode.AUDIO_GAP):
                return []  # audio dropped by this client, which reports it as a gap itself
            case _:
                return [event]

    def _ready(self, ready: Ready) -> list[LiveEvent]:
        is_lost = self._session is not None and not ready.resumed
        if is_lost:
            self._lost = self._session
            self._forget_session()
        # Audio may have been dropped since, so compare with the request, not with the buffer.
        position = {"start_sample": ready.received_sample, "safe_sample": ready.safe_sample}
        if is_lost and position != self._requested_position:
            self.state = State.MISPLACED
            return []
        self._session, self._lost = ready, None
        self.state = State.OPEN
        self.received_sample = ready.received_sample
        self._has_sent = False
        if ready.resumed:
            if self._is_configured:
                self._configure_due = self._configuration()
            self._cues_sent = 0  # requests before the connection was lost may not have arrived
            self._sent_sample = ready.received_sample
            self.audio.rewind(ready.received_sample)
        else:  # dropped audio is lost on both sides
            self._losses.note(self.safe_sample, self.audio.safe_sample, UNREACHABLE)
            self._cues_sent = 0
            self._sent_sample = self.audio.first_sample
            self.audio.rewind(self.audio.first_sample)
            self.safe_sample = self.audio.safe_sample
            if not ready.speakers_continue:
                self._speakers_before = self._speakers
        if self.behind_samples > FAR_BEHIND_SAMPLES:
            self._behind_s = inf
        return [Connected(ready.resumed)]

    def _catching_up(self) -> list[CatchingUp]:
        """Report how far the text is behind, if it changed by at least a second."""
        if self._behind_s is None or self.state is not State.OPEN:
            return []
        behind_s = self.behind_samples / SAMPLE_RATE_HZ
        if self.behind_samples <= CAUGHT_UP_SAMPLES:
            self._behind_s = None
            return [CatchingUp(0.0)]
        if abs(self._behind_s - behind_s) < 1:
            return []
        self._behind_s = behind_s
        return [CatchingUp(behind_s)]

    def _final(self, final: Final) -> list[LiveEvent]:
        if final.id <= self._last_result:
            return []  # replayed because the acknowledgement was lost
        self._last_result = self._ack_due = final.id
        self._finals += 1
        self._utterance = final.utterance + self._utterances_before
        self._numbers[final.id] = self._finals
        self._note_safe(final.end_sample)
        if final.segments is not None:
            final = self._with_own_speakers(final)
        return [replace(final, id=self._finals, utterance=self._utterance)]

    def _with_own_speakers(self, final: Final) -> Final:
        words = final.words
        if words is not None:
            words = tuple(replace(word, speaker=self._own(word.speaker)) for word in words)
        segments = self._own_segments(final.segments or ())
        return replace(
            final,
            words=words,
            speaker=self._own(final.speaker),
            segments=segments,
            speakers=self._own_names(final.speakers),
        )

    def _revision(self, event: SpeakerRevision) -> list[LiveEvent]:
        finals = tuple(
            FinalSpeakers(
                self._numbers[final.id],
                self._own(final.speaker),
                self._own_segments(final.segments),
                self._own_names(final.speakers),
            )
            for final in event.finals
            if final.id in self._numbers
        )
        return [SpeakerRevision(finals)] if finals else []

    def _own_segments(self, segments: tuple[SpeakerSegment, ...]) -> tuple[SpeakerSegment, ...]:
        return tuple(replace(segment, speaker=self._own(segment.speaker)) for segment in segments)

    def _own_names(self, speakers: tuple[Speaker, ...]) -> tuple[Speaker, ...]:
        return tuple(Speaker(self._speakers_before + each.number, each.name) for each in speakers)

    def _own(self, speaker: int | None) -> int | None:
        """Return the number of a speaker of this session over all sessions."""
        if speaker is None:
            return None
        number = self._speakers_before + speaker
        self._speakers = max(self._speakers, number + 1)
        return number

    def _closed(self, closed: Closed) -> list[LiveEvent]:
        if self.state is State.MISPLACED:
            return []
        self._forget_session()  # all its finals have arrived
        if not self._is_finished or self.audio.unsent_samples:
            self.state = State.WAITING  # closed by the server: continue with another session
            return []
        self.state = State.OVER
        return [*self._losses.due(), closed]

    def _note_safe(self, sample: int) -> None:
        """Drop audio whose finals have arrived."""
        sample = min(sample, self.audio.next_sample)  # never drop unsent audio
        self.safe_sample = max(self.safe_sample, sample)
        self.audio.forget(self.safe_sample)
        while self._cues and self._cues[0] <= self.safe_sample:
            self._cues.popleft()
            self._cues_sent = max(0, self._cues_sent - 1)

    def _restart(self) -> dict[str, int]:
        """Return the start and the safe position for a new session."""
        return {
            "start_sample": self.audio.first_sample,
            "safe_sample": self.audio.safe_sample,
        }

    def _switch(self, wire: Wire) -> None:
        if wire is Wire.PCM16:
            self.audio.stop_encoding()
            self._parameters = msgspec.structs.replace(self._parameters, format=wire)
            self._is_configured = True
            self._configure_due = self._configuration()

    def _configuration(self) -> Configure:
        """Return all parameters that may have changed; sending them twice is harmless."""
        now = self._parameters
        is_pcm = now.format is Wire.PCM16
        return Configure(
            model=now.model,
            language=now.language,
            languages=now.languages,
            strict_language=now.strict_language,
            task=now.task,
            prompt=now.prompt,
            hotwords=now.hotwords,
            endpoint_ms=now.endpoint_ms or msgspec.UNSET,
            format=now.format if is_pcm else msgspec.UNSET,
            sample_rate=now.sample_rate if is_pcm else msgspec.UNSET,
        )

    def _forget_session(self) -> None:
        self._session = None
        self._last_result = 0
        self._ack_due = None
        self._configure_due = None
        self._utterances_before = self._utterance
        self._numbers.clear()

    def _next_of_the_stream(self) -> str | bytes | None:
        """Return the next audio message, or the command due at this position."""
        cue = self._cues[self._cues_sent] if self._cues_sent < len(self._cues) else None
        if cue is not None and cue <= self.audio.next_sample:
            self._cues_sent += 1
            return encode_command(Finalize())
        frames = self.audio.next_frames(MESSAGE_FRAMES, cue)
        if frames:
            self._note_sent(frames[0].start_sample)
            return self._packed(frames)
        if self._is_finished:
            self._is_stop_sent = True
            return encode_command(Stop())
        return None

    def _note_sent(self, start_sample: int) -> None:
        """Record the audio that is sent next, and the audio dropped before it."""
        code = TOO_SLOW if self._has_sent else UNREACHABLE
        self._losses.note(self._sent_sample, start_sample, code)
        self._sent_sample = max(self._sent_sample, self.audio.next_sample)
        self._has_sent = True

    def _packed(self, frames: list[Frame]) -> bytes:
        if self._parameters.format is Wire.PCM16:
            pcm = [frame.pcm for frame in frames if frame.pcm is not None]
            samples = np.concatenate(pcm).astype("<i2")
            return OFFSET.pack(frames[0].start_sample) + samples.tobytes()
        return b"".join(
            pack(frame.packet, frame.seq) for frame in frames if frame.packet is not None
        )


_CONFIGURABLE = (
    "model",
    "language",
    "languages",
    "strict_language",
    "task",
    "prompt",
    "hotwords",
    "endpoint_ms",
)


def _in_query(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(int(value)) if isinstance(value, bool) else str(value)


def _changes(change: Configure) -> dict[str, object]:
    return {
        name: value
        for name, value in msgspec.structs.asdict(change).items()
        if value is not msgspec.UNSET
    }
