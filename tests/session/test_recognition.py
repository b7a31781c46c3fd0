"""Which jobs are submitted, and how their results become events; endpointing is simulated."""

from math import inf

import numpy as np
import pytest

from auricle.audio.endpointer import Pause, Resumed, SpeechStart, UtteranceEnd
from auricle.session.output import Cancel
from auricle.session.recognition import EARLY_INTERVAL_S, LONG_PAUSE_SAMPLES, NO_PARTIALS_LOAD
from auricle.values.errors import Overloaded, PoisonJob
from auricle.values.events import Partial, SpeechEnded, SpeechStarted
from auricle.values.text_filters import redaction
from auricle.values.types import JobKind, Options, Redact, Segment, Word
from tests.session.helpers import SECOND, Stage, ended
from tests.support.session import spoken, transcript

pytestmark = pytest.mark.unit


def test_an_utterance_becomes_one_job_with_its_audio_and_one_final() -> None:
    stage = Stage(wants_partials=False)
    stage.utterance(1.0, 3.0)
    assert stage.of(SpeechStarted) == [SpeechStarted(17_600)]
    assert stage.of(SpeechEnded) == [SpeechEnded(44_800)]
    (job,) = stage.jobs()
    assert (job.kind, job.pcm.size, job.options) == (JobKind.FINAL, 2 * SECOND, stage.it.options)
    assert stage.it.next_final(1, stage.now) is None
    stage.answer(job, transcript(" hello ", job))
    outcome = stage.outcome()
    assert (outcome.text, outcome.start_sample, outcome.end_sample) == ("hello", 16_000, 48_000)
    assert (outcome.utterance, outcome.language, outcome.error) == (1, "en", None)
    assert (outcome.words, outcome.revised) == (None, False)
    assert stage.it.is_done


def test_finals_come_in_the_order_of_their_utterances_whenever_they_are_answered() -> None:
    stage = Stage(wants_partials=False)
    stage.utterance(1, 2)
    stage.utterance(3, 4)
    first, second = stage.jobs()
    stage.answer(second, transcript("two", second))
    assert stage.it.next_final(1, stage.now) is None
    stage.answer(first, transcript("one", first))
    assert [stage.outcome().text, stage.outcome().text] == ["one", "two"]


def test_silence_costs_nothing() -> None:
    stage = Stage()
    stage.until(60)
    assert stage.told == []
    assert stage.it.wake_at(stage.now) == inf
    assert stage.it.unfinished_samples == 0


def test_latency_counts_from_the_arrival_of_the_last_speech() -> None:
    stage = Stage(wants_partials=False)
    stage.utterance(1.0, 3.0)  # speech ends at 2.8
    (job,) = stage.jobs()
    stage.now = 4.0
    stage.answer(job, transcript("hello", job))
    assert stage.outcome().latency_ms == pytest.approx(1200)


def test_words_get_their_times_in_the_session_if_asked_for_and_begin_with_the_voice() -> None:
    stage = Stage(wants_partials=False, options=Options(word_timestamps=True))
    stage.utterance(1.0, 3.0)
    (job,) = stage.jobs()
    words = (Word(0, 8000, " hello", 0.5), Word(8000, 9000, " you", 0.6))
    segments = (Segment(0, 16_000, "hello you", words), Segment(16_000, 17_000, "none"))
    stage.answer(job, transcript("hello you none", job, segments=segments))
    assert stage.outcome().words == (
        Word(17_088, 24_000, " hello", 0.5),  # one VAD window before speech was detected
        Word(24_000, 25_000, " you", 0.6),
    )


def test_private_numbers_are_in_no_partial_and_in_no_final() -> None:
    options = Options(language="en", word_timestamps=True)
    stage = Stage(options=options, filters=redaction((Redact.PCI,)))
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    stage.until(1.0)
    (job,) = stage.jobs(JobKind.PARTIAL)
    stage.answer(job, spoken("My card is 4111 1111", job))
    (partial,) = stage.of(Partial)
    assert (partial.stable, partial.unstable) == ("", "My card is")
    stage.until(3.5)
    stage.happen(ended(0.0, 3.0))
    (job,) = stage.jobs(JobKind.FINAL)
    text = "My card is 4111-1111-1111-1111."
    words = (
        Word(8000, 9000, " is", 0.9),
        Word(9000, 10_000, " 4111-1111-1111", 0.9),
        Word(10_000, 20_000, "-1111.", 0.8),
    )
    stage.answer(job, transcript(text, job, segments=(Segment(0, 40_000, text, words),)))
    final = stage.outcome()
    assert final.text == "My card is [CREDIT_CARD]."
    assert final.words == (
        Word(8000, 9000, " is", 0.9),
        Word(9000, 20_000, " [CREDIT_CARD].", 0.8),
    )


