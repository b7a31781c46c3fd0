"""The speakers of a session: which utterances are labelled, and what waits for their labels.

Who speaks is found elsewhere (:mod:`auricle.values.speakers`). Until the client requests speakers,
and where they can't be distinguished, nothing here costs anything.
"""

from collections.abc import Sequence

from auricle.audio.endpointer import Pause, UtteranceEnd
from auricle.session.output import Prepare
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.events import Final, FinalSpeakers, SpeakerRevision, Warned, WarningCode
from auricle.values.speakers import NO_LABELLER, SpeakerLabelling
from auricle.values.types import ClientId, EmbedJob, SpeakerOptions

LAST_PATIENCE_S = 5.0
"""Maximum delay of the end of a session by its last speakers. A worker that has died is back in
about two seconds."""
MAX_PATIENT_LOAD = 0.5
"""Load up to which a final waits for its speaker. Above it, most workers are busy: finals wait for
each other, and voices are late, too."""

UNAVAILABLE = Warned(
    WarningCode.SPEAKERS_UNAVAILABLE,
    "The voices can't be compared now; some text has no speakers.",
)


class SessionSpeakers:
    """Labels the utterances of a session, once its client has requested speakers.

    Args:
        labelling: Starts the labels.
        session: ID of the session.
        client: The client that jobs are charged to.
        known_voices: The voices of a lost session, whose speakers' numbers continue; empty: none.

    Attributes:
        has_started: Whether speakers were requested; before, nothing is due and nothing waits.
        labeller: Finds the speakers of the session.
        is_labelling: Whether utterances that start or end now are labelled.
    """

    def __init__(
        self, labelling: SpeakerLabelling, session: str, client: ClientId, known_voices: bytes
    ) -> None:
        self._labelling = labelling
        self._session = session
        self._client = client
        self._known_voices = known_voices
        self.labeller = NO_LABELLER
        self.has_started = self.is_labelling = False

    @property
    def continue_known(self) -> bool:
        """Whether the numbers of a lost session's speakers continue."""
        return bool(self._known_voices) and self._labelling.is_available

    @property
    def labelled_finals(self) -> int:
        """Number of finals with speakers; if it is the same, so are the voices."""
        return self.labeller.labelled_finals

    @property
    def has_voices(self) -> bool:
        """Whether there are known voices."""
        return bool(self._known_voices) or self.labelled_finals > 0

    def voices(self) -> bytes:
        """Return the voices of all speakers so far, also of a lost session; empty: no voice."""
        return self.labeller.voices() if self.labelled_finals else self._known_voices

    def request(self, options: SpeakerOptions | None) -> Prepare | Warned | None:
        """Label later utterances, or stop to (``None``); return what follows from it."""
        is_available = self._labelling.is_available
        self.is_labelling = options is not None and is_available
        if options is None or self.has_started:
            return None
        if not is_available:
            return UNAVAILABLE
        self.has_started = True
        self.labeller = self._labelling.label_session(
            self._session, self._client, options, self._known_voices
        )
        return Prepare(EmbedJob)

    def receive(
        self, number: int, event: Pause | UtteranceEnd, segmenter: SpeechSegmenter, now: float
    ) -> None:
        """Embed the voice of an utterance that has ended, or probably ends in this pause.

        Args:
            number: Number of the utterance.
            event: Its pause or end.
            segmenter: Holds its audio.
            now: Monotonic time in seconds.
        """
        if not self.is_labelling:
            return
        pcm = segmenter.read(event.start_sample, event.end_sample)
        is_over, labeller = isinstance(event, UtteranceEnd), self.labeller
        receive = labeller.utterance_ended if is_over else labeller.utterance_paused
        receive(number, pcm, event.start_sample, event.voiced, now)

    def wake_at(self, stopped_at: float, now: float) -> float:
        """Return when jobs are due, or something that waits for speakers waits no longer.

        Args:
            stopped_at: When the audio ended, if all finals were sent; otherwise infinity.
            now: Monotonic time in seconds.
        """
        wake_at = self.labeller.wake_at
        delays = self.delay_end(stopped_at, now)
        return min(wake_at, stopped_at + LAST_PATIENCE_S) if delays else wake_at

    def hold(self, utterance: int, now: float, load: float) -> bool:
        """Return whether a final, whose text is known, waits for its speaker.

        While recognition is behind, it does not: a revision follows.
        """
        return load <= MAX_PATIENT_LOAD and self.labeller.holds(utterance, now)

    def revised(self, *, is_over: bool) -> Sequence[Final]:
        """Return the finals whose speakers have changed since they were sent.

        Args:
            is_over: Whether no more speech follows.
        """
        if is_over:
            self.labeller.finish()
        return self.labeller.revised()

    def revision_until(self, id: int) -> SpeakerRevision | None:
        """Return all revisions of finals up to an id, for a client that resumes."""
        revised = self.labeller.revised_before(id)
        return revision(revised) if revised else None

    def take_warning(self) -> Warned | None:
        """Return a warning if a voice stays unknown since the last call."""
        return UNAVAILABLE if self.labeller.take_unknown() else None

    def delay_end(self, stopped_at: float, now: float) -> bool:
        """Return whether the end of the session waits for the speakers of its last finals."""
        return not self.labeller.is_settled and now < stopped_at + LAST_PATIENCE_S


def revision(finals: Sequence[Final]) -> SpeakerRevision:
    """Return the event that reports the speakers of finals."""
    return SpeakerRevision(
        tuple(
            FinalSpeakers(final.id, final.speaker, final.segments or (), final.speakers)
            for final in finals
        )
    )
