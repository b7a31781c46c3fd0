"""An open utterance: its partials, and a speculative final when its end is likely."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

from auricle.audio.endpointer import Pause
from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.session.output import Cancel, Submit
from auricle.session.utterances.agreement import Agreement
from auricle.values.errors import AuricleError, PoisonJob, Superseded
from auricle.values.events import Partial
from auricle.values.types import (
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
"""Minimum speech for the first partial: a word or two."""
MIN_EARLY_SAMPLES = SAMPLE_RATE_HZ * 3 // 10
"""Minimum new audio for a partial while no word is stable, because the speaker waits for text."""
FIRST_RETRY_SAMPLES = SAMPLE_RATE_HZ // 5
"""New audio before the first partial is retried after it was superseded; later ones are skipped."""
MIN_NEW_SAMPLES = SAMPLE_RATE_HZ // 2
SURE_PROBABILITY = 0.6
"""Minimum probability to accept a detected language."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of jobs.

    Attributes:
        session: ID of the session.
        client: The client whose share of the queue is used.
        reservations: The queue reservation for finals of each model, by its name in the options.
    """

    session: str
    client: ClientId
    reservations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class JobFactory:
    """Creates the jobs of one utterance; their IDs begin with the ID of the utterance."""

    caller: Caller
    number: int

    def job(
        self,
        suffix: str,
        pcm: Pcm16,
        options: Options,
        kind: JobKind,
        max_start_s: float | None = None,
    ) -> Job:
        """Return a job whose ID ends with the suffix."""
        utterance = f"{self.caller.session}:{self.number}"
        is_final = kind in (JobKind.FINAL, JobKind.FILE)
        reservation = self.caller.reservations.get(options.model) if is_final else None
        return Job(
            id=JobId(f"{utterance}:{suffix}"),
            pcm=pcm,
            options=options,
            kind=kind,
            client=self.caller.client,
            utterance=utterance,
            max_start_s=max_start_s,
            reservation=reservation,
            trace_id=self.caller.session,
        )


class UtteranceNumbers:
    """Numbers the utterances of a session, from 1.

    Attributes:
        last: The last number; 0 before the first.
    """

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """Return the number of the next utterance."""
        self.last += 1
        return self.last


@dataclass(slots=True)
class Speculation:
    """A speculative final, submitted before the endpoint is certain."""

    job_id: JobId
    end_sample: int
    submitted_at: float
    result: Transcript | None = None
    context: DecodingContext = NO_CONTEXT


@dataclass(slots=True)
class _PartialJob:
    job_id: JobId
    end_sample: int
    language: str | None


@dataclass(slots=True)
class OpenUtterance:
    """One utterance from its start to its end.

    Attributes:
        factory: Creates the jobs.
        start_sample: Position of the first sample.
        speech_sample: Position where speech was detected.
        options: The options of the final; they do not depend on earlier results.
        prior_language: The language of the session so far, if known.
        next_partial_at: Earliest monotonic time of the next partial.
        pause: The present pause, since its end is likely.
        has_word_times: Whether its model returns words.
    """

    factory: JobFactory
    start_sample: int
    speech_sample: int
    options: Options
    prior_language: str | None
    next_partial_at: float
    has_word_times: bool = True
    pause: Pause | None = None
    has_eager: bool = False
    """Whether an eager final was sent in this pause."""
    agreement: Agreement = field(default_factory=Agreement)
    speculation: Speculation | None = None
    _language: str | None = None
    _partial_job: _PartialJob | None = None
    _partial_count: int = 0
    _answers: int = 0
    _speculations: int = 0
    _decoded_sample: int | None = None
    _retry_sample: int = 0
    _shown_sample: int = 0
    _is_poison: bool = False

    @property
    def number(self) -> int:
        """The number of the utterance in its session."""
        return self.factory.number

    @property
    def language(self) -> str | None:
        """The language of its partials; ``None`` while it is detected."""
        return self.options.language or self._language

    @property
    def _texts(self) -> tuple[str, str]:
        """The stable and the unstable text."""
        return self.agreement.stable, self.agreement.unstable

    def wants_partial(self, received_sample: int) -> bool:
        """Return whether there is enough new audio for a partial."""
        if self._partial_job is not None or self.pause is not None or self._is_poison:
            return False
        if self._decoded_sample is None:
            first_sample = self.speech_sample + FIRST_PARTIAL_SAMPLES
            return received_sample >= max(first_sample, self._retry_sample)
        least = MIN_NEW_SAMPLES if self.agreement.stable else MIN_EARLY_SAMPLES
        return received_sample - self._decoded_sample >= least

    def start_partial(
        self, pcm: Pcm16, next_at: float, *, is_streamed: bool = False
    ) -> Submit[Job]:
        """Return a job for a partial of the utterance so far.

        Args:
            pcm: The utterance so far.
            next_at: Earliest time of the next partial.
            is_streamed: Whether another model may recognise it, which returns words.
        """
        self._partial_count += 1
        self.next_partial_at = next_at
        self._decoded_sample = self.start_sample + pcm.size
        language = self.language
        options = replace(
            self.options,
            beam_size=1,
            word_timestamps=self.has_word_times or is_streamed,
            language=language,
            is_partial=True,
        )
        job = self.factory.job(f"p{self._partial_count}", pcm, options, JobKind.PARTIAL)
        self._partial_job = _PartialJob(job.id, self._decoded_sample, language)
        return Submit(job)

    def start_speculation(
        self, pcm: Pcm16, now: float, context: DecodingContext = NO_CONTEXT
    ) -> Submit[Job]:
        """Return a job for the speculative final, which holds if no more speech follows."""
        self._speculations += 1
        suffix = f"s{self._speculations}"
        job = self.factory.job(suffix, *context.job_input(pcm, self.options), JobKind.SPECULATIVE)
        end_sample = self.start_sample + pcm.size
        self.speculation = Speculation(job.id, end_sample, now, context=context)
        return Submit(job)

    def drop_speculation(self) -> Cancel | None:
        """Drop the speculative final; return its cancellation if the job is running."""
        speculation, self.speculation = self.speculation, None
        if speculation is None or speculation.result is not None:
            return None
        return Cancel(speculation.job_id)

    def drop_partial(self) -> Cancel | None:
        """Drop the pending partial; return its cancellation, if any."""
        job, self._partial_job = self._partial_job, None
        return None if job is None else Cancel(job.job_id)

    def job_done(self, job_id: JobId, result: Transcript | AuricleError) -> Partial | None:
        """Receive the result of a job; return the partial to send. Other jobs are ignored."""
        speculation = self.speculation
        if speculation is not None and speculation.job_id == job_id:
            if isinstance(result, Transcript):
                speculation.result = result
                return self._show(speculation, result)
            self.speculation = None
            return None
        job = self._partial_job
        if job is None or job.job_id != job_id:
            return None
        self._partial_job = None
        if isinstance(result, Transcript):
            self._answers += 1
            return self._use(job, result)
        self._is_poison |= isinstance(result, PoisonJob)
        if isinstance(result, Superseded) and not self._answers:
            self._decoded_sample, self.next_partial_at = None, -inf
            self._retry_sample = job.end_sample + FIRST_RETRY_SAMPLES
        return None

    def _show(self, speculation: Speculation, transcript: Transcript) -> Partial | None:
        """Return the text of a speculative final as a partial, if partials were shown before."""
        before = self._texts
        if not self._answers or transcript.language != self.language:
            return None
        if speculation.context.samples:
            transcript = speculation.context.removed_from(transcript)
        if not self.agreement.show(transcript) or self._texts == before:
            return None
        self._shown_sample = speculation.end_sample
        return Partial(self.number, *self._texts, self.start_sample, speculation.end_sample)

    def _use(self, job: _PartialJob, transcript: Transcript) -> Partial | None:
        """Use a hypothesis if it is in the language of the utterance."""
        if job.language is None and not self._settle_language(transcript):
            return None
        if job.end_sample < self._shown_sample:  # of before a speculative final that is shown
            return None
        before = self._texts
        self.agreement.receive(transcript, job.end_sample - self.start_sample)
        if self._texts == before:
            return None
        return Partial(self.number, *self._texts, self.start_sample, job.end_sample)

    def _settle_language(self, transcript: Transcript) -> bool:
        """Decide the language; return whether the transcript is in it.

        A short beginning is often detected as another language. The session's language so far
        overrides an uncertain detection; if it is unknown, the next hypothesis decides.
        """
        language = transcript.language
        if language is None or not transcript.text:
            return False
        is_sure = transcript.language_probability >= SURE_PROBABILITY
        self._language = language if is_sure or self._answers > 1 else self.prior_language
        return self._language == language