def test_a_final_that_changes_a_stable_word_is_revised_and_one_that_changes_its_case_is_not() -> (
    None
):
    for text, revised in (
        ("one two three four", False),
        ("One, two. Three", False),
        ("one two threefold", True),
        ("one too three", True),
        ("", True),
    ):
        stage = Stage()
        stage.until(0.3)
        stage.happen(SpeechStart(0, 1600))
        for seconds in (1.2, 2.4):
            stage.until(seconds)
            (job,) = stage.jobs()[-1:]
            stage.answer(job, spoken("one two three", job))
        assert stage.of(Partial)[-1].stable == "one two three"
        stage.happen(ended(0, 2.4))
        (final,) = stage.jobs(JobKind.FINAL)
        stage.answer(final, transcript(text, final))
        assert stage.outcome().revised is revised


def test_a_sentence_that_a_pause_split_continues_in_lower_case() -> None:
    stage = Stage(wants_partials=False, options=Options(language="en", word_timestamps=True))
    outcomes = []
    for start, text in ((1, "One part,"), (3, "And the rest."), (5, "And more."), (10, "And then")):
        stage.utterance(start, start + 1.0)
        job = stage.jobs()[-1]
        word = Word(0, 100, f" {text.split()[0]}", 0.9)
        segment = Segment(0, SECOND, f" {text}", (word,))
        stage.answer(job, transcript(text, job, segments=(segment,)))
        outcomes.append(stage.outcome())
    assert [outcome.text for outcome in outcomes] == [
        "One part,",
        "and the rest.",
        "And more.",
        "And then",
    ]
    assert [words[0].text for outcome in outcomes if (words := outcome.words)] == [
        " One",
        " and",
        " And",
        " And",
    ]


@pytest.mark.parametrize("pause_s", [0.6, 5.0])
def test_a_final_after_the_end_of_a_sentence_begins_with_a_capital(pause_s: float) -> None:
    stage = Stage(wants_partials=False, options=Options(language="en", word_timestamps=True))
    start_s = 1.0
    for text in ("An art.", "has never been surpassed,", "by anyone."):
        stage.utterance(start_s, start_s + 1.0)
        job = stage.jobs()[-1]
        stage.answer(job, spoken(text, job))
        start_s += 1.0 + pause_s
    outcomes = [stage.outcome() for _ in range(3)]
    assert [outcome.text for outcome in outcomes] == [
        "An art.",
        "Has never been surpassed,",
        "by anyone.",
    ]
    assert outcomes[1].words is not None
    assert outcomes[1].words[0].text == " Has"


def test_after_a_long_pause_a_sentence_starts_again() -> None:
    stage = Stage(wants_partials=False)
    for start, text in ((1, "One part,"), (6, "And the rest.")):
        stage.utterance(start, start + 1.0)
        job = stage.jobs()[-1]
        stage.answer(job, transcript(text, job))
        assert stage.outcome().text == text


def test_a_final_that_failed_is_reported_with_its_error_and_its_language() -> None:
    stage = Stage(wants_partials=False)
    stage.utterance(1, 2)
    (job,) = stage.jobs()
    stage.answer(job, PoisonJob("twice"))
    outcome = stage.outcome()
    assert (outcome.text, outcome.error, outcome.language) == ("", "poison_job", "en")
    assert stage.it.is_done


def test_partials_come_fast_until_words_are_stable_and_then_every_second() -> None:
    stage = Stage()
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    for end in np.arange(0.5, 6.0, 0.02):
        stage.until(round(float(end), 2))
        for job in stage.jobs()[-1:]:
            stage.answer(job, spoken("word", job))
    sizes_s = [job.pcm.size / SECOND for job in stage.jobs(JobKind.PARTIAL)]
    assert sizes_s == pytest.approx([0.6, 0.9, 1.2, 1.7, 2.7, 3.7, 4.7, 5.7], abs=0.05)


def test_one_partial_at_a_time() -> None:
    stage = Stage()
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    stage.until(6)
    (job,) = stage.jobs()
    assert stage.it.wake_at(stage.now) == inf
    stage.answer(job, Overloaded("full", 1))
    assert stage.it.wake_at(stage.now) <= stage.now


