"""Which decodings are accepted."""

import numpy as np
import pytest

from auricle.engine.moonshine.guard import (
    MAX_POSITIONS,
    MIN_TOKENS,
    Hypothesis,
    is_doubtful,
    is_text,
    max_tokens,
    quietest_sample,
)
from auricle.types import SAMPLE_RATE_HZ

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


@pytest.mark.parametrize("pause_s", [1.2, 2.0, 2.7])
def test_audio_is_split_in_its_pause(pause_s: float) -> None:
    pcm = np.full(4 * SAMPLE_RATE_HZ, 3000, np.int16)
    pause = int(pause_s * SAMPLE_RATE_HZ)
    pcm[pause - 2400 : pause + 2400] = 5
    assert abs(quietest_sample(pcm) - pause) < 2400


def test_the_loudest_audio_is_split_without_overflow() -> None:
    pcm = np.full(2 * SAMPLE_RATE_HZ, -32768, np.int16)
    assert pcm.size // 4 <= quietest_sample(pcm) <= 3 * pcm.size // 4


@pytest.mark.parametrize(
    ("text", "expected"), [("♪♪", False), ("", False), ("A.", True), ("7", True)]
)
def test_notes_are_not_text(text: str, expected: bool) -> None:
    assert is_text(text) is expected
