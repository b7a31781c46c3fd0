"""Open utterances: partials and speculative finals."""

import numpy as np
import pytest

from auricle.audio.endpointer import Pause
from auricle.session.context import DecodingContext
from auricle.session.utterances.utterance import (
    FIRST_PARTIAL_SAMPLES,
    FIRST_RETRY_SAMPLES,
    MIN_EARLY_SAMPLES,
    MIN_NEW_SAMPLES,
    SURE_PROBABILITY,
    Caller,
    JobFactory,
    OpenUtterance,
)
from auricle.values.errors import Overloaded, PoisonJob, Superseded
from auricle.values.events import Partial
from auricle.values.types import ClientId, Job, JobId, JobKind, Options, Pcm16
from tests.support.session import CLIENT, spoken, transcript

pytestmark = pytest.mark.unit

START, SPEECH = 10_000, 12_000
CALLER = Caller("S", CLIENT, {"": "room-1"})


def utterance(language: str | None = "en", prior: str | None = None) -> OpenUtterance:
    options = Options(language=language, initial_prompt="Names.", beam_size=5)
    return OpenUtterance(JobFactory(CALLER, 3), START, SPEECH, options, prior, 0.0)


def audio(seconds: float) -> Pcm16:
    return np.ones(int(seconds * 16_000), np.int16)


def guess(it: OpenUtterance, seconds: float) -> Job:
    return it.start_partial(audio(seconds), next_at=0.0).job


def hear(it: OpenUtterance, seconds: float, text: str, **changes: object) -> Partial | None:
    job = guess(it, seconds)
    return it.job_done(job.id, spoken(text, job, **changes))


def test_every_job_has_the_name_of_its_utterance_and_its_own_id() -> None:
    it = utterance()
    jobs = [guess(it, 1), guess(it, 2), it.start_speculation(audio(2), 0.0).job]
    jobs += [it.start_speculation(audio(3), 0.0).job]
    assert [job.id for job in jobs] == ["S:3:p1", "S:3:p2", "S:3:s1", "S:3:s2"]
    assert {job.utterance for job in jobs} == {"S:3"}
    assert {job.trace_id for job in jobs} == {"S"}
    assert {job.client for job in jobs} == {ClientId("tester")}


@pytest.mark.parametrize("kind", list(JobKind))
def test_the_room_of_a_session_is_for_its_finals(kind: JobKind) -> None:
    job = JobFactory(CALLER, 1).job("x", audio(1), Options(), kind)
    assert (job.reservation == "room-1") == (kind in (JobKind.FINAL, JobKind.FILE))
    assert job.max_wait_s is None


def test_the_first_partial_waits_for_a_word_and_the_next_for_something_new() -> None:
    it = utterance()
    assert not it.wants_partial(SPEECH + FIRST_PARTIAL_SAMPLES - 1)
    assert it.wants_partial(SPEECH + FIRST_PARTIAL_SAMPLES)
    job = guess(it, 1)
    heard = START + job.pcm.size
    assert not it.wants_partial(heard + MIN_EARLY_SAMPLES)  # one at a time
    it.job_done(job.id, spoken("one", job))
    assert not it.wants_partial(heard + MIN_EARLY_SAMPLES - 1)
    assert it.wants_partial(heard + MIN_EARLY_SAMPLES)
    it.pause = Pause(heard)
    assert not it.wants_partial(heard + MIN_EARLY_SAMPLES)


def test_once_words_are_stable_a_partial_waits_for_more() -> None:
    it = utterance()
    hear(it, 2, "and so my")
    hear(it, 3, "and so my")
    assert it.agreement.stable
    assert not it.wants_partial(START + 48_000 + MIN_NEW_SAMPLES - 1)
    assert it.wants_partial(START + 48_000 + MIN_NEW_SAMPLES)


def test_a_partial_is_greedy_and_asks_for_times() -> None:
    options = guess(utterance(), 1).options
    assert (options.beam_size, options.word_timestamps, options.language) == (1, True, "en")
    assert options.is_partial
    assert options.initial_prompt == "Names."