@pytest.mark.parametrize(
    ("load", "interval_s"),
    [(0.0, EARLY_INTERVAL_S), (0.48, EARLY_INTERVAL_S / 0.52), (0.5, 2.0), (0.75, 4.0)],
)
def test_partials_become_rarer_under_load(load: float, interval_s: float) -> None:
    stage = Stage()
    stage.it.load = load
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    stage.until(0.6)
    (job,) = stage.jobs()
    asked_at = stage.now
    stage.until(1.5)
    stage.answer(job, spoken("word", job))
    due_at = stage.it.wake_at(stage.now)
    assert due_at == pytest.approx(asked_at + interval_s)


@pytest.mark.parametrize("load", [0.5, 0.75, NO_PARTIALS_LOAD, 1.0])
def test_streamed_partials_come_every_two_seconds_at_any_high_load(load: float) -> None:
    stage = Stage(streamed_languages=frozenset({"en"}))
    stage.it.load, stage.it.has_streams = load, True
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    for end in np.arange(0.6, 6.8, 0.02):
        stage.until(round(float(end), 2))
        stage.answer(stage.jobs()[-1], spoken("word", stage.jobs()[-1]))
    sizes_s = [job.pcm.size / SECOND for job in stage.jobs(JobKind.PARTIAL)]
    assert sizes_s == pytest.approx([0.6, 2.6, 4.6, 6.6], abs=0.05)


def test_under_load_there_are_no_partials() -> None:
    for change in ("load", "ahead", "unwanted"):
        stage = Stage(wants_partials=change != "unwanted")
        stage.it.load = NO_PARTIALS_LOAD if change == "load" else 0.0
        stage.pace.is_fast = change == "ahead"
        stage.until(0.3)
        stage.happen(SpeechStart(0, 1600))
        stage.until(3)
        assert stage.jobs() == []
        assert stage.it.wake_at(stage.now) == inf
        stage.happen(ended(0, 2.5))
        assert len(stage.jobs()) == 1


def test_an_end_that_is_likely_is_asked_for_in_advance_and_then_is_the_final() -> None:
    stage = Stage(wants_partials=False)
    stage.until(2.2)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND))
    (job,) = stage.jobs()
    assert (job.kind, job.pcm.size) == (JobKind.SPECULATIVE, 2 * SECOND)
    stage.answer(job, transcript("hello", job))
    stage.happen(ended(0, 2))
    assert stage.outcome().text == "hello"
    assert stage.jobs() == [job]


def test_the_speculative_final_has_the_audio_of_the_final() -> None:
    stage = Stage(wants_partials=False)
    stage.until(2.2)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND))
    (early,) = stage.jobs()
    stage.happen(ended(0, 2))
    (_, final) = stage.jobs()
    assert final.kind is JobKind.FINAL
    assert np.array_equal(final.pcm, early.pcm)
    assert final.options == early.options


def test_the_final_is_submitted_when_the_utterance_ends_while_its_speculative_job_runs() -> None:
    for first in (0, 1):
        stage = Stage(wants_partials=False)
        stage.until(2.2)
        stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND), ended(0, 2))
        jobs = stage.jobs()
        assert [job.kind for job in jobs] == [JobKind.SPECULATIVE, JobKind.FINAL]
        assert not stage.of(Cancel)
        stage.answer(jobs[first], transcript("first", jobs[first]))
        assert stage.of(Cancel) == [Cancel(jobs[1 - first].id)]
        stage.answer(jobs[1 - first], transcript("second", jobs[1 - first]))
        assert stage.outcome().text == "first"
        assert stage.it.is_done


def test_more_speech_cancels_the_speculative_final() -> None:
    stage = Stage(wants_partials=False)
    stage.until(2.2)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND), Resumed())
    (early,) = stage.jobs()
    assert stage.of(Cancel) == [Cancel(early.id)]
    stage.answer(early, transcript("too early", early))
    stage.until(3.2)
    stage.happen(Pause(3 * SECOND), ended(0, 3))
    second = stage.jobs()[-1]
    stage.answer(second, transcript("all of it", second))
    assert stage.outcome().text == "all of it"


def test_a_final_in_advance_of_another_end_is_of_no_use() -> None:
    stage = Stage(wants_partials=False)
    stage.until(3.2)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND), ended(0, 3))
    early, final = stage.jobs()
    assert stage.of(Cancel) == [Cancel(early.id)]
    assert final.pcm.size == 3 * SECOND
    stage.answer(early, transcript("too early", early))
    assert stage.it.next_final(1, stage.now) is None


def test_a_session_that_catches_up_has_no_speculative_finals() -> None:
    stage = Stage(wants_partials=False)
    stage.pace.is_fast = True
    stage.until(2.2)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND))
    assert stage.jobs() == []


