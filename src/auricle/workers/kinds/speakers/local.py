"""Distinguishes speakers by embeddings: :class:`auricle.values.speakers.Speakers`."""

from collections.abc import Sequence

from auricle.values.speakers import NamedVoice
from auricle.values.transcriber import Stats, VoiceEmbedder
from auricle.values.types import ClientId, EmbedJob, SpeakerEmbeddings, SpeakerOptions
from auricle.values.voice_keeper import VoiceStore
from auricle.workers.kinds.speakers.file_voices import PATIENCE_S, FileVoices
from auricle.workers.kinds.speakers.kept_voices import KeptVoices
from auricle.workers.kinds.speakers.labels import SpeakerLabels
from auricle.workers.kinds.speakers.recorded_voice import RecordedVoice
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from auricle.workers.kinds.speakers.voices.names import Reference


class LiveLabelling:
    """Labels live sessions; their jobs are run elsewhere.

    Args:
        model: Identifies the model of the embeddings; voices of another one can't be compared.
    """

    is_available = True
    knows_voices = False

    def __init__(self, model: str = "") -> None:
        self.model = model

    def label_session(
        self, session: str, client: ClientId, options: SpeakerOptions, known_voices: bytes
    ) -> SpeakerLabels:
        """Return the labeller of a session; see :meth:`.SpeakerLabelling.label_session`."""
        known = KnownVoices.decoded(known_voices, self.model)
        return SpeakerLabels(session, client, options, known, model=self.model)

    def can_continue(self, voices: bytes) -> bool:
        """Return whether voices are valid, and of the same model."""
        return KnownVoices.decoded(voices, self.model) is not None

    def keep_voices(self, store: VoiceStore) -> KeptVoices:
        """Return what keeps the voices of sessions, in a store as well."""
        return KeptVoices(self.can_continue, store)


class LocalSpeakers(LiveLabelling):
    """Distinguishes speakers in sessions and in files.

    Args:
        embedder: Embeds voices.
        model: Identifies its model.
        patience_s: Time for which a chunk of a file is repeated, in seconds.
    """

    def __init__(
        self, embedder: VoiceEmbedder, model: str = "", *, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(model)
        self._embedder = embedder
        self._patience_s = patience_s

    def prepare(self) -> None:
        """Begin to get ready."""
        self._embedder.prepare()

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return embeddings; see :meth:`.VoiceEmbedder.embed`.

        Raises:
            SpeakersUnavailable: They can't be computed now.
        """
        return await self._embedder.embed(job)

    def stats(self) -> Stats:
        """Return a snapshot of the state of the workers."""
        return self._embedder.stats()

    def label_file(
        self,
        file: str,
        client: ClientId,
        max_wait_s: float | None,
        options: SpeakerOptions,
        known: Sequence[NamedVoice] = (),
    ) -> FileVoices:
        """Return what finds the speakers of a file; see :class:`.FileLabelling`."""
        references = [voice for voice in known if isinstance(voice, Reference)]
        return FileVoices(
            self._embedder,
            file,
            client,
            max_wait_s,
            options,
            references,
            patience_s=self._patience_s,
            model=self.model,
        )

    def read_voice(self, file: str, client: ClientId, max_wait_s: float | None) -> RecordedVoice:
        """Return what reads the voice of a known speaker; see :class:`.FileLabelling`."""
        return RecordedVoice(self.label_file(file, client, max_wait_s, SpeakerOptions()))