def test_a_partial_is_shown_with_what_is_stable_apart() -> None:
    it = utterance()
    assert hear(it, 2, "and so") == Partial(3, "", "and so", START, START + 32_000)
    partial = hear(it, 3, "and so my")
    assert partial == Partial(3, "and so", " my", START, START + 48_000)
    assert hear(it, 3.5, "and so my") == Partial(3, "and so my", "", START, START + 56_000)


def test_a_partial_without_new_text_is_not_shown() -> None:
    it = utterance()
    hear(it, 2, "and so")
    hear(it, 3, "and so")
    assert hear(it, 4, "and so") is None


def test_a_partial_that_was_refused_costs_a_turn_and_nothing_more() -> None:
    it = utterance()
    for error in (Overloaded("full", 1), Superseded("shed")):
        assert it.job_done(guess(it, 1).id, error) is None
    assert it.wants_partial(START + 16_000 + MIN_NEW_SAMPLES)
    assert hear(it, 2, "and so") is not None


def test_a_first_partial_that_found_no_room_is_made_again_soon_and_a_later_one_in_its_turn() -> (
    None
):
    it = utterance()
    it.job_done(it.start_partial(audio(1), next_at=99.0).job.id, Superseded("others wait"))
    again = START + 16_000 + FIRST_RETRY_SAMPLES
    assert not it.wants_partial(again - 1)
    assert it.wants_partial(again)
    assert it.next_partial_at < 99
    assert hear(it, 2, "and so") is not None
    it.job_done(it.start_partial(audio(3), next_at=99.0).job.id, Superseded("others wait"))
    assert not it.wants_partial(START + 48_000 + MIN_EARLY_SAMPLES - 1)
    assert it.next_partial_at == 99


def test_a_refused_partial_does_not_settle_the_language_of_the_next_one() -> None:
    it = utterance(language=None)
    it.job_done(guess(it, 1).id, Superseded("others wait"))
    assert hear(it, 2, "und so", **unsure("de")) is None
    assert hear(it, 3, "und so", **unsure("de")) is not None


def test_no_more_partials_are_made_at_what_kills_the_engine() -> None:
    it = utterance()
    it.job_done(guess(it, 1).id, PoisonJob("twice"))
    assert not it.wants_partial(START + 10 * 16_000)


def test_answers_to_other_jobs_are_ignored() -> None:
    it = utterance()
    job = guess(it, 1)
    assert it.job_done(JobId("S:3:p9"), spoken("other", job)) is None
    assert it.job_done(job.id, spoken("one", job)) is not None
    assert it.job_done(job.id, spoken("again", job)) is None


def test_a_final_in_advance_is_the_final_itself() -> None:
    it = utterance()
    job = it.start_speculation(audio(2), 7.0).job
    assert job.options == it.options
    assert job.kind is JobKind.SPECULATIVE
    assert it.speculation is not None
    assert (it.speculation.end_sample, it.speculation.submitted_at) == (START + 32_000, 7.0)
    heard = spoken("one", job)
    assert it.job_done(job.id, heard) is None
    assert it.speculation.result is heard


def test_a_final_in_advance_that_failed_is_forgotten() -> None:
    it = utterance()
    it.job_done(it.start_speculation(audio(2), 0.0).job.id, Overloaded("full", 1))
    assert it.speculation is None


def test_what_is_not_needed_any_more_is_cancelled_if_it_still_runs() -> None:
    it = utterance()
    assert it.drop_speculation() is None
    assert it.drop_partial() is None
    job = it.start_speculation(audio(2), 0.0).job
    dropped = it.drop_speculation()
    assert dropped is not None
    assert dropped.job_id == job.id
    done = it.start_speculation(audio(2), 0.0).job
    it.job_done(done.id, spoken("one", done))
    assert it.drop_speculation() is None
    partial = guess(it, 1)
    dropped = it.drop_partial()
    assert dropped is not None
    assert dropped.job_id == partial.id
    assert it.job_done(partial.id, spoken("late", partial)) is None


