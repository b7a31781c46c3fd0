"""Which voices are embedded, and how labels become speakers of finals."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.values.errors import SpeakersUnavailable
from auricle.values.events import Final
from auricle.values.types import (
    ANONYMOUS,
    SAMPLE_RATE_HZ,
    EmbedJob,
    SpeakerEmbeddings,
    SpeakerOptions,
    Word,
)
from auricle.workers.kinds.speakers.labels import (
    GIVE_UP_S,
    MAX_HELD_SAMPLES,
    MAX_REVISABLE,
    PATIENCE_S,
    RETRY_FIRST_S,
    SpeakerLabels,
    turns_of,
)

pytestmark = pytest.mark.unit

SECOND = SAMPLE_RATE_HZ
LENGTH = 4 * SECOND
VOICES = np.eye(3, dtype=np.float32)


def spoken(parts: Sequence[int]) -> np.ndarray:
    """Return an utterance of 4 s whose samples are the numbers of its voices."""
    share = LENGTH // len(parts)
    return np.repeat(np.array(parts, np.int16), share)


def embeddings(job: EmbedJob) -> SpeakerEmbeddings:
    """Return the vector of the voice in the middle of each stretch."""
    voices = [int(job.pcm[(start + end) // 2]) for start, end in job.stretches]
    return SpeakerEmbeddings(job.stretches, VOICES[voices].copy())


def final_of(number: int, text: str = "One two. Three four.") -> Final:
    start = number * LENGTH
    spoken_words = text.split()
    words = tuple(
        Word(start + SECOND * at, start + SECOND * at + 12_000, f" {word}", 0.9)
        for at, word in enumerate(spoken_words)
    )
    return Final(number, number, text, start, start + LENGTH, "en", words, 100.0, False)


class Stage:
    """Speaker labels with a clock; each utterance ends and its final is due at once."""

    def __init__(self) -> None:
        self.labels = SpeakerLabels("S", ANONYMOUS, SpeakerOptions())
        self.now = 100.0
        self.number = 0
        self.known: dict[int, tuple[int | None, ...]] = {}

    def speak(self, *parts: int) -> None:
        self.number += 1
        start = self.number * LENGTH
        self.labels.utterance_ended(
            self.number, spoken(parts), start, [(start, start + LENGTH)], self.now
        )

    def pause(self, *parts: int, seconds: float = 4) -> None:
        """Pause in the next utterance, of which this much has been spoken."""
        number, start = self.number + 1, (self.number + 1) * LENGTH
        end = int(seconds * SECOND)
        voiced = [(start, start + end)]
        self.labels.utterance_paused(number, spoken(parts)[:end], start, voiced, self.now)

    def jobs(self) -> list[EmbedJob]:
        return self.labels.due_jobs(self.now, is_live=True)

    def answer(self, job: EmbedJob) -> None:
        self.labels.job_done(job.id, embeddings(job), self.now)
        self.note()

    def fail(self, job: EmbedJob) -> None:
        self.labels.job_done(job.id, SpeakersUnavailable(), self.now)

    def send(self, number: int | None = None, text: str = "One two. Three four.") -> Final:
        final = self.labels.labelled(final_of(number or self.number, text))
        self.known[final.id] = tuple(part.speaker for part in final.segments or ())
        self.note()
        return final

    def note(self) -> None:
        for revised in self.labels.revised():
            self.known[revised.id] = tuple(part.speaker for part in revised.segments or ())


def test_a_final_waits_for_its_speaker() -> None:
    stage = Stage()
    stage.speak(0)
    (job,) = stage.jobs()
    assert job.audio_s == 4
    assert not stage.jobs()
    assert stage.labels.holds(1, stage.now)
    assert stage.labels.wake_at == stage.now + PATIENCE_S
    stage.answer(job)
    assert not stage.labels.holds(1, stage.now)
    final = stage.send()
    assert final.speaker == 0
    assert [word.speaker for word in final.words or ()] == [0] * 4
    assert stage.labels.is_settled


def test_it_waits_for_a_limited_time_and_later_ones_not_at_all() -> None:
    stage = Stage()
    stage.speak(0)
    stage.speak(1)
    first, second = stage.jobs()
    assert stage.labels.holds(1, stage.now)
    stage.now += PATIENCE_S
    assert not stage.labels.holds(1, stage.now)
    assert stage.send(1).speaker is None
    assert not stage.labels.holds(2, stage.now)
    assert stage.send(2).speaker is None
    assert not stage.labels.is_settled
    stage.answer(second)
    assert stage.known == {1: (), 2: ()}
    stage.answer(first)
    assert stage.known == {1: (0,), 2: (1,)}
    assert stage.labels.is_settled


def test_a_late_text_waits_for_its_speaker_as_long_as_any_other() -> None:
    stage = Stage()
    stage.speak(0)
    stage.jobs()
    stage.now += 5
    assert stage.labels.holds(1, stage.now)
    assert stage.labels.wake_at == pytest.approx(stage.now + PATIENCE_S)
    stage.now += PATIENCE_S
    assert not stage.labels.holds(1, stage.now)


def test_a_final_is_split_where_the_speaker_changes() -> None:
    stage = Stage()
    for voice in (0, 1):
        stage.speak(voice)
        stage.answer(*stage.jobs())
        stage.send()
    stage.speak(0, 1)
    stage.answer(*stage.jobs())
    first, second = stage.send().segments or ()
    assert (first.text, first.speaker) == ("One two.", 0)
    assert (second.text, second.speaker) == ("Three four.", 1)


def test_a_failed_job_is_repeated_with_growing_delays_until_the_voice_stays_unknown() -> None:
    stage = Stage()
    stage.speak(0)
    stage.send()
    (job,) = stage.jobs()
    stage.fail(job)
    assert stage.labels.wake_at == stage.now + RETRY_FIRST_S
    stage.now += RETRY_FIRST_S
    (again,) = stage.jobs()
    assert again.id != job.id
    stage.now += GIVE_UP_S
    stage.fail(again)
    assert (stage.labels.take_unknown(), stage.labels.is_settled) == (True, True)
    assert stage.known == {1: ()}


def test_an_utterance_is_embedded_while_it_probably_ends() -> None:
    stage = Stage()
    stage.pause(0)
    stage.answer(*stage.jobs())
    stage.speak(0)
    assert not stage.jobs()
    assert not stage.labels.holds(1, stage.now)
    assert stage.send().speaker == 0


def test_only_what_later_speech_changes_is_embedded_again() -> None:
    stage = Stage()
    stage.labels.utterance_paused(1, spoken([0])[:SECOND], 0, [(0, SECOND)], stage.now)
    (first,) = stage.jobs()
    stage.labels.utterance_paused(
        1, spoken([0]), 0, [(0, SECOND), (2 * SECOND, 3 * SECOND)], stage.now
    )
    (second,) = stage.jobs()  # the first may still run
    assert (first.stretches, second.stretches) == (((0, SECOND),), ((2 * SECOND, 3 * SECOND),))
    stage.number = 1
    stage.labels.utterance_ended(1, spoken([0]), 0, [(0, SECOND), (2 * SECOND, LENGTH)], stage.now)
    (third,) = stage.jobs()
    assert third.stretches == ((2 * SECOND, LENGTH),)
    for job in (third, second, first):
        stage.answer(job)
    assert stage.send().speaker == 0


def test_a_failure_before_the_end_is_repeated_at_the_end() -> None:
    stage = Stage()
    stage.pause(0)
    stage.fail(*stage.jobs())
    stage.now += GIVE_UP_S
    assert not stage.jobs()
    stage.speak(0)
    stage.answer(*stage.jobs())
    assert stage.send().speaker == 0


def test_a_discarded_utterance_is_forgotten() -> None:
    stage = Stage()
    stage.pause(0)
    (job,) = stage.jobs()
    stage.number += 1
    stage.speak(1)
    stage.answer(job)
    stage.answer(*stage.jobs())
    assert stage.send().speaker == 0  # the first speaker who has a final
    assert stage.labels.is_settled


def test_audio_that_waits_is_bounded() -> None:
    stage = Stage()
    for _ in range(MAX_HELD_SAMPLES // LENGTH):
        stage.speak(0)
    assert not stage.labels.take_unknown()
    stage.speak(0)
    assert stage.labels.take_unknown()
    assert len(stage.jobs()) == MAX_HELD_SAMPLES // LENGTH


def test_sounds_without_text_and_without_voice_are_no_speakers() -> None:
    stage = Stage()
    stage.speak(2)
    stage.answer(*stage.jobs())
    assert stage.send(text="").segments is None
    stage.number += 1
    stage.labels.utterance_ended(stage.number, spoken([0]), LENGTH, [], stage.now)
    assert not stage.labels.holds(stage.number, stage.now)
    assert stage.send().speaker is None
    stage.speak(0)
    stage.answer(*stage.jobs())
    assert stage.send().speaker == 0


def test_finals_that_were_revised_are_known_for_a_client_that_resumes() -> None:
    stage = Stage()
    stage.speak(0)
    final = stage.send()
    stage.answer(*stage.jobs())
    (revised,) = stage.labels.revised_before(final.id)
    assert revised.speaker == 0
    assert not stage.labels.revised_before(final.id - 1)


def test_only_the_newest_finals_are_kept() -> None:
    stage = Stage()
    for _ in range(MAX_REVISABLE + 5):
        stage.speak(0)
        stage.send()
        stage.answer(*stage.jobs())
    stage.labels.finish()
    assert len(stage.labels.revised_before(stage.number)) == MAX_REVISABLE


def test_a_change_is_moved_to_the_end_of_a_sentence() -> None:
    words = [
        Word(0, 20_000, " One", 0.9),
        Word(20_000, 30_000, " two.", 0.9),
        Word(30_000, 50_000, " Three", 0.9),
    ]
    stretches = [(0, 24_000), (24_000, 48_000)]
    assert [turn.end_sample for turn in turns_of(stretches, (0, 1), words)] == [30_000, 48_000]
    assert [turn.end_sample for turn in turns_of(stretches, (0, 1), ())] == [24_000, 48_000]
    far = [replace(word, end_sample=word.end_sample + 90_000) for word in words]
    assert [turn.end_sample for turn in turns_of(stretches, (0, 1), far)] == [24_000, 48_000]


UTTERANCES = [(0,), (1,), (0, 1), (0,), (2,), (1,), (2, 0), (2,)]


def in_peace() -> dict[int, tuple[int | None, ...]]:
    stage = Stage()
    for parts in UTTERANCES:
        stage.speak(*parts)
        stage.answer(*stage.jobs())
        stage.send()
    stage.labels.finish()
    stage.note()
    return stage.known


PEACE = in_peace()


def test_peace_tells_three_voices_apart() -> None:
    assert {speaker for speakers in PEACE.values() for speaker in speakers} == {0, 1, 2}


@given(seed=st.integers(0, 2**32))
def test_speakers_do_not_depend_on_failures_delays_and_order(seed: int) -> None:
    chance = Random(seed)
    stage = Stage()
    waiting: list[EmbedJob] = []
    unsent = 1

    def go_on() -> None:
        """Send a final, answer or fail some job, or let time pass."""
        nonlocal unsent
        waiting.extend(stage.jobs())
        if unsent <= stage.number and chance.random() < 0.5:
            stage.send(unsent)
            unsent += 1
        elif not waiting:
            stage.now += chance.random()
        elif chance.random() < 0.3:
            stage.fail(waiting.pop(chance.randrange(len(waiting))))
        else:
            stage.answer(waiting.pop(chance.randrange(len(waiting))))

    for parts in UTTERANCES:
        if chance.random() < 0.5:
            stage.pause(*parts, seconds=chance.choice([1, 4]))
            for _ in range(chance.randrange(3)):
                go_on()
        stage.speak(*parts)
        for _ in range(chance.randrange(4)):
            go_on()
    while unsent <= stage.number or not stage.labels.is_settled:
        go_on()
    assert not stage.labels.take_unknown()
    stage.labels.finish()
    stage.note()
    assert stage.known == PEACE
