"""Checks of audio and text that several engines need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.engines.plausibility import first_repeat, is_quiet

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([7] * 16, True),
        ([7] * 15, False),
        ([1, 2] * 8, True),
        ([1, 2] * 7, False),
        ([0, *[1, 2, 3, 4, 5] * 4, 9], True),
        ([1, 2, 3, 4, 5] * 3, False),
        ([1, 2, 3, 4, 5, 6, 7, 8] * 3, False),
        ([*range(24)] * 4, True),
        ([*range(25)] * 4, False),
        ([], False),
        ([1], False),
    ],
)
def test_a_phrase_counts_as_a_loop_from_four_times_and_sixteen_tokens(
    tokens: list[int], expected: bool
) -> None:
    assert (first_repeat(tokens) is not None) is expected


@given(
    st.lists(st.integers(0, 9), max_size=20), st.lists(st.integers(0, 9), min_size=4, max_size=9)
)
def test_a_loop_is_found_wherever_it_starts(before: list[int], phrase: list[int]) -> None:
    assert first_repeat([*before, *phrase * 4]) is not None


@given(st.lists(st.integers(0, 10_000), unique=True, max_size=200))
def test_a_text_without_repeats_is_no_loop(tokens: list[int]) -> None:
    assert first_repeat(tokens) is None


def test_the_first_occurrence_of_a_phrase_is_no_repetition() -> None:
    tokens = [1, 2, 3, *[4, 5, 6, 7] * 5]
    assert tokens[: first_repeat(tokens)] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("peak", "expected"), [(0, True), (8, True), (-8, True), (9, False), (-9, False)]
)
def test_only_what_never_leaves_the_lowest_bits_is_quiet(peak: int, expected: bool) -> None:
    pcm = np.zeros(1600, np.int16)
    pcm[700] = peak
    assert is_quiet(pcm) is expected
