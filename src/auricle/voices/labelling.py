"""Distinguishes speakers, and gives those their names whose voices are known."""

import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import structlog

from auricle.values.errors import AuricleError
from auricle.values.speakers import (
    FileSpeakers,
    KnownName,
    NamedVoice,
    SpeakerLabeller,
    Speakers,
    VoicePrint,
    VoiceReader,
)
from auricle.values.transcriber import Stats
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Chunk,
    ClientId,
    EmbedJob,
    JobId,
    Speaker,
    SpeakerEmbeddings,
    SpeakerOptions,
    Transcript,
)
from auricle.values.voice_keeper import VoiceKeeper, VoiceStore
from auricle.voices.books import VoiceBooks
from auricle.voices.live import NamedLabeller
from auricle.voices.matching import NONE_KNOWN, KnownVoices, names_of
from auricle.voices.recent import RecentVoices
from auricle.voices.settings import VoicesSettings
from auricle.voices.stored import EnrolledVoices

MAX_WAIT_S = 10.0
"""Longest wait for the size of the model's embeddings."""
UNKNOWN_NAME = "known_speaker_names has {} without a stored voice."
_log = structlog.get_logger("auricle.server")


class NamedSpeakers:
    """A :class:`.Speakers` that knows voices.

    Args:
        speakers: Distinguishes the speakers.
        settings: Which clients may know voices.
        stored: The known voices.

    Attributes:
        settings: The same.
        stored: The same.
        books: The known voices of clients with sessions.
        recent: The voices of the last transcripts' speakers.
        keeper: Keeps the voices of sessions; ``None`` before it is opened.
    """

    knows_voices = True

    def __init__(
        self, speakers: Speakers, settings: VoicesSettings, stored: EnrolledVoices
    ) -> None:
        self._speakers = speakers
        self.settings = settings
        self.stored = stored
        self.books = VoiceBooks(stored, speakers.model)
        self.recent = RecentVoices(stored, settings.recent_voices_s)
        self.keeper: VoiceKeeper | None = None
        self._dimensions: int | None = None

    @property
    def is_available(self) -> bool:
        """See :class:`.Speakers`, as for all that follows."""
        return self._speakers.is_available

    @property
    def model(self) -> str:
        """Identifies the model of the embeddings."""
        return self._speakers.model

    def prepare(self) -> None:
        """Begin to get ready."""
        self._speakers.prepare()

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return embeddings."""
        return await self._speakers.embed(job)

    async def dimensions(self) -> int:
        """Return the number of dimensions of the model's embeddings.

        Raises:
            SpeakersUnavailable: No worker can say it now.
        """
        if self._dimensions is None:
            noise = np.random.default_rng(0).integers(-2000, 4000, SAMPLE_RATE_HZ, np.int16)
            id = JobId(f"voices-{secrets.token_hex(8)}:0:voices")
            job = EmbedJob(id, noise, ((0, noise.size),), max_wait_s=MAX_WAIT_S)
            self._dimensions = (await self._speakers.embed(job)).vectors.shape[1]
        return self._dimensions

    def stats(self) -> Stats:
        """Return a snapshot of the state of the workers."""
        return self._speakers.stats()

    def keep_voices(self, store: VoiceStore) -> VoiceKeeper:
        """Return what keeps the voices of live sessions."""
        self.keeper = self._speakers.keep_voices(store)
        return self.keeper

    def label_session(
        self, session: str, client: ClientId, options: SpeakerOptions, known_voices: bytes
    ) -> SpeakerLabeller:
        """Return the labeller of a session."""
        labeller = self._speakers.label_session(session, client, options, known_voices)
        if not self.settings.may_know(client):
            return labeller
        end = partial(self.recent.end, client, session)
        named = NamedLabeller(labeller, self.books.open(client), end)
        self.recent.follow(client, session, named)
        return named

    def label_file(
        self,
        file: str,
        client: ClientId,
        max_wait_s: float | None,
        options: SpeakerOptions,
        known: Sequence[NamedVoice] = (),
    ) -> FileSpeakers:
        """Return what finds the speakers of a file."""
        speakers = self._speakers.label_file(file, client, max_wait_s, options, known)
        if not self.settings.may_know(client):
            return speakers
        names = (each.name for each in known if isinstance(each, KnownName))
        wanted = frozenset(unicodedata.normalize("NFC", name.strip()) for name in names)
        job = file.rpartition("#")[0] if max_wait_s is None else ""
        return NamedFile(speakers, self, client, job, wanted)

    def read_voice(self, file: str, client: ClientId, max_wait_s: float | None) -> VoiceReader:
        """Return what reads a voice from a recording."""
        return self._speakers.read_voice(file, client, max_wait_s)


class NamedFile:
    """A :class:`.FileSpeakers` whose speakers have the names of known voices.

    Args:
        speakers: Finds the speakers.
        named: Has the known voices.
        client: Whose voices.
        job: The caller's id of its background job; empty: it has none.
        wanted: The only names to give; empty: all.
    """

    def __init__(
        self,
        speakers: FileSpeakers,
        named: NamedSpeakers,
        client: ClientId,
        job: str,
        wanted: frozenset[str],
    ) -> None:
        self._speakers = speakers
        self._named = named
        self._client = client
        self._job = job
        self._wanted = wanted

    async def add(self, chunk: Chunk) -> None:
        """Embed the voices of a chunk."""
        await self._speakers.add(chunk)

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker, by number."""
        return self._speakers.prints()

    def assign(self, transcript: Transcript) -> tuple[Transcript, tuple[str, ...]]:
        """Return the transcript with its speakers and their names, and warnings."""
        transcript, warnings = self._speakers.assign(transcript)
        prints = self._speakers.prints()
        if self._job:
            self._named.recent.end_job(self._client, self._job, prints)
        known = self._known()
        if missing := self._wanted.difference(known.names):
            warnings = (*warnings, UNKNOWN_NAME.format(len(missing)))
        names = names_of(prints, known)
        speakers = tuple(
            Speaker(each.number, each.name or self._wanted_name(names.get(each.number)))
            for each in transcript.speakers
        )
        return replace(transcript, speakers=speakers), warnings

    def _known(self) -> KnownVoices:
        """Return the known voices; none if the database does not answer: the text counts more."""
        try:
            return self._named.books.read(self._client)
        except AuricleError as error:
            _log.warning("known_voices_wait", code=error.code)
            return NONE_KNOWN

    def _wanted_name(self, name: str | None) -> str | None:
        """Return a name that may be given; all voices compete, not only those of such names."""
        return name if not self._wanted or name in self._wanted else None
