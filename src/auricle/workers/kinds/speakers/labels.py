"""The speakers of a session's finals: which voices to embed, and how labels become events.

::

    pause or end of an utterance → EmbedJob → embeddings ─┐
    final: its text and words ────────────────────────────┴→ tracker, in order → Final, revision

Labels depend on the audio of the session only. Embeddings reach the tracker in the order of their
utterances, even if they arrive in another, and a job that fails is repeated. So a resume, a replay
or the death of a worker changes when a label is known, but not the label.

A final waits at most :data:`PATIENCE_S` for its speaker, and not at all while an earlier one is
still unknown. If it is sent without a speaker, a revision follows.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf

import numpy as np
import numpy.typing as npt

from auricle.values.errors import AuricleError
from auricle.values.events import Final, SpeakerSegment
from auricle.values.speakers import Span, VoicePrint
from auricle.values.types import (
    NO_AUDIO,
    SAMPLE_RATE_HZ,
    ClientId,
    EmbedJob,
    JobId,
    Pcm16,
    Segment,
    SpeakerEmbeddings,
    SpeakerOptions,
    Word,
)
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from auricle.workers.kinds.speakers.voices.online import SpeakerTracker
from auricle.workers.kinds.speakers.voices.stretches import cut_live_stretches
from auricle.workers.kinds.speakers.voices.turns import Turn
from auricle.workers.kinds.speakers.voices.words import SENTENCE_ENDS, assign_speakers

Vector = npt.NDArray[np.float32]

PATIENCE_S = 0.5
"""Maximum delay of a final by its speaker. An utterance of 5 s is embedded in about 0.1 s, while
its text is decoded; on a busy machine it takes longer, and not every protocol has revisions."""
RETRY_FIRST_S, RETRY_MAX_S = 0.5, 8.0
GIVE_UP_S = 60.0
"""Time after which a voice stays unknown."""
MAX_HELD_SAMPLES = 120 * SAMPLE_RATE_HZ
"""Maximum audio that waits to be embedded; above it, the oldest voice stays unknown."""
MAX_REVISABLE = 200
"""Newest finals whose speakers may still change; their words are kept for that."""

MAX_MOVE_SAMPLES = SAMPLE_RATE_HZ
"""A change of speaker lies this far at most from the border of two stretches of 1.5 s."""
SENTENCE_MERIT_SAMPLES = SAMPLE_RATE_HZ // 2
"""The end of a sentence counts as much as such a pause."""
SURE = 1.0
"""Live turns have no confidence; it is removed from the words."""


@dataclass(slots=True, eq=False)
class _Voice:
    """An utterance whose speakers are not known yet; it may still be open."""

    number: int
    start_sample: int
    pcm: Pcm16 = field(default_factory=lambda: NO_AUDIO)
    stretches: tuple[Span, ...] = ()
    is_ended: bool = False
    ended_at: float = inf
    due_at: float = inf
    jobs: dict[JobId, tuple[Span, ...]] = field(default_factory=dict)
    attempts: int = 0
    known: dict[Span, Vector | None] = field(default_factory=dict)
    """Embeddings by stretch; ``None`` for one without a voice."""
    is_unknown: bool = False
    final: Final | None = None
    held_since: float | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it was embedded, or never will be."""
        return self.is_unknown or (self.is_ended and all(s in self.known for s in self.stretches))

    @property
    def missing(self) -> tuple[Span, ...]:
        """The stretches that are neither embedded nor part of a job."""
        running = {span for spans in self.jobs.values() for span in spans}
        return tuple(s for s in self.stretches if s not in self.known and s not in running)

    @property
    def held_until(self) -> float:
        """How long its final may wait; it is known since ``held_since``."""
        assert self.held_since is not None
        return self.held_since + PATIENCE_S

    @property
    def wake_at(self) -> float:
        """When to submit its next job."""
        return inf if self.is_ready or not self.missing else self.due_at

    def next_job(self, session: str, client: ClientId, *, is_live: bool) -> EmbedJob:
        """Return a job for what is missing."""
        self.attempts += 1
        id, at, missing = (
            JobId(f"{session}:{self.number}:v{self.attempts}"),
            self.start_sample,
            self.missing,
        )
        self.jobs[id] = missing
        return EmbedJob(
            id,
            self.pcm,
            tuple((start - at, end - at) for start, end in missing),
            client=client,
            max_wait_s=GIVE_UP_S,
            is_live=is_live,
        )

    def receive(self, job_id: JobId, embeddings: SpeakerEmbeddings) -> None:
        """Receive the embeddings of a job; it returns none for stretches without a voice."""
        self.known |= dict.fromkeys(self.jobs.pop(job_id))
        for (start, end), vector in zip(embeddings.stretches, embeddings.vectors, strict=True):
            self.known[start + self.start_sample, end + self.start_sample] = vector
        if self.is_ready:
            self.pcm = NO_AUDIO


