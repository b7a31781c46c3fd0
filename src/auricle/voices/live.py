"""Names for the speakers of a live session."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.speakers import Span, SpeakerLabeller
from auricle.values.types import JobId, Pcm16, Speaker, SpeakerEmbeddings
from auricle.voices.books import VoiceBook
from auricle.voices.matching import names_of

MAX_NAMED = 200
"""Newest finals whose names may still change, as many as their numbers may."""


class NamedLabeller:
    """A :class:`.SpeakerLabeller` whose finals have the names of known voices.

    The more a speaker says, the surer is the name, and numbers change as well. Finals that were
    sent are then revised.

    Args:
        labeller: Labels the finals.
        book: The known voices.
        end: Called when the voices of the session are final.
    """

    def __init__(
        self, labeller: SpeakerLabeller, book: VoiceBook, end: Callable[[], object] = lambda: None
    ) -> None:
        self._labeller = labeller
        self._book = book
        self._names: dict[int, str] = {}
        self._seen: object = None  # what the names depend on
        self._has_new_names = False
        self._sent: dict[int, Final] = {}  # by id, the newest last
        self._revised: set[int] = set()
        self.voices = labeller.voices
        self.prints = labeller.prints
        self.due_jobs = labeller.due_jobs
        self.holds = labeller.holds
        self.take_unknown = labeller.take_unknown
        self._end = end

    @property
    def wake_at(self) -> float:
        """See :class:`.SpeakerLabeller`, as for all that follows."""
        return self._labeller.wake_at

    @property
    def is_settled(self) -> bool:
        """Whether the speakers of all finals that were sent are known or stay unknown."""
        return self._labeller.is_settled

    @property
    def labelled_finals(self) -> int:
        """Number of finals that were labelled."""
        return self._labeller.labelled_finals

    def utterance_paused(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Receive an open utterance, which probably ends here."""
        self._labeller.utterance_paused(number, pcm, start_sample, voiced, now)

    def utterance_ended(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Receive an utterance that has ended."""
        self._labeller.utterance_ended(number, pcm, start_sample, voiced, now)

    def job_done(self, job_id: JobId, result: SpeakerEmbeddings | AuricleError, now: float) -> None:
        """Receive the result of a job."""
        self._labeller.job_done(job_id, result, now)

    def labelled(self, final: Final) -> Final:
        """Return a final with its speakers and their names, if they are known."""
        labelled = self._labeller.labelled(final)
        self._find_names()
        named = self._sent[final.id] = self._named(labelled)
        if len(self._sent) > MAX_NAMED:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._revised.discard(oldest)
        return named

    def revised(self) -> Sequence[Final]:
        """Return the finals whose speakers or their names have changed since they were sent."""
        revised = {final.id: final for final in self._labeller.revised()}
        self._find_names(have_moved=bool(revised))
        if not self._has_new_names and not revised:
            return ()
        self._has_new_names = False
        finals = {id: self._named(revised.get(id, sent)) for id, sent in self._sent.items()}
        changed = [final for id, final in finals.items() if final != self._sent[id]]
        for final in changed:
            self._sent[final.id] = final
            self._revised.add(final.id)
        return changed

    def revised_before(self, id: int) -> Sequence[Final]:
        """Return all finals up to an id that were ever revised."""
        return [self._sent[each] for each in sorted(self._revised) if each <= id]

    def finish(self) -> None:
        """Take a last look at all speech."""
        self._labeller.finish()
        self._end()

    def _find_names(self, *, have_moved: bool = False) -> None:
        """Find the names again if voices are new, or stretches have moved between speakers."""
        seen = self._labeller.labelled_finals, self._book.version
        if seen == self._seen and not have_moved:
            return
        self._seen, voices, before = seen, self._book.voices, self._names
        if voices.names or before:
            self._names = names_of(self._labeller.prints(), voices, before)
        self._has_new_names = self._has_new_names or self._names != before

    def _named(self, final: Final) -> Final:
        numbers = {segment.speaker for segment in final.segments or ()} | {final.speaker}
        named = [Speaker(n, self._names[n]) for n in sorted(self._names) if n in numbers]
        return replace(final, speakers=tuple(named))
