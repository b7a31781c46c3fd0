"""Which decodings are accepted."""

import pytest

from auricle.engines.moonshine.guard import (
    MAX_POSITIONS,
    MIN_TOKENS,
    Hypothesis,
    is_doubtful,
    is_text,
    max_tokens,
)
from auricle.values.types import SAMPLE_RATE_HZ

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("seconds", "tokens"), [(0.001, MIN_TOKENS), (2, 20), (10, 100), (30, MAX_POSITIONS - 1)]
)
def test_the_limit_grows_with_the_audio_up_to_the_model_s_positions(
    seconds: float, tokens: int
) -> None:
    assert max_tokens(int(seconds * SAMPLE_RATE_HZ)) == tokens


@pytest.mark.parametrize(
    ("tokens", "is_complete", "expected"),
    [((1, 2, 3), True, False), ((1, 2, 3), False, True), ((5, 6) * 8, True, True)],
)
def test_endless_and_repetitive_texts_are_doubtful(
    tokens: tuple[int, ...], is_complete: bool, expected: bool
) -> None:
    assert is_doubtful(Hypothesis(tokens, -0.2, is_complete)) is expected


@pytest.mark.parametrize(
    ("text", "expected"), [("♪♪", False), ("", False), ("A.", True), ("7", True)]
)
def test_notes_are_not_text(text: str, expected: bool) -> None:
    assert is_text(text) is expected
