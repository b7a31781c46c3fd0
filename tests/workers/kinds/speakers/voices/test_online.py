from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest

from auricle.values.types import SpeakerOptions
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from auricle.workers.kinds.speakers.voices.online import MAX_STRETCHES, SpeakerTracker
from tests.support.made_up_voices import BETWEEN, SPREAD, embeddings

pytestmark = pytest.mark.unit

S = 16_000
ANY = SpeakerOptions()


class Talk:
    """A session: finals of known voices, and the labels that a client has in the end."""

    def __init__(self, options: SpeakerOptions = ANY) -> None:
        self._options = options
        self.tracker = SpeakerTracker(options)
        self._before = 0  # finals of earlier trackers
        self.labels: list[tuple[int, ...]] = []
        self.revisions: list[list[int]] = []
        self._at = 0

    def say(
        self,
        *voices: int,
        seconds: float = 1.5,
        spread: float = SPREAD,
        common: float = BETWEEN,
    ) -> tuple[int, ...]:
        """Add a final with a stretch of each of these voices; return its first labels."""
        samples = round(seconds * S)
        edges = [self._at + i * samples for i in range(len(voices) + 1)]
        self._at = edges[-1] + S
        vectors = embeddings(voices, len(self.labels), spread, common)
        first = self.tracker.label(list(pairwise(edges)), vectors)
        self.labels.append(first)
        self._apply(self.tracker.revise())
        return first

    def restart(self) -> None:
        """Continue with the voices that another tracker has stored."""
        self._apply(self.tracker.finish())
        known = KnownVoices.decoded(self.tracker.known_voices().encoded("model"), "model")
        assert known is not None
        self.tracker = SpeakerTracker(self._options, known)
        self._before = len(self.labels)

    def finish(self) -> list[tuple[int, ...]]:
        """Return all labels after the last revision."""
        self._apply(self.tracker.finish())
        return self.labels

    def _apply(self, changes: Mapping[int, tuple[int, ...]]) -> None:
        changes = {self._before + index: labels for index, labels in changes.items()}
        self.revisions.append(sorted(changes))
        for index, labels in changes.items():
            assert len(labels) == len(self.labels[index])
            self.labels[index] = labels


def test_speakers_are_recognized_again() -> None:
    talk = Talk()
    assert [talk.say(voice, voice) for voice in (4, 9, 4, 2, 9)] == [
        (0, 0),
        (1, 1),
        (0, 0),
        (2, 2),
        (1, 1),
    ]
    assert not any(talk.revisions)


def test_a_final_of_two_known_speakers_is_divided() -> None:
    talk = Talk()
    for voice in (1, 2, 1, 2):
        talk.say(voice, voice, voice)
    assert talk.say(2, 2, 2, 1, 1, 1) == (1, 1, 1, 0, 0, 0)


def test_a_new_speaker_inside_a_final_is_found_by_a_revision() -> None:
    talk = Talk()
    talk.say(1, 1, 1, 2, 2, 2, 2)
    talk.say(2, 2, 2)
    talk.say(1, 1, 1)
    (mixed, second, first) = talk.finish()
    assert mixed == first + (*second, second[0])
    assert {*first, *second} == {0, 1}
    assert any(talk.revisions)


def test_a_short_sound_is_not_a_new_speaker() -> None:
    talk = Talk()
    talk.say(0, 0, 0)
    assert talk.say(7, seconds=0.4) == (0,)
    talk.say(0, 0)
    assert talk.finish()[1] == (0,)


def test_a_final_without_embeddings_counts_but_has_no_labels() -> None:
    talk = Talk()
    assert talk.say() == ()
    assert talk.finish() == [()]
    talk.say(1, 1, 1, 2, 2, 2, 2)
    talk.say()
    talk.say(2, 2, 2)
    talk.finish()
    assert talk.labels[2] == ()
    assert talk.labels[1][3:] == (*talk.labels[3], talk.labels[3][0])
    assert all(index >= 1 for revision in talk.revisions for index in revision)


def test_the_number_of_speakers_is_limited_by_the_request() -> None:
    talk = Talk(SpeakerOptions(num_speakers=2))
    for voice in (0, 1, 2, 0, 1, 2):
        talk.say(voice, voice, voice)
    assert {label for labels in talk.finish() for label in labels} == {0, 1}


def test_a_requested_number_is_not_forced_on_the_first_sentences() -> None:
    talk = Talk(SpeakerOptions(num_speakers=3))
    assert talk.say(0, 0, 0) == (0, 0, 0)
    talk.say(0, 0)
    assert talk.labels == [(0, 0, 0), (0, 0)]


