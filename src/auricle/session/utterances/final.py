"""The pending final of an ended utterance: submit its job until there is a result.

An utterance that follows another closely is decoded together with it
(:mod:`auricle.session.context`). The text of a doubtful utterance is kept only if its word
probabilities are high: the model transcribes a breath as "Yeah.". Unfinished speech keeps the words
up to its end.

A final depends only on the audio of the utterance, the audio shortly before it, and the options of
the session. The result of any attempt is therefore equally valid: a speculative one, a retry after
an overload, or a retry after a crash. A speculative one may still run when the final is submitted:
the transcriber then uses its result, and the first of both to be done counts.
"""

from dataclasses import dataclass, replace
from math import inf

from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.session.output import Cancel, Submit
from auricle.session.utterances.utterance import JobFactory, Speculation
from auricle.values.errors import (
    AudioError,
    AuricleError,
    DeadlineExceeded,
    Overloaded,
    PoisonJob,
    RateLimited,
    RequestError,
    Superseded,
    TooLate,
)
from auricle.values.events import Trigger
from auricle.values.types import Job, JobId, JobKind, Options, Pcm16, Transcript

RETRY_FIRST_S = 0.25
RETRY_MAX_S = 5.0
RATE_LIMITED_MAX_S = 30.0
MAX_FAILURES = 5
"""Failures after which a final is reported as failed. The pool already retries after worker
crashes, so repeated failures are a defect."""

UNFINISHED_TURN_PROBABILITY = 0.05
"""Probability of a finished turn below which the sentence continues. It is lower at 33 % of 36
places in the middle of read sentences, and at none of 12 ends (``bench/stops.py``)."""

SURE_WORDS_PROBABILITY = 0.8
"""Minimum mean word probability to keep the text of a doubtful utterance. Words that the model
hallucinates on breaths and coughs have 0.05 to 0.78 (base, greedy, ``research/live_room.py``)."""
SURE_WORDS_IN_CONTEXT_PROBABILITY = 0.5
"""The same for an utterance decoded together with preceding speech: with that context, models do
not hallucinate words on breaths and coughs."""


def sure_of(transcript: Transcript, *, has_context: bool) -> Transcript:
    """Return the transcript of a doubtful utterance, without text if its words are improbable."""
    words = [word for segment in transcript.segments for word in segment.words or ()]
    least = SURE_WORDS_IN_CONTEXT_PROBABILITY if has_context else SURE_WORDS_PROBABILITY
    if words and sum(word.probability for word in words) >= least * len(words):
        return transcript
    return replace(transcript, text="", segments=())


def spoken_part(transcript: Transcript) -> Transcript:
    """Return the transcript of unfinished speech without the words after its end.

    The model completes a sentence that breaks off: "beautiful form" became "beautiful form should
    be done." The alignment finds no time for such words. Of 88 finals of read speech that was cut,
    8 had more words than were spoken, and 1 has them without these; no spoken word is dropped
    (base, beam 2, 2026-11-30).
    """
    words = [word for segment in transcript.segments for word in segment.words or ()]
    lengths = [word.end_sample - word.start_sample for word in words]
    kept = next((at for at in range(len(words), 0, -1) if lengths[at - 1] > 0), len(words))
    if kept == len(words):
        return transcript
    segments = []
    for segment in transcript.segments:
        own = (segment.words or ())[: max(0, kept)]
        kept -= len(segment.words or ())
        if own:
            text = "".join(word.text for word in own)
            segments.append(replace(segment, text=text, words=own, end_sample=own[-1].end_sample))
    text = "".join(segment.text for segment in segments).strip()
    return replace(transcript, text=text, segments=tuple(segments))