class SpeakerLabels:
    """The speakers of one session; see the module.

    Args:
        session: ID of the session.
        client: The client that jobs are charged to.
        options: What is known about the number of speakers.
        known: The voices of an earlier session, whose numbers continue.
        model: Identifies the model of the embeddings.
    """

    def __init__(
        self,
        session: str,
        client: ClientId,
        options: SpeakerOptions,
        known: KnownVoices | None = None,
        *,
        model: str = "",
    ) -> None:
        self._session = session
        self._client = client
        self._model = model
        self._tracker = SpeakerTracker(options, known)
        self._voices: deque[_Voice] = deque()
        self._finals: dict[int, Final] = {}  # as sent, by utterance, the newest last
        self._stretches: dict[int, tuple[Span, ...]] = {}
        self._labels: dict[int, tuple[int, ...]] = {}
        self._tracked: list[int] = []  # the utterance of each addition to the tracker
        self._changed: set[int] = set()  # utterances whose turns changed after their final was sent
        self._revised: set[int] = set()
        self._is_finished = False
        self._has_unknown = False

    @property
    def wake_at(self) -> float:
        """When to call :meth:`due_jobs` next, or to ask again whether a final must wait."""
        jobs = min((voice.wake_at for voice in self._voices), default=inf)
        return min(jobs, *(v.held_until for v in self._voices if self._is_held(v)), inf)

    @property
    def labelled_finals(self) -> int:
        """Number of finals that were labelled; if it is the same, so are the known voices."""
        return len(self._tracked)

    def voices(self) -> bytes:
        """Return the voices of all finals that were labelled, and those known before."""
        return self._tracker.known_voices().encoded(self._model)

    def prints(self) -> Mapping[int, VoicePrint]:
        """Return the voice of each speaker so far, by number."""
        return self._tracker.known_voices().prints(self._model)

    def take_unknown(self) -> bool:
        """Return whether a voice stays unknown since the last call."""
        has_unknown, self._has_unknown = self._has_unknown, False
        return has_unknown

    @property
    def is_settled(self) -> bool:
        """Whether the speakers of all finals that were sent are known or stay unknown."""
        return not any(voice.final is not None for voice in self._voices)

    def utterance_paused(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Embed an open utterance, which probably ends here.

        Only what speech after the pause changes is embedded again.

        Args:
            number: Number of the utterance.
            pcm: Its audio so far.
            start_sample: Position of the audio in the session.
            voiced: Where there is speech, in the session.
            now: Monotonic time in seconds.
        """
        self._voice_of(number, pcm, start_sample, voiced, now)

    def utterance_ended(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> None:
        """Embed an utterance that has ended; its final follows.

        Args:
            number: As for :meth:`utterance_paused`, also the others.
            pcm: Its audio.
            start_sample: Position of the audio in the session.
            voiced: Where there is speech, in the session.
            now: Monotonic time in seconds.
        """
        voice = self._voice_of(number, pcm, start_sample, voiced, now)
        voice.is_ended, voice.ended_at = True, now
        waiting = [voice for voice in self._voices if not voice.is_ready]
        while sum(voice.pcm.size for voice in waiting) > MAX_HELD_SAMPLES:
            self._give_up(waiting.pop(0))

    def due_jobs(self, now: float, *, is_live: bool) -> list[EmbedJob]:
        """Return the jobs that are due.

        Args:
            now: Monotonic time in seconds.
            is_live: Whether the audio arrives in real time.
        """
        return [
            voice.next_job(self._session, self._client, is_live=is_live)
            for voice in self._voices
            if voice.wake_at <= now
        ]

    def job_done(self, job_id: JobId, result: SpeakerEmbeddings | AuricleError, now: float) -> None:
        """Receive the result of a job; results of unknown jobs are ignored."""
        voice = next((voice for voice in self._voices if job_id in voice.jobs), None)
        if voice is None:
            return
        if isinstance(result, SpeakerEmbeddings):
            voice.receive(job_id, result)
        else:
            del voice.jobs[job_id]
            if now - voice.ended_at >= GIVE_UP_S:
                self._give_up(voice)
            elif voice.is_ended:
                voice.due_at = now + min(RETRY_FIRST_S * 2 ** (voice.attempts - 1), RETRY_MAX_S)
            else:
                voice.due_at = inf  # until its end, or its next pause
        self._label()

    def holds(self, number: int, now: float) -> bool:
        """Return whether the final of an utterance, whose text is known, must wait."""
        voice = self._find(number)
        if voice is None:
            return False
        voice.held_since = now if voice.held_since is None else voice.held_since
        return self._is_held(voice) and now < voice.held_until

    def labelled(self, final: Final) -> Final:
        """Return a final, which is sent now, with its speakers if they are known.

        Call it once for each final, in order. ``words`` must be the words that the recogniser
        found, even if the client does not want them.
        """
        voice = self._find(final.utterance)
        if voice is None:
            return final
        voice.final = self._finals[final.utterance] = final
        if len(self._finals) > MAX_REVISABLE:
            self._forget(next(iter(self._finals)))
        self._label()
        self._changed.discard(final.utterance)
        labelled = self._finals[final.utterance] = self._with_speakers(final)
        return labelled

    def revised(self) -> list[Final]:
        """Return the finals whose speakers have changed since they were sent."""
        changed, self._changed = sorted(self._changed), set()
        finals = []
        for number in changed:
            final = self._with_speakers(self._finals[number])
            if final != self._finals[number]:
                self._finals[number] = final
                self._revised.add(number)
                finals.append(final)
        return finals

    def revised_before(self, id: int) -> list[Final]:
        """Return all finals up to an id that were ever revised, for a client that resumes."""
        finals = (self._finals[number] for number in sorted(self._revised))
        return [final for final in finals if final.id <= id]

    def finish(self) -> None:
        """Take a last look at all speech; :meth:`revised` returns what changes."""
        if not self._is_finished:
            self._is_finished = True
            self._note(self._tracker.finish())

    def _voice_of(
        self, number: int, pcm: Pcm16, start_sample: int, voiced: Sequence[Span], now: float
    ) -> _Voice:
        """Return an utterance with its audio so far, which is to be embedded now."""
        voice = self._open(number, start_sample)
        voice.pcm, voice.stretches, voice.due_at = pcm, cut_live_stretches(voiced), now
        return voice

    def _open(self, number: int, start_sample: int) -> _Voice:
        """Return the newest utterance; a newer one than that follows one that was discarded."""
        newest = self._voices[-1] if self._voices else None
        if newest is not None and newest.number == number:
            return newest
        if newest is not None and not newest.is_ended:
            self._voices.pop()
        self._voices.append(_Voice(number, start_sample))
        return self._voices[-1]

    def _find(self, number: int) -> _Voice | None:
        return next((voice for voice in self._voices if voice.number == number), None)

    def _is_held(self, voice: _Voice) -> bool:
        """Return whether a final waits: it is the next one, and its voice is not embedded yet.

        While an earlier final has no speaker yet, later ones don't wait.
        """
        is_next = voice is self._voices[0]
        return voice.held_since is not None and is_next and not voice.is_ready and not voice.final

    def _give_up(self, voice: _Voice) -> None:
        voice.is_unknown, voice.pcm = True, NO_AUDIO
        self._has_unknown = True

    def _label(self) -> None:
        """Label all utterances whose turn it is: embedded, and the final is known.

        Sounds without text do not reach the tracker.
        """
        while self._voices:
            voice = self._voices[0]
            if voice.final is None or not voice.is_ready:
                return
            self._voices.popleft()
            vectors = {span: voice.known.get(span) for span in voice.stretches}
            found = {span: vector for span, vector in vectors.items() if vector is not None}
            if voice.is_unknown or not found or not voice.final.text:
                continue
            index = len(self._tracked)
            self._tracked.append(voice.number)
            labels = self._tracker.label(tuple(found), np.stack(tuple(found.values())))
            self._stretches[voice.number] = tuple(found)
            self._note({index: labels})
            self._note(self._tracker.revise())

    def _note(self, labels_of: Mapping[int, tuple[int, ...]]) -> None:
        """Record the labels of finals, by index in the tracker."""
        for index, labels in labels_of.items():
            number = self._tracked[index]
            if number in self._finals:
                self._labels[number] = labels
                self._changed.add(number)

    def _with_speakers(self, final: Final) -> Final:
        if (labels := self._labels.get(final.utterance)) is None:
            return final
        turns = turns_of(self._stretches[final.utterance], labels, final.words or ())
        whole = Segment(final.start_sample, final.end_sample, final.text, final.words or None)
        parts = assign_speakers((whole,), turns)
        segments = tuple(
            SpeakerSegment(part.start_sample, part.end_sample, part.text.strip(), part.speaker)
            for part in parts
        )
        words = final.words
        if words is not None:
            words = tuple(
                replace(word, speaker_confidence=None)
                for part in parts
                for word in part.words or ()
            )
        return replace(final, words=words, speaker=_main_speaker(segments), segments=segments)

    def _forget(self, number: int) -> None:
        del self._finals[number]
        self._labels.pop(number, None)
        self._stretches.pop(number, None)
        self._changed.discard(number)
        self._revised.discard(number)


def turns_of(stretches: Sequence[Span], labels: Sequence[int], words: Sequence[Word]) -> list[Turn]:
    """Return the turns of a final; a change of speaker is moved to a pause between two words.

    Args:
        stretches: Its stretches, in order.
        labels: The speaker of each.
        words: Its words; empty if they are unknown.
    """
    edges = [stretches[0][0]]
    for (before, after), (speaker, next_speaker) in zip(
        pairwise(stretches), pairwise(labels), strict=True
    ):
        at = (before[1] + after[0]) // 2
        edges.append(at if speaker == next_speaker else _best_pause(words, at))
    edges.append(stretches[-1][1])
    spans = pairwise(np.maximum.accumulate(edges).tolist())
    return [
        Turn(start, end, label, SURE)
        for (start, end), label in zip(spans, labels, strict=True)
        if end > start
    ]


def _best_pause(words: Sequence[Word], at: int) -> int:
    """Return the border of two words near a position: at a sentence's end or a long pause."""

    def merit(pair: tuple[Word, Word]) -> float:
        before, after = pair
        pause = after.start_sample - before.end_sample
        is_end = before.text.rstrip()[-1:] in SENTENCE_ENDS
        return pause + is_end * SENTENCE_MERIT_SAMPLES - abs(_between(*pair) - at) / 2

    near = [pair for pair in pairwise(words) if abs(_between(*pair) - at) <= MAX_MOVE_SAMPLES]
    return _between(*max(near, key=merit)) if near else at


def _between(before: Word, after: Word) -> int:
    return (before.end_sample + after.start_sample) // 2


def _main_speaker(segments: Sequence[SpeakerSegment]) -> int | None:
    """Return the speaker who speaks longest."""
    samples: Counter[int | None] = Counter()
    for segment in segments:
        samples[segment.speaker] += segment.end_sample - segment.start_sample
    return samples.most_common(1)[0][0]