def unsure(language: str) -> dict[str, object]:
    return {"language": language, "language_probability": SURE_PROBABILITY - 0.01}


def test_a_language_that_was_given_is_not_doubted() -> None:
    assert hear(utterance("en"), 1, "hello", **unsure("cy")) is not None


def test_a_language_that_is_found_for_sure_is_kept_for_the_utterance() -> None:
    it = utterance(None)
    assert guess(it, 1).options.language is None
    assert hear(it, 1, "hallo", language="de", language_probability=SURE_PROBABILITY) is not None
    assert guess(it, 2).options.language == "de"


def test_a_doubtful_start_is_assumed_to_be_in_the_language_of_the_session() -> None:
    it = utterance(None, prior="en")
    assert hear(it, 1, "hollo", **unsure("nl")) is None
    job = guess(it, 2)
    assert job.options.language == "en"
    assert it.job_done(job.id, spoken("hello", job)) is not None


def test_without_a_prior_the_next_partial_decides() -> None:
    it = utterance(None)
    assert hear(it, 1, "hollo", **unsure("nl")) is None
    assert guess(it, 2).options.language is None
    assert hear(it, 2, "hello", **unsure("en")) is not None
    assert guess(it, 3).options.language == "en"


def test_an_empty_result_settles_no_language() -> None:
    it = utterance(None)
    assert hear(it, 1, "", language="en") is None
    assert guess(it, 2).options.language is None


def test_the_final_does_not_know_what_partials_found() -> None:
    it = utterance(None)
    hear(it, 1, "hallo", language="de")
    assert it.start_speculation(audio(2), 0.0).job.options.language is None


def test_text_without_words_is_only_shown() -> None:
    it = utterance()
    for seconds in (2, 3, 4):
        job = guess(it, seconds)
        it.job_done(job.id, transcript("no times", job))
    assert (it.agreement.stable, it.agreement.unstable) == ("", "no times")


def test_a_speculative_final_is_shown_after_a_partial_and_makes_nothing_stable() -> None:
    it = utterance()
    assert hear(it, 2, "one two") is not None
    late = guess(it, 2.2)
    job = it.start_speculation(audio(2.5), 0.0).job
    shown = it.job_done(job.id, spoken("One two, three.", job))
    assert shown == Partial(3, "", "One two, three.", START, START + 40_000)
    assert (
        it.job_done(late.id, spoken("one two", late)) is None
    )  # it would take back the third word
    assert hear(it, 3.5, "one two three four") == Partial(
        3, "one two", " three four", START, START + 56_000
    )


@pytest.mark.parametrize("text", ["One two.", "Won two three."])
def test_a_speculative_final_that_adds_nothing_or_contradicts_is_not_shown(text: str) -> None:
    it = utterance()
    hear(it, 2, "one two")
    hear(it, 3, "one two")
    assert it.agreement.stable == "one two"
    job = it.start_speculation(audio(3), 0.0).job
    assert it.job_done(job.id, spoken(text, job)) is None


def test_a_speculative_final_alone_or_in_another_language_is_not_shown() -> None:
    it = utterance()
    job = it.start_speculation(audio(2), 0.0).job
    assert it.job_done(job.id, spoken("one", job)) is None
    hear(it, 2, "one")
    job = it.start_speculation(audio(2), 0.0).job
    assert it.job_done(job.id, spoken("uno dos", job, language="es")) is None


def test_the_context_of_a_speculative_final_is_not_shown() -> None:
    it = utterance()
    hear(it, 2, "three")
    context = DecodingContext(audio(2))
    job = it.start_speculation(audio(2), 0.0, context).job
    shown = it.job_done(job.id, spoken("one two three four", job))
    assert shown is not None
    assert (shown.stable, shown.unstable) == ("", "three four")
