import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.values.speakers import Span
from auricle.workers.kinds.speakers.voices.stretches import (
    HOP_SAMPLES,
    MIN_STRETCH_SAMPLES,
    STRETCH_SAMPLES,
    cut_live_stretches,
    cut_stretches,
)

pytestmark = pytest.mark.unit

S = 16_000


@st.composite
def voiced_ranges(draw: st.DrawFn) -> list[Span]:
    lengths = st.integers(1, 12 * S)
    edges = list(itertools.accumulate(draw(st.lists(lengths, max_size=40))))
    return list(zip(edges[::2], edges[1::2], strict=False))


def test_speech_has_a_stretch_of_one_and_a_half_seconds_every_second() -> None:
    assert cut_stretches([(S, 9 * S // 2)]) == (
        (S, 5 * S // 2),
        (2 * S, 7 * S // 2),
        (3 * S, 9 * S // 2),
    )


def test_a_hole_of_a_plosive_is_filled_and_a_pause_is_not() -> None:
    assert cut_stretches([(0, S // 2), (S * 7 // 10, S)]) == ((0, S),)
    assert cut_stretches([(0, S // 2), (S * 8 // 10, S * 14 // 10)]) == (
        (0, S // 2),
        (S * 8 // 10, S * 14 // 10),
    )


def test_a_sound_too_short_for_a_voice_has_no_stretch() -> None:
    assert cut_stretches([(0, S // 5)]) == cut_live_stretches([(0, S // 5)]) == ()


@given(voiced_ranges())
def test_stretches_are_in_order_bounded_and_cover_their_regions(voiced: list[Span]) -> None:
    stretches = cut_stretches(voiced)
    assert list(stretches) == sorted(stretches)
    assert all(MIN_STRETCH_SAMPLES <= end - start <= STRETCH_SAMPLES for start, end in stretches)
    for before, after in itertools.pairwise(stretches):
        assert after[0] - before[0] <= 1.5 * HOP_SAMPLES or after[0] > before[1]
    for start, end in voiced:
        if end - start >= MIN_STRETCH_SAMPLES:
            assert any(first <= start < last for first, last in stretches)
            assert any(first < end <= last for first, last in stretches)


@given(voiced_ranges())
def test_live_stretches_do_not_overlap_and_are_bounded(voiced: list[Span]) -> None:
    stretches = cut_live_stretches(voiced)
    for before, after in itertools.pairwise(stretches):
        assert before[1] <= after[0]
    assert all(
        MIN_STRETCH_SAMPLES <= end - start <= 1.5 * STRETCH_SAMPLES for start, end in stretches
    )
