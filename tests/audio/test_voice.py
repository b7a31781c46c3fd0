import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.voice import fit_to_voice
from auricle.values.types import Segment, Word

pytestmark = pytest.mark.unit

S = 16_000


def word(start_s: float, end_s: float) -> Word:
    return Word(round(start_s * S), round(end_s * S), "x", 0.9)


def fitted(*words: Word, voiced: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the words' spans; the segment must have theirs."""
    segment = Segment(0, 10 * S, "x", words=words)
    spans = [(round(start * S), round(end * S)) for start, end in voiced]
    fitted = fit_to_voice(segment, spans)
    assert fitted.words is not None
    assert fitted.start_sample == fitted.words[0].start_sample
    assert fitted.end_sample == fitted.words[-1].end_sample
    return [(each.start_sample / S, each.end_sample / S) for each in fitted.words]


def test_the_first_word_begins_and_the_last_one_ends_where_the_voice_does() -> None:
    assert fitted(word(0, 1), word(1, 3), voiced=[(0.5, 2.5)]) == [(0.5, 1), (1, 2.5)]


def test_a_word_over_a_pause_lies_where_most_of_it_is_spoken() -> None:
    assert fitted(word(1, 4), voiced=[(0, 1.25), (3, 5)]) == [(3, 4)]
    assert fitted(word(1, 4), voiced=[(0, 2.5), (3.75, 5)]) == [(1, 2.5)]


def test_a_word_may_hold_a_short_silence() -> None:
    assert fitted(word(1, 4), voiced=[(0, 2), (2.15, 5)]) == [(1, 4)]


def test_a_word_that_the_detector_missed_keeps_its_times() -> None:
    assert fitted(word(1, 2), word(3, 5), voiced=[(3.5, 6)]) == [(1, 2), (3.5, 5)]


def test_without_words_the_segment_itself_is_fitted_and_keeps_its_pauses() -> None:
    segment = Segment(0, 8 * S, "x")
    fitted = fit_to_voice(segment, [(S, 3 * S), (5 * S, 7 * S)])
    assert (fitted.start_sample, fitted.end_sample) == (S, 7 * S)


def test_where_nothing_is_known_of_the_voice_nothing_changes() -> None:
    segment = Segment(0, 8 * S, "x", words=(word(0, 1),))
    assert fit_to_voice(segment, ()) == segment


BOUNDS = st.lists(st.integers(0, 40), max_size=16, unique=True).map(sorted)


@given(words=BOUNDS, voiced=BOUNDS)
def test_words_only_shrink_and_stay_in_order(words: list[int], voiced: list[int]) -> None:
    spoken = tuple(
        Word(a * S, b * S, "x", 0.9) for a, b in zip(words[::2], words[1::2], strict=False)
    )
    spans = [(a * S, b * S) for a, b in zip(voiced[::2], voiced[1::2], strict=False)]
    fitted = fit_to_voice(Segment(0, 40 * S, "x", words=spoken), spans).words or ()
    assert len(fitted) == len(spoken)
    for before, after in zip(spoken, fitted, strict=True):
        assert before.start_sample <= after.start_sample < after.end_sample <= before.end_sample