@pytest.mark.parametrize("load", [0.01, 0.5, 1.0])
def test_under_any_load_a_pause_must_last_before_its_end_is_asked_for_in_advance(
    load: float,
) -> None:
    stage = Stage(wants_partials=False)
    stage.it.load = load
    stage.until(2.02)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND))
    stage.until(2.08)
    assert stage.jobs() == []
    stage.until(2.02 + LONG_PAUSE_SAMPLES / SECOND)
    (job,) = stage.jobs()
    assert (job.kind, job.pcm.size) == (JobKind.SPECULATIVE, 2 * SECOND)


def test_a_speculative_final_that_was_done_early_is_asked_for_later_the_next_time() -> None:
    stage = Stage(wants_partials=False)

    def pause(start: int, *, answer_after_s: float | None) -> float:
        """Speak for two seconds; return how long the silence was when the job was submitted."""
        begun, end = len(stage.jobs()), start + 2
        stage.until(end + 0.02)
        stage.happen(SpeechStart(start * SECOND, start * SECOND), Pause(end * SECOND))
        while len(stage.jobs()) == begun:
            stage.until(stage.now + 0.02)
        asked_s = stage.now - end
        if answer_after_s is not None:
            stage.until(stage.now + answer_after_s)
            stage.answer(stage.jobs()[-1], transcript("words", stage.jobs()[-1]))
        stage.until(end + 0.4)
        stage.happen(UtteranceEnd(start * SECOND, end * SECOND, end * SECOND, is_cut=False))
        return round(asked_s, 2)

    assert pause(0, answer_after_s=0.1) == 0.02
    assert pause(3, answer_after_s=0.25) == 0.1  # in time, with little to spare
    assert pause(6, answer_after_s=None) == 0.1
    assert pause(9, answer_after_s=0.35) == 0.02
    assert pause(12, answer_after_s=0.1) == 0.02


def test_speech_that_resumes_before_is_not_asked_for_in_advance() -> None:
    stage = Stage(wants_partials=False)
    stage.it.load = 0.25
    stage.until(2.05)
    stage.happen(SpeechStart(0, 1600), Pause(2 * SECOND), Resumed())
    stage.until(3)
    assert stage.jobs() == []


def test_speech_that_follows_closely_is_decoded_with_what_precedes_it() -> None:
    stage = Stage(wants_partials=False)
    stage.until(5.2)
    stage.happen(SpeechStart(3 * SECOND, 3 * SECOND), Pause(5 * SECOND, context_sample=SECOND))
    (early,) = stage.jobs()
    assert (early.pcm.size, early.options.word_timestamps) == (4 * SECOND, True)
    end = UtteranceEnd(3 * SECOND, 5 * SECOND, 5 * SECOND, is_cut=False, context_sample=SECOND)
    stage.happen(end)
    (unfinished,) = stage.it.unfinished_audio({})
    assert (unfinished.samples, unfinished.context.samples) == (2 * SECOND, 2 * SECOND)
    words = (Word(0, SECOND, " ask", 0.9), Word(3 * SECOND, 4 * SECOND, " not.", 0.9))
    segment = Segment(0, 4 * SECOND, " ask not.", words)
    stage.answer(early, transcript("ask not.", early, segments=(segment,)))
    final = stage.outcome()
    assert (final.text, final.start_sample, final.words) == ("not.", 3 * SECOND, None)


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (UtteranceEnd(0, SECOND, SECOND, is_cut=True), "beauty was"),
        (UtteranceEnd(0, SECOND, SECOND, is_cut=False, is_unfinished=True), "beauty was."),
        (UtteranceEnd(0, SECOND, SECOND, is_cut=False), "beauty was."),
    ],
    ids=["length", "request", "silence"],
)
def test_an_utterance_that_its_length_ends_has_no_full_stop(end: UtteranceEnd, text: str) -> None:
    stage = Stage(wants_partials=False, has_word_times=False)
    stage.until(2)
    stage.happen(SpeechStart(0, 1600), end)
    (job,) = stage.jobs()
    stage.answer(job, transcript("beauty was.", job, segments=(Segment(0, SECOND, "beauty was."),)))
    assert stage.outcome().text == text


def test_without_word_times_an_utterance_is_decoded_alone() -> None:
    stage = Stage(wants_partials=False, has_word_times=False)
    stage.until(5.2)
    stage.happen(SpeechStart(3 * SECOND, 3 * SECOND), Pause(5 * SECOND, context_sample=SECOND))
    (early,) = stage.jobs()
    assert (early.pcm.size, early.options) == (2 * SECOND, stage.it.options)


