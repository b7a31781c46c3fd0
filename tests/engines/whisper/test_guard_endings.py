"""Invented endings: short last sentences without time for their words."""

import pytest

from auricle.engines.whisper.alignment import AlignedSpan
from auricle.engines.whisper.guard import ends_short, is_invented_ending
from auricle.engines.whisper.segmentation import TokenSpan
from auricle.values.types import Word

pytestmark = pytest.mark.unit


def tokens(count: int) -> TokenSpan:
    return TokenSpan(tuple(range(count)), 0, 16_000)


def sentence(*words: tuple[int, float]) -> AlignedSpan:
    """Return a sentence of words with these lengths in samples and probabilities."""
    return AlignedSpan(0, 16_000, tuple(Word(0, length, " a", prob) for length, prob in words))


LONG = sentence((4000, 0.9), (4000, 0.9))
INVENTED = sentence((0, 0.9), (960, 0.04))


@pytest.mark.parametrize(
    ("spans", "is_first", "expected"),
    [
        ([tokens(20), tokens(8)], True, True),
        ([tokens(20), tokens(9)], True, False),
        ([tokens(3)], True, False),
        ([tokens(3)], False, True),
        ([], False, False),
    ],
)
def test_only_a_short_sentence_after_others_is_checked(
    spans: list[TokenSpan], is_first: bool, expected: bool
) -> None:
    assert ends_short(spans, is_first=is_first) is expected


@pytest.mark.parametrize(
    ("spans", "is_first", "expected"),
    [
        ([LONG, INVENTED], True, True),
        ([INVENTED], False, True),
        ([INVENTED], True, False),
        ([LONG, LONG], True, False),
        ([LONG, sentence((0, 0.9), (960, 0.5))], True, False),
        ([LONG, sentence((4000, 0.04), (4000, 0.9))], True, False),
        ([LONG, sentence()], True, False),
        ([], False, False),
    ],
)
def test_an_ending_is_invented_if_it_is_too_fast_and_improbable(
    spans: list[AlignedSpan], is_first: bool, expected: bool
) -> None:
    assert is_invented_ending(spans, is_first=is_first) is expected
