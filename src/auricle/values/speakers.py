"""What the core asks of :mod:`auricle.workers.kinds.speakers`, which distinguishes speakers.

That part is optional. Without it, or if it is switched off, :data:`NO_SPEAKERS` takes its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np
import numpy.typing as npt

from auricle.values.errors import AuricleError, SpeakersUnavailable
from auricle.values.events import Final
from auricle.values.transcriber import Stats, VoiceEmbedder
from auricle.values.types import (
    Chunk,
    ClientId,
    EmbedJob,
    JobId,
    Pcm16,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
)
from auricle.values.voice_keeper import NoVoiceKeeper, VoiceKeeper, VoiceStore

Span = tuple[int, int]
"""(start, end) in samples."""

NONE_FOUND = "Speakers could not be distinguished now; the transcript has none."
"""The warning of a transcript without speakers that were requested."""
NO_SPEECH = "contains no speech"
"""What is wrong with a silent recording."""


@dataclass(frozen=True, slots=True, eq=False)
class VoicePrint:
    """A voice, as one embedding.

    Attributes:
        model: Identifies the model of the embedding; those of others can't be compared.
        vector: The mean of its stretches, float32, shape [dimensions], of unit length.
        speech_s: The seconds of speech that it is the mean of.
    """

    model: str
    vector: npt.NDArray[np.float32]
    speech_s: float


class SpeakerLabeller(Protocol):
    """Labels the finals of one live session with speakers; no I/O, and ``now`` is an argument.

    Finals reach it in order. A label may change after its final was sent.
    """

    @property
    def wake_at(self) -> float:
        """When to call :meth:`due_jobs` next, or to ask again whether a final must wait."""
        ...

    @property
    def is_settled(self) -> bool:
        """Whether the speakers of all finals that were sent are known or stay unknown."""
        ...

    @property
    def labelled_finals(self) -> int:
        """Number of finals that were labelled; if it is the same, so are the voices."""
        ...

    def voices(self) -> bytes:
        """Return the voices of all finals that were labelled, and those known before."""
        ...

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker so far, by number."""
        ...

    def utterance_paused(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Receive an open utterance, which probably ends here.

        Args:
            number: Number of the utterance.
            pcm: Its audio so far.
            start_sample: Position of the audio in the session.
            voiced: Where there is speech, in the session.
            now: Monotonic time in seconds.
        """
        ...

    def utterance_ended(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Receive an utterance that has ended; its final follows. As :meth:`utterance_paused`."""
        ...

    def due_jobs(self, now: float, *, is_live: bool) -> Sequence[EmbedJob]:
        """Return the jobs that are due.

        Args:
            now: Monotonic time in seconds.
            is_live: Whether the audio arrives in real time.
        """
        ...

    def job_done(self, job_id: JobId, result: SpeakerEmbeddings | AuricleError, now: float) -> None:
        """Receive the result of a job; results of unknown jobs are ignored."""
        ...

    def holds(self, number: int, now: float) -> bool:
        """Return whether the final of an utterance, whose text is known, must wait."""
        ...

    def labelled(self, final: Final) -> Final:
        """Return a final, which is sent now, with its speakers if they are known.

        Called once for each final, in order. ``words`` are the words that the recogniser found,
        even if the client does not want them.
        """
        ...

    def revised(self) -> Sequence[Final]:
        """Return the finals whose speakers have changed since they were sent."""
        ...

    def revised_before(self, id: int) -> Sequence[Final]:
        """Return all finals up to an id that were ever revised, for a client that resumes."""
        ...

    def take_unknown(self) -> bool:
        """Return whether a voice stays unknown since the last call."""
        ...

    def finish(self) -> None:
        """Take a last look at all speech; :meth:`revised` returns what changes."""
        ...


class SpeakerLabelling(Protocol):
    """Starts the labels of live sessions."""

    @property
    def is_available(self) -> bool:
        """Whether voices can be compared; otherwise all speakers stay unknown."""
        ...

    def label_session(
        self, session: str, client: ClientId, options: SpeakerOptions, known_voices: bytes
    ) -> SpeakerLabeller:
        """Return the labeller of a session.

        Args:
            session: ID of the session; its jobs begin with it.
            client: The client that jobs are charged to.
            options: What is known about the number of speakers.
            known_voices: The voices of an earlier session, whose numbers continue; empty: none.
        """
        ...

    def keep_voices(self, store: VoiceStore) -> VoiceKeeper:
        """Return what keeps the voices of live sessions, in a store as well."""
        ...


class NamedVoice(Protocol):
    """The voice of a known speaker; only what made it can compare it."""

    @property
    def name(self) -> str:
        """The name to give to its speaker."""
        ...


@dataclass(frozen=True, slots=True)
class KnownName:
    """The name of a speaker whose voice the server may know: a :class:`NamedVoice` without one."""

    name: str


class UnusableVoice(Exception):
    """A recording is not one of a known speaker's voice; the message is what is wrong with it."""


class FileSpeakers(Protocol):
    """Collects the voices of one file, and finds its speakers at the end."""

    async def add(self, chunk: Chunk) -> None:
        """Embed the voices of a chunk; if that is impossible, the chunk has no speakers."""
        ...

    def assign(self, transcript: Transcript) -> tuple[Transcript, tuple[str, ...]]:
        """Return the transcript with its speakers, and warnings that say where it has none.

        Takes about a second for an hour of speech.
        """
        ...

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker, by number; as slow as :meth:`assign` before it."""
        ...


class VoiceReader(Protocol):
    """Reads the voice of a known speaker from a recording."""

    async def add(self, chunk: Chunk) -> None:
        """Embed the voices of a chunk of the recording."""
        ...

    def named(self, name: str) -> NamedVoice:
        """Return the voice.

        Raises:
            SpeakersUnavailable: It could not be embedded now.
            UnusableVoice: The recording has no speech, or several voices.
        """
        ...

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker that the search for speakers finds, by number."""
        ...


class FileLabelling(Protocol):
    """Starts the search for the speakers of files.

    ``file`` is the ID of the file, with which its jobs begin, ``client`` the client whose crashes
    are counted, and ``max_wait_s`` the deadline of each job if a client waits, otherwise ``None``.
    """

    def label_file(
        self,
        file: str,
        client: ClientId,
        max_wait_s: float | None,
        options: SpeakerOptions,
        known: Sequence[NamedVoice] = (),
    ) -> FileSpeakers:
        """Return what finds the speakers of a file, which get the names of known voices."""
        ...

    def read_voice(self, file: str, client: ClientId, max_wait_s: float | None) -> VoiceReader:
        """Return what reads the voice of a known speaker."""
        ...


class Speakers(SpeakerLabelling, FileLabelling, VoiceEmbedder, Protocol):
    """Distinguishes speakers, in live sessions and in files."""

    @property
    def model(self) -> str:
        """What identifies the model of the embeddings; empty if there is none."""
        ...

    @property
    def knows_voices(self) -> bool:
        """Whether a :class:`KnownName` may have an effect."""
        ...


@dataclass(frozen=True, slots=True)
class SpeakerRequest:
    """A request for the speakers of a file.

    Attributes:
        speakers: Distinguishes them.
        options: What is known of their number.
        known: The voices of known speakers.
    """

    speakers: FileLabelling
    options: SpeakerOptions
    known: tuple[NamedVoice, ...] = ()


class _NoLabeller:
    """Labels no final."""

    wake_at = inf
    is_settled = True
    labelled_finals = 0

    def voices(self) -> bytes:
        return b""

    def prints(self) -> Mapping[int, VoicePrint]:
        return {}

    def utterance_paused(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        pass

    utterance_ended = utterance_paused

    def due_jobs(self, now: float, *, is_live: bool) -> Sequence[EmbedJob]:
        return ()

    def job_done(self, job_id: JobId, result: SpeakerEmbeddings | AuricleError, now: float) -> None:
        pass

    def holds(self, number: int, now: float) -> bool:
        return False

    def labelled(self, final: Final) -> Final:
        return final

    def revised(self) -> Sequence[Final]:
        return ()

    def revised_before(self, id: int) -> Sequence[Final]:
        return ()

    def take_unknown(self) -> bool:
        return False

    def finish(self) -> None:
        pass


class _NoFileSpeakers:
    """Finds no speakers in a file, and no voice in a recording."""

    def __init__(self) -> None:
        self._has_speech = False

    async def add(self, chunk: Chunk) -> None:
        self._has_speech = True

    def assign(self, transcript: Transcript) -> tuple[Transcript, tuple[str, ...]]:
        return transcript, (NONE_FOUND,) if self._has_speech else ()

    def prints(self) -> Mapping[int, VoicePrint]:
        return {}

    def named(self, name: str) -> NamedVoice:
        raise SpeakersUnavailable if self._has_speech else UnusableVoice(NO_SPEECH)


class _NoSpeakers:
    """Distinguishes no speakers."""

    is_available = False
    model = ""
    knows_voices = False

    def prepare(self) -> None:
        pass

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        raise SpeakersUnavailable

    def stats(self) -> Stats:
        return Stats()

    def label_session(
        self, session: str, client: ClientId, options: SpeakerOptions, known_voices: bytes
    ) -> SpeakerLabeller:
        return NO_LABELLER

    def keep_voices(self, store: VoiceStore) -> VoiceKeeper:
        return NoVoiceKeeper(store)

    def label_file(
        self,
        file: str,
        client: ClientId,
        max_wait_s: float | None,
        options: SpeakerOptions,
        known: Sequence[NamedVoice] = (),
    ) -> FileSpeakers:
        return _NoFileSpeakers()

    def read_voice(self, file: str, client: ClientId, max_wait_s: float | None) -> VoiceReader:
        return _NoFileSpeakers()


NO_LABELLER: SpeakerLabeller = _NoLabeller()
NO_SPEAKERS: Speakers = _NoSpeakers()