@dataclass(slots=True)
class PendingFinal:
    """A final whose result is pending.

    Attributes:
        factory: Creates the jobs.
        pcm: The audio of the utterance, including pre-roll and post-roll.
        start_sample: Position of the first sample of ``pcm``.
        end_sample: Position after its last sample.
        speech_sample: Position where speech was detected.
        speech_end_sample: Position where the last speech ended.
        options: The options of the jobs.
        arrived_at: Monotonic time at which the last sample of speech arrived.
        ended_at: Monotonic time at which the utterance ended.
        speculation: The speculative final, if one is pending or done.
        is_doubtful: Whether the utterance is short and its voice is weak.
        is_cut: Whether it was ended in the middle of speech by its length.
        is_unfinished: Whether a request ended it there, and the engine returns words.
        context: Preceding speech that it is decoded together with.
        give_up_at: Monotonic time after which its job must not start.
        end_of_turn: As in :class:`auricle.values.events.Final`.
        trigger: As in :class:`auricle.values.events.Final`.
        result: The result, or ``None`` while it is pending.
    """

    factory: JobFactory
    pcm: Pcm16
    start_sample: int
    end_sample: int
    speech_sample: int
    speech_end_sample: int
    options: Options
    arrived_at: float
    ended_at: float
    speculation: Speculation | None = None
    is_doubtful: bool = False
    is_cut: bool = False
    is_unfinished: bool = False
    context: DecodingContext = NO_CONTEXT
    give_up_at: float = inf
    end_of_turn: float | None = None
    trigger: Trigger | None = None
    result: Transcript | AuricleError | None = None
    _due_at: float = -inf
    _job_id: JobId | None = None
    _submitted_at: float = inf
    _attempts: int = 0
    _refusals: int = 0
    _failures: int = 0

    def __post_init__(self) -> None:
        if (early := self.speculation) is not None and early.result is not None:
            self.speculation = None
            self._receive(early.result)

    @property
    def is_mid_sentence(self) -> bool:
        """Whether its sentence continues: it was cut, or does not sound finished."""
        probability = self.end_of_turn
        return self.is_cut or (
            probability is not None and probability < UNFINISHED_TURN_PROBABILITY
        )

    @property
    def wake_at(self) -> float:
        """When to submit the next job; infinity while one is running or when there is a result."""
        return inf if self.result is not None or self._job_id is not None else self._due_at

    def submit(self, kind: JobKind, now: float) -> Submit[Job] | None:
        """Return the next job to submit, or ``None`` if none is due."""
        if self.wake_at > now:
            return None
        self._attempts += 1
        suffix = "f" if self._attempts == 1 else f"f{self._attempts}"
        pcm, options = self.context.job_input(self.pcm, self.options)
        if self.is_doubtful or self.is_unfinished:
            options = replace(options, word_timestamps=True)
        max_start_s = None if self.give_up_at == inf else max(0.0, self.give_up_at - now)
        job = self.factory.job(suffix, pcm, options, kind, max_start_s)
        self._job_id, self._submitted_at = job.id, min(self._submitted_at, now)
        return Submit(job)

    def took_s(self, now: float) -> float:
        """Return the time since its first job was submitted; 0 if there was none."""
        return max(0.0, now - self._submitted_at)

    def job_done(
        self, job_id: JobId, result: Transcript | AuricleError, now: float
    ) -> Cancel | None:
        """Receive the result of a job; return the other job to cancel, if any.

        Results of unrelated jobs are ignored.
        """
        early = self.speculation
        if early is not None and early.job_id == job_id:
            self.speculation = None
            if not isinstance(result, Transcript):
                self._due_at = min(self._due_at, now)
                return None
            other, self._job_id = self._job_id, None
            self._receive(result)
            return None if other is None else Cancel(other)
        if job_id != self._job_id:
            return None
        self._job_id = None
        if now >= self.give_up_at and not self._is_answer(result):
            result = TooLate()
        if not self._is_answer(result):
            self._due_at = now + self._delay_s(result)
            return None
        self.speculation = None
        self._receive(result)
        return None if early is None else Cancel(early.job_id)

    def _receive(self, answer: Transcript | AuricleError) -> None:
        """Use the answer, or decode the utterance alone if its context left no text of it."""
        has_context = self.context.samples > 0
        if isinstance(answer, Transcript):
            if has_context:
                answer = self.context.removed_from(answer)
            if self.is_unfinished:
                answer = spoken_part(answer)
            if self.is_doubtful:
                answer = sure_of(answer, has_context=has_context)
            elif has_context and not answer.text:
                self.context, self._due_at = NO_CONTEXT, -inf
                return
        self.result = answer

    def _is_answer(self, result: Transcript | AuricleError) -> bool:
        """Return whether a retry is pointless."""
        match result:
            case Overloaded() | RateLimited() | Superseded() | DeadlineExceeded():
                return False
            case Transcript() | PoisonJob() | AudioError() | RequestError() | TooLate():
                return True
            case _:  # a worker crash or a defect
                self._failures += 1
                return self._failures >= MAX_FAILURES

    def _delay_s(self, refusal: Transcript | AuricleError) -> float:
        delay_s: float = min(RETRY_FIRST_S * 2**self._refusals, RETRY_MAX_S)
        self._refusals = min(self._refusals + 1, 8)
        if isinstance(refusal, RateLimited):
            return min(max(delay_s, refusal.retry_after_s), RATE_LIMITED_MAX_S)
        return delay_s
