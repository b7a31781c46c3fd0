"""Pending finals."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from auricle.session.context import DecodingContext
from auricle.session.output import Cancel
from auricle.session.utterances.final import (
    MAX_FAILURES,
    RATE_LIMITED_MAX_S,
    RETRY_FIRST_S,
    RETRY_MAX_S,
    PendingFinal,
)
from auricle.session.utterances.utterance import Caller, JobFactory, Speculation
from auricle.values.errors import (
    AudioError,
    AuricleError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
    WorkerError,
)
from auricle.values.types import Job, JobId, JobKind, Options, Segment, Transcript, Word
from tests.support.session import CLIENT, transcript

pytestmark = pytest.mark.unit

PCM = np.ones(32_000, np.int16)
OPTIONS = Options(language="en", beam_size=5, initial_prompt="Names.")
BEFORE = DecodingContext(np.full(16_000, 2, np.int16))
EARLY = JobId("S:1:s1")


def pending(speculation: Speculation | None = None) -> PendingFinal:
    return PendingFinal(
        factory=JobFactory(Caller("S", CLIENT, {"": "room-1"}), 1),
        pcm=PCM,
        start_sample=1000,
        end_sample=33_000,
        speech_sample=5000,
        speech_end_sample=30_000,
        options=OPTIONS,
        arrived_at=5.0,
        ended_at=5.5,
        speculation=speculation,
    )


def only_ask(job: Job) -> Transcript:
    """Return a transcript whose only word is in the context."""
    segment = Segment(0, 48_000, " ask", (Word(8000, 15_000, " ask", 0.99),))
    return transcript("ask", job, segments=(segment,))


def foretold(submitted_at: float = 10.0) -> PendingFinal:
    return pending(Speculation(EARLY, 33_000, submitted_at))


def ask(it: PendingFinal, now: float = 10.0, kind: JobKind = JobKind.FINAL) -> Job:
    submit = it.submit(kind, now)
    assert submit is not None
    return submit.job


def test_it_is_asked_for_at_once_and_once() -> None:
    it = pending()
    assert it.wake_at == -inf
    job = ask(it)
    assert (job.id, job.kind, job.reservation) == ("S:1:f", JobKind.FINAL, "room-1")
    assert job.options is OPTIONS
    assert job.pcm is PCM
    assert it.wake_at == inf
    assert it.submit(JobKind.FINAL, 1e9) is None
    assert it.end_sample == 33_000


def test_an_answer_ends_it() -> None:
    it = pending()
    job = ask(it)
    answer = transcript("hello", job)
    assert it.job_done(job.id, answer, 11.0) is None
    assert it.result is answer
    assert it.wake_at == inf


@pytest.mark.parametrize(
    ("probabilities", "text"),
    [
        ((0.36,), ""),
        ((0.62, 0.5), ""),
        ((), ""),  # without words, there is no probability
        ((0.75, 0.9), "Good night."),
    ],
)
def test_the_text_of_a_doubtful_utterance_counts_if_its_words_are_sure(
    probabilities: tuple[float, ...], text: str
) -> None:
    it = pending()
    it.is_doubtful = True
    job = ask(it)
    assert job.options == replace(OPTIONS, word_timestamps=True)
    words = tuple(Word(0, 100, " word", probability) for probability in probabilities)
    answer = transcript("Good night.", job, segments=(Segment(0, 200, " Good night.", words),))
    it.job_done(job.id, answer, 11.0)
    assert isinstance(it.result, Transcript)
    assert (it.result.text, it.result.language) == (text, "en")
    assert bool(it.result.segments) is bool(text)


@pytest.mark.parametrize(("probability", "text"), [(0.9, "not."), (0.5, "not."), (0.4, "")])
def test_a_doubtful_utterance_is_decoded_together_with_the_speech_before_it(
    probability: float, text: str
) -> None:
    it = pending()
    it.is_doubtful, it.context = True, BEFORE
    job = ask(it)
    assert np.array_equal(job.pcm, np.concatenate([BEFORE.pcm, PCM]))
    assert it.end_sample == 33_000
    words = (Word(8000, 15_000, " ask", 0.99), Word(15_500, 17_000, " not.", probability))
    segment = Segment(0, 48_000, " ask not.", words)
    it.job_done(job.id, transcript("ask not.", job, segments=(segment,)), 11.0)
    assert isinstance(it.result, Transcript)
    assert (it.result.text, it.result.duration_samples) == (text, 32_000)
    moved = replace(words[1], start_sample=0, end_sample=1000)
    assert [part.words for part in it.result.segments] == ([(moved,)] if text else [])


def test_a_doubtful_utterance_with_only_words_of_its_context_is_empty() -> None:
    it = pending()
    it.is_doubtful, it.context = True, BEFORE
    job = ask(it)
    it.job_done(job.id, only_ask(job), 11.0)
    assert isinstance(it.result, Transcript)
    assert (it.result.text, it.result.segments) == ("", ())


def test_an_utterance_that_follows_closely_keeps_its_own_words() -> None:
    it = pending()
    it.context = BEFORE
    job = ask(it)
    assert job.options == replace(OPTIONS, word_timestamps=True)
    words = (Word(8000, 15_000, " ask", 0.99), Word(15_500, 17_000, " not.", 0.1))
    answer = transcript("ask not.", job, segments=(Segment(0, 48_000, " ask not.", words),))
    it.job_done(job.id, answer, 11.0)
    assert isinstance(it.result, Transcript)
    assert it.result.text == "not."


def test_speech_without_own_words_in_context_is_decoded_alone() -> None:
    it = pending()
    it.context = BEFORE
    job = ask(it)
    it.job_done(job.id, only_ask(job), 11.0)
    assert it.result is None
    alone = ask(it, 11.0)
    assert (alone.pcm is PCM, alone.options, alone.id) == (True, OPTIONS, "S:1:f2")
    it.job_done(alone.id, transcript("not", alone), 12.0)
    assert isinstance(it.result, Transcript)
    assert it.result.text == "not"


@pytest.mark.parametrize("is_done", [True, False])
def test_a_speculative_final_in_context_is_treated_as_the_final(is_done: bool) -> None:
    early = pending()
    early.context = BEFORE
    result = only_ask(ask(early))
    speculation = Speculation(EARLY, 33_000, 10.0, result if is_done else None)
    it = replace(early, speculation=speculation, _job_id=None, _attempts=0)
    if not is_done:
        it.job_done(EARLY, result, 10.1)
    assert it.result is None
    assert ask(it).pcm is PCM


def test_a_doubtful_utterance_that_fails_reports_its_error() -> None:
    it = pending()
    it.is_doubtful = True
    job = ask(it)
    it.job_done(job.id, PoisonJob("twice"), 11.0)
    assert isinstance(it.result, PoisonJob)


def test_answers_to_other_jobs_are_ignored() -> None:
    it = pending()
    job = ask(it)
    assert it.job_done(JobId("S:1:f9"), transcript("other", job), 11.0) is None
    assert it.job_done(EARLY, transcript("other", job), 11.0) is None
    assert it.result is None
    it.job_done(job.id, transcript("hello", job), 11.0)
    first = it.result
    it.job_done(job.id, transcript("again", job), 11.0)
    assert it.result is first


@pytest.mark.parametrize(
    "refusal",
    [
        Overloaded("full", 1),
        NoWorkerReady("starting", 1),
        Draining("bye", 1),
        Superseded("shed"),
        DeadlineExceeded("late"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_is_never_the_last_word(refusal: AuricleError) -> None:
    it = pending()
    now, waits, ids = 10.0, [], []
    for _ in range(30):
        job = ask(it, now)
        ids.append(job.id)
        it.job_done(job.id, refusal, now)
        assert it.submit(JobKind.FINAL, now) is None
        waits.append(it.wake_at - now)
        now = it.wake_at
    assert waits[:4] == pytest.approx([RETRY_FIRST_S * 2**n for n in range(4)])
    assert waits[-1] == pytest.approx(RETRY_MAX_S)
    assert len(set(ids)) == 30
    job = ask(it, now)
    it.job_done(job.id, transcript("hello", job), now)
    assert it.result is not None


def test_a_blocked_key_waits_for_the_reported_time_within_bounds() -> None:
    it = pending()
    it.job_done(ask(it).id, RateLimited("too much", 7), 10.0)
    assert it.wake_at == 17.0
    it.job_done(ask(it, 17.0).id, RateLimited("too much", 3600), 17.0)
    assert it.wake_at == 17.0 + RATE_LIMITED_MAX_S


@pytest.mark.parametrize(
    "error",
    [PoisonJob("twice"), AudioError("bad"), BadRequest("what")],
    ids=lambda error: type(error).__name__,
)
def test_permanent_errors_are_reported_at_once(error: AuricleError) -> None:
    it = pending()
    it.job_done(ask(it).id, error, 10.0)
    assert it.result is error
    assert it.wake_at == inf


@pytest.mark.parametrize("error", [WorkerError("gone"), AuricleError("a bug")])
def test_what_is_broken_is_given_up_after_some_attempts(error: AuricleError) -> None:
    it = pending()
    now = 10.0
    for _ in range(MAX_FAILURES):
        assert it.result is None
        it.job_done(ask(it, now).id, error, now)
        now = min(it.wake_at, now + 100)
    assert it.result is error


def test_refusals_are_no_failures() -> None:
    it = pending()
    now = 10.0
    for error in [WorkerError("gone"), Overloaded("full", 1)] * (MAX_FAILURES - 1):
        it.job_done(ask(it, now).id, error, now)
        now = it.wake_at
    assert it.result is None


def test_each_asking_is_of_the_class_that_the_session_is_in_then() -> None:
    it = pending()
    job = ask(it, kind=JobKind.FILE)
    it.job_done(job.id, Superseded("shed"), 10.0)
    again = ask(it, 20.0, JobKind.FINAL)
    assert (job.kind, again.kind) == (JobKind.FILE, JobKind.FINAL)
    assert job.pcm is again.pcm
    assert job.options is again.options


def test_a_final_that_is_there_in_advance_is_not_asked_for() -> None:
    early = Speculation(EARLY, 33_000, 10.0, transcript("hello", ask(pending())))
    it = pending(early)
    assert it.result is early.result
    assert it.submit(JobKind.FINAL, 1e9) is None


def test_it_is_submitted_at_once_while_the_speculative_one_is_on_its_way() -> None:
    it = foretold(submitted_at=10.0)
    assert it.wake_at == -inf
    assert ask(it, 10.0).id == "S:1:f"
    assert it.wake_at == inf
    assert it.submit(JobKind.FINAL, 1e9) is None


def test_the_first_of_both_answers_counts_and_the_other_is_cancelled() -> None:
    it = foretold()
    job = ask(it, 11.0)
    answer = transcript("early", job)
    assert it.job_done(EARLY, answer, 11.5) == Cancel(job.id)
    assert it.result is answer
    assert it.job_done(job.id, transcript("late", job), 12.0) is None
    assert it.result is answer
    other = foretold()
    job = ask(other, 11.0)
    assert other.job_done(job.id, answer, 11.5) == Cancel(EARLY)
    assert other.job_done(EARLY, transcript("late", job), 12.0) is None
    assert other.result is answer


@pytest.mark.parametrize("error", [Overloaded("full", 1), PoisonJob("twice"), Superseded("shed")])
def test_if_the_one_in_advance_fails_the_final_is_tried(error: AuricleError) -> None:
    it = foretold()
    assert it.job_done(EARLY, error, 10.1) is None
    assert it.result is None
    job = ask(it, 10.1)
    it.job_done(job.id, PoisonJob("twice"), 10.2)
    assert isinstance(it.result, PoisonJob)


def test_if_it_fails_while_the_final_is_on_its_way_nothing_changes() -> None:
    it = foretold()
    job = ask(it, 11.0)
    assert it.job_done(EARLY, Superseded("shed"), 11.1) is None
    assert it.wake_at == inf
    assert it.job_done(job.id, transcript("hello", job), 12.0) is None  # nothing to cancel
    assert it.result is not None


def test_a_final_that_was_refused_may_still_be_answered_by_the_one_in_advance() -> None:
    it = foretold()
    it.job_done(ask(it, 11.0).id, Overloaded("full", 1), 11.0)
    answer = transcript("early", ask(pending()))
    assert it.job_done(EARLY, answer, 11.1) is None
    assert it.result is answer
    assert it.wake_at == inf


def said(job: Job, *words: tuple[str, int, int]) -> Transcript:
    """Return a transcript of words with their times, in two segments."""
    parts = [Word(start, end, f" {text}", 0.5) for text, start, end in words]
    segments = tuple(
        Segment(each[0].start_sample, each[-1].end_sample, "".join(w.text for w in each), each)
        for each in (tuple(parts[:1]), tuple(parts[1:]))
        if each
    )
    return transcript(" ".join(text for text, _, _ in words), job, segments=segments)


def test_unfinished_speech_keeps_the_words_up_to_its_end() -> None:
    it = replace(pending(), is_unfinished=True)
    job = ask(it)
    assert job.options == replace(OPTIONS, word_timestamps=True)
    end = PCM.size
    words = (("beautiful", 0, 9000), ("form", 9000, end), ("should", end, end), ("be.", end, end))
    it.job_done(job.id, said(job, *words), 11.0)
    assert isinstance(it.result, Transcript)
    assert it.result.text == "beautiful form"
    assert [segment.text for segment in it.result.segments] == [" beautiful", " form"]
    assert it.result.segments[-1].end_sample == end


@pytest.mark.parametrize("is_unfinished", [True, False])
def test_words_without_length_before_the_last_spoken_one_are_kept(is_unfinished: bool) -> None:
    it = replace(pending(), is_unfinished=is_unfinished)
    job = ask(it)
    answer = said(job, ("beautiful", 0, 9000), ("a", 9000, 9000), ("form", 9000, 30_000))
    it.job_done(job.id, answer, 11.0)
    assert it.result == answer


def test_a_finished_final_keeps_all_words_and_text_without_times_is_kept() -> None:
    for is_unfinished, words in (
        (False, (("form", 0, 9000), ("done.", 32_000, 32_000))),
        (True, (("form", 0, 0), ("done.", 0, 0))),
        (True, ()),
    ):
        it = replace(pending(), is_unfinished=is_unfinished)
        job = ask(it)
        answer = said(job, *words)
        it.job_done(job.id, answer, 11.0)
        assert it.result == answer
