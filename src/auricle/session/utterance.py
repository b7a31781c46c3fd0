"""An utterance that is open: guesses at it, and a final in advance when its end is likely."""

from dataclasses import dataclass, field, replace
from math import inf

from auricle.errors import AuricleError, PoisonJob, Superseded
from auricle.events import Partial
from auricle.session.agreement import Agreement
from auricle.session.output import Cancel, Submit
from auricle.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    Pcm16,
    Transcript,
)

FIRST_PARTIAL_SAMPLES = SAMPLE_RATE_HZ // 2
"""Speech that the first guess needs: a word or two."""
MIN_EARLY_SAMPLES = SAMPLE_RATE_HZ * 3 // 10
"""What a guess must hear anew as long as no word is firm: whoever speaks waits for the first."""
FIRST_RETRY_SAMPLES = SAMPLE_RATE_HZ // 5
"""Where others were before it, the first guess asks again so soon; later ones lose their turn."""
MIN_NEW_SAMPLES = SAMPLE_RATE_HZ // 2
SURE_PROBABILITY = 0.6
"""A language that was found with at least this probability is believed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose jobs these are."""

    session: str
    client: ClientId
    reservation: str | None


@dataclass(frozen=True, slots=True)
class JobFactory:
    """Makes the jobs of one utterance; all of them bear its name."""

    caller: Caller
    number: int

    def job(self, suffix: str, pcm: Pcm16, options: Options, kind: JobKind) -> Job:
        """Return a job whose id ends with the suffix."""
        utterance = f"{self.caller.session}:{self.number}"
        is_final = kind in (JobKind.FINAL, JobKind.FILE)
        return Job(
            id=JobId(f"{utterance}:{suffix}"),
            pcm=pcm,
            options=options,
            kind=kind,
            client=self.caller.client,
            utterance=utterance,
            reservation=self.caller.reservation if is_final else None,
            trace_id=self.caller.session,
        )


@dataclass(slots=True)
class Speculation:
    """A final asked for before the utterance's end is sure."""

    job_id: JobId
    end_sample: int
    submitted_at: float
    result: Transcript | None = None


@dataclass(slots=True)
class _Guess:
    job_id: JobId
    end_sample: int
    language: str | None


@dataclass(slots=True)
class OpenUtterance:
    """One utterance from its start to its end.

    Attributes:
        factory: Makes its jobs.
        start_sample: Where its audio begins.
        speech_sample: Where speech was found.
        options: What its final is asked with; nothing of what was heard before is in them.
        prior_language: What the session speaks, as far as is known.
        next_partial_at: No guess is asked for before this time.
    """

    factory: JobFactory
    start_sample: int
    speech_sample: int
    options: Options
    prior_language: str | None
    next_partial_at: float
    is_paused: bool = False
    agreement: Agreement = field(default_factory=Agreement)
    speculation: Speculation | None = None
    _language: str | None = None
    _guess: _Guess | None = None
    _guesses: int = 0
    _answers: int = 0
    _speculations: int = 0
    _heard_sample: int | None = None
    _retry_sample: int = 0
    _is_poison: bool = False

    @property
    def number(self) -> int:
        """Which utterance of its session it is."""
        return self.factory.number

    def wants_partial(self, received_sample: int) -> bool:
        """Whether there is something new to guess at, once it is time."""
        if self._guess is not None or self.is_paused or self._is_poison:
            return False
        if self._heard_sample is None:
            first_sample = self.speech_sample + FIRST_PARTIAL_SAMPLES
            return received_sample >= max(first_sample, self._retry_sample)
        least = MIN_NEW_SAMPLES if self.agreement.stable else MIN_EARLY_SAMPLES
        return received_sample - self._heard_sample >= least

    def start_partial(self, pcm: Pcm16, next_at: float) -> Submit:
        """Ask for a guess at the utterance so far."""
        self._guesses += 1
        self.next_partial_at = next_at
        self._heard_sample = self.start_sample + pcm.size
        language = self.options.language or self._language
        options = replace(
            self.options, beam_size=1, word_timestamps=True, language=language, is_guess=True
        )
        job = self.factory.job(f"p{self._guesses}", pcm, options, JobKind.PARTIAL)
        self._guess = _Guess(job.id, self._heard_sample, language)
        return Submit(job)

    def start_speculation(self, pcm: Pcm16, now: float) -> Submit:
        """Ask for the final that it will be if nothing more is said."""
        self._speculations += 1
        suffix = f"s{self._speculations}"
        job = self.factory.job(suffix, pcm, self.options, JobKind.SPECULATIVE)
        self.speculation = Speculation(job.id, self.start_sample + pcm.size, now)
        return Submit(job)

    def drop_speculation(self) -> Cancel | None:
        """More was said: the final in advance is of no use."""
        speculation, self.speculation = self.speculation, None
        if speculation is None or speculation.result is not None:
            return None
        return Cancel(speculation.job_id)

    def drop_partial(self) -> Cancel | None:
        """No guess is needed any more."""
        guess, self._guess = self._guess, None
        return None if guess is None else Cancel(guess.job_id)

    def job_done(self, job_id: JobId, result: Transcript | AuricleError) -> Partial | None:
        """Take an answer; return what is to be shown. Answers to other jobs are ignored."""
        speculation = self.speculation
        if speculation is not None and speculation.job_id == job_id:
            if isinstance(result, Transcript):
                speculation.result = result
            else:
                self.speculation = None
            return None
        guess = self._guess
        if guess is None or guess.job_id != job_id:
            return None
        self._guess = None
        if isinstance(result, Transcript):
            self._answers += 1
            return self._believe(guess, result)
        self._is_poison |= isinstance(result, PoisonJob)
        if isinstance(result, Superseded) and not self._answers:
            self._heard_sample, self.next_partial_at = None, -inf
            self._retry_sample = guess.end_sample + FIRST_RETRY_SAMPLES
        return None

    def _believe(self, guess: _Guess, transcript: Transcript) -> Partial | None:
        """Take a hypothesis, if it is in the language that the utterance is in."""
        if guess.language is None and not self._settle_language(transcript):
            return None
        before = self.agreement.stable, self.agreement.unstable
        self.agreement.receive(transcript, guess.end_sample - self.start_sample)
        shown = self.agreement.stable, self.agreement.unstable
        if shown == before:
            return None
        return Partial(self.number, *shown, self.start_sample, guess.end_sample)

    def _settle_language(self, transcript: Transcript) -> bool:
        """Decide on the language; return whether the transcript is in it.

        A short beginning is often taken for another language. What the session has spoken so far
        wins over a doubtful finding, and where that isn't known the next guess decides.
        """
        found = transcript.language
        if found is None or not transcript.text:
            return False
        is_sure = transcript.language_probability >= SURE_PROBABILITY
        self._language = found if is_sure or self._answers > 1 else self.prior_language
        return self._language == found