def test_labels_depend_on_the_finals_only() -> None:
    def labels() -> list[tuple[int, ...]]:
        talk = Talk()
        for turn in range(60):
            talk.say(*[turn * 7 % 5] * (1 + turn % 4), spread=0.8)
        return talk.finish()

    assert labels() == labels()


def test_numbers_last_beyond_the_finals_that_are_kept() -> None:
    talk = Talk()
    for _ in range(MAX_STRETCHES // 6 + 5):
        talk.say(0, 0, 0)
        talk.say(1, 1, 1)
    talk.say(2, 2, 2)
    assert talk.say(0, 0, 0) == (0, 0, 0)
    labels = talk.finish()
    assert labels[:2] == [(0, 0, 0), (1, 1, 1)]
    assert labels[-2:] == [(2, 2, 2), (0, 0, 0)]
    oldest = len(labels) - MAX_STRETCHES // 3
    assert all(index >= oldest for revision in talk.revisions[-9:] for index in revision)


def test_a_speaker_who_returns_after_the_finals_that_are_kept_has_the_same_number() -> None:
    talk = Talk()
    talk.say(5, 5, 5)
    for _ in range(MAX_STRETCHES // 3 + 2):
        talk.say(6, 6, 6)
    assert talk.say(5, 5, 5) == (0, 0, 0)
    assert talk.finish()[-1] == (0, 0, 0)


def test_more_voices_than_can_be_counted_keep_the_limit() -> None:
    talk = Talk()
    for voice in range(30):
        talk.say(voice, voice, voice)
    assert {label for labels in talk.finish() for label in labels} <= set(range(16))


def test_vectors_are_not_changed() -> None:
    vectors = embeddings([0, 1])
    vectors.setflags(write=False)
    before = vectors.copy()
    tracker = SpeakerTracker(SpeakerOptions())
    tracker.label([(0, S), (S, 2 * S)], vectors)
    tracker.finish()
    np.testing.assert_array_equal(vectors, before)


def test_the_first_speaker_is_0_although_the_second_speaks_longer_in_the_same_final() -> None:
    talk = Talk()
    talk.say(1, 1, 1, 2, 2, 2, 2, 2, 2)
    assert talk.labels == [(0, 0, 0, 1, 1, 1, 1, 1, 1)]


def test_voices_in_a_narrow_band_are_told_apart_in_their_first_finals() -> None:
    talk = Talk()
    for voice in (1, 2, 1, 2):
        talk.say(voice, voice, voice, voice, common=0.6)
    assert talk.labels == [(0,) * 4, (1,) * 4, (0,) * 4, (1,) * 4]


TURNS = [(4, 4), (9,), (9, 9, 9), (4, 4, 4), (2, 2, 9, 9), (4,), (2, 2), (9, 9), (7, 7, 4), (2, 4)]


@pytest.mark.parametrize("options", [ANY, SpeakerOptions(num_speakers=4)], ids=["", "4"])
@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_labels_after_a_restart_are_those_without_one(every: int, options: SpeakerOptions) -> None:
    whole, interrupted = Talk(options), Talk(options)
    for number, voices in enumerate(TURNS * 3, 1):
        whole.say(*voices)
        interrupted.say(*voices)
        if number % every == 0:
            interrupted.restart()
    assert interrupted.finish() == whole.finish()
    assert {label for labels in whole.labels for label in labels} == {0, 1, 2, 3}


def test_voices_that_are_kept_as_sums_only_survive_a_restart() -> None:
    talk = Talk()
    talk.say(5, 5, 5)
    for _ in range(MAX_STRETCHES // 3 + 2):
        talk.say(6, 6, 6)
    talk.restart()
    known = talk.tracker.known_voices()
    assert known.numbers.tolist() == [0, 1]
    assert known.counts.tolist() == [3, 3 * (MAX_STRETCHES // 3 + 2)]
    assert known.seconds.tolist() == pytest.approx((known.counts * 1.5).tolist())
    assert [talk.say(7, 7, 7), talk.say(6, 6), talk.say(5, 5)] == [(2, 2, 2), (1, 1), (0, 0)]


def test_known_voices_that_have_said_little_are_not_joined() -> None:
    talk = Talk()
    talk.say(1, 1, seconds=1.2)
    talk.say(2, 2, seconds=1.3)
    talk.restart()
    talk.say(2, 2, seconds=1.3)
    talk.say(1, 1, seconds=1.2)
    assert talk.finish() == [(0, 0), (1, 1), (1, 1), (0, 0)]


def test_a_tracker_without_speech_has_no_voices() -> None:
    tracker = SpeakerTracker(ANY)
    tracker.label([], embeddings([]))
    assert not tracker.known_voices().numbers.size