def test_in_a_pause_there_are_no_partials() -> None:
    stage = Stage()
    stage.until(0.6)
    stage.happen(SpeechStart(0, 1600), Pause(9000))
    stage.until(3)
    assert stage.jobs(JobKind.PARTIAL) == []
    stage.happen(Resumed())
    assert len(stage.jobs(JobKind.PARTIAL)) == 1


def test_a_doubtful_end_is_not_asked_for_in_advance_and_its_doubtful_words_are_dropped() -> None:
    stage = Stage(wants_partials=False)
    stage.until(2.2)
    stage.happen(SpeechStart(0, 1600), Pause(SECOND, is_doubtful=True))
    assert stage.jobs() == []
    stage.happen(UtteranceEnd(0, SECOND, SECOND, is_cut=False, is_doubtful=True))
    (job,) = stage.jobs()
    unsure = Segment(0, SECOND, " Hallo.", (Word(0, SECOND, " Hallo.", 0.36),))
    stage.answer(job, transcript("Hallo.", job, segments=(unsure,), language="de"))
    outcome = stage.outcome()
    assert (outcome.text, outcome.words, outcome.error) == ("", None, None)


def test_an_engine_without_word_times_is_not_asked_for_words_and_its_text_is_kept() -> None:
    stage = Stage(has_word_times=False)
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    stage.until(2)
    assert not stage.jobs(JobKind.PARTIAL)[0].options.word_timestamps
    stage.happen(UtteranceEnd(0, SECOND, SECOND, is_cut=False, is_doubtful=True))
    (job,) = stage.jobs(JobKind.FINAL)
    assert (job.pcm.size, job.options) == (SECOND, stage.it.options)
    stage.answer(job, transcript("yes", job, segments=(Segment(0, SECOND, "yes"),)))
    assert stage.outcome().text == "yes"


def test_a_partial_in_flight_when_the_utterance_ends_is_cancelled() -> None:
    stage = Stage()
    stage.until(0.3)
    stage.happen(SpeechStart(0, 1600))
    stage.until(2)
    (guess,) = stage.jobs()
    stage.happen(ended(0, 1.8))
    assert stage.of(Cancel) == [Cancel(guess.id)]
    stage.answer(guess, spoken("late", guess))
    assert stage.of(Partial) == []


def test_a_file_that_is_piped_in_is_asked_for_as_one_until_it_has_caught_up() -> None:
    stage = Stage(wants_partials=False)
    stage.pace.is_fast = True
    stage.utterance(1, 2)
    stage.pace.is_fast = False
    stage.utterance(3, 4)
    assert [job.kind for job in stage.jobs()] == [JobKind.FILE, JobKind.FINAL]


def test_a_refused_final_comes_again_by_itself() -> None:
    stage = Stage(wants_partials=False)
    stage.utterance(1, 2)
    (job,) = stage.jobs()
    stage.answer(job, Overloaded("full", 1))
    due_at = stage.it.wake_at(stage.now)
    assert due_at > stage.now
    stage.now = due_at
    stage.poll()
    again = stage.jobs()[-1]
    assert again is not job
    assert np.array_equal(again.pcm, job.pcm)


def test_what_is_held_counts_until_its_final_is_out() -> None:
    stage = Stage(wants_partials=False)
    stage.until(1.3)
    stage.happen(SpeechStart(SECOND, SECOND))
    stage.until(3)
    assert stage.it.unfinished_samples == 2 * SECOND
    assert not stage.it.is_done
    stage.happen(ended(1, 2.5))
    assert stage.it.unfinished_samples == 1.5 * SECOND
    assert stage.it.needed_sample == SECOND
    (job,) = stage.jobs()
    stage.answer(job, transcript("hello", job))
    stage.outcome()
    assert stage.it.unfinished_samples == 0
    assert stage.it.needed_sample > SECOND


def test_what_the_session_spoke_helps_the_next_partial_and_no_final() -> None:
    stage = Stage(options=Options(language=None))
    stage.utterance(1, 2)
    (final,) = stage.jobs(JobKind.FINAL)
    stage.answer(final, transcript("hallo", final, language="de"))
    stage.outcome()
    stage.until(3)
    stage.happen(SpeechStart(3 * SECOND, 3 * SECOND))
    stage.until(4)
    guess = stage.jobs(JobKind.PARTIAL)[-1]
    stage.answer(guess, spoken("hollo", guess, language="nl", language_probability=0.3))
    stage.until(5)
    assert stage.jobs(JobKind.PARTIAL)[-1].options.language == "de"
    stage.happen(ended(3, 5))
    assert stage.jobs(JobKind.FINAL)[-1].options.language is None
