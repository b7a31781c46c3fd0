import numpy as np
import pytest

from auricle.engines.whisper.window import (
    FULL_FRAMES,
    MAX_NEW_TOKENS,
    MAX_TOKENS,
    MIN_FEATURE,
    TokenLimit,
    WindowPolicy,
    max_length_for,
    padded,
    silence_of,
)
from auricle.values.types import Pcm16

pytestmark = pytest.mark.unit

POLICY = WindowPolicy((1200, 1500, 2000, FULL_FRAMES), tail_frames=200)


@pytest.mark.parametrize(
    ("content", "frames"),
    [(1, 1200), (1000, 1200), (1001, 1500), (1300, 1500), (1301, 2000), (1801, 3000), (3000, 3000)],
)
def test_a_window_gets_the_shortest_class_that_leaves_the_tail(content: int, frames: int) -> None:
    assert POLICY.frames_for(content) == frames


def test_a_window_without_room_for_a_tail_gets_the_full_length() -> None:
    assert POLICY.frames_for(2999) == FULL_FRAMES


def speech(seconds: float, noise: float) -> Pcm16:
    """Return half a second of sound and half of noise in turn."""
    samples = int(seconds * 16_000)
    loud = np.arange(samples) // 8_000 % 2 == 0
    chance = np.random.default_rng(1)
    return (chance.standard_normal(samples) * np.where(loud, 3_000, noise)).astype(np.int16)


@pytest.mark.parametrize(("seconds", "lead"), [(1, 30), (6, 30), (6.001, 0), (31, 0)])
def test_silence_comes_before_short_sound_only(seconds: float, lead: int) -> None:
    policy = WindowPolicy(lead_frames=30, lead_up_to_frames=600)
    assert policy.lead_for(speech(seconds, noise=0)) == lead


@pytest.mark.parametrize(("noise", "lead"), [(0, 30), (300, 30), (600, 0), (3_000, 0)])
def test_silence_comes_before_clean_sound_only(noise: float, lead: int) -> None:
    assert WindowPolicy(lead_frames=30).lead_for(speech(3, noise)) == lead


@pytest.mark.parametrize("samples", [1, 479, 480])
def test_the_shortest_sound_has_no_lead(samples: int) -> None:
    assert WindowPolicy().lead_for(speech(1, 0)[:samples]) == 0


@pytest.mark.parametrize("classes", [(1200,), (1500, 1200, 3000), (1200, 1200, 3000), (1201, 3000)])
def test_classes_must_be_even_and_rise_to_the_full_window(classes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="classes"):
        WindowPolicy(classes)


def test_the_token_limit_grows_with_the_sound_up_to_what_the_decoder_can() -> None:
    limit = TokenLimit(floor=24, per_second=12)
    assert [limit.tokens_for(frames) for frames in (0, 100, 1000, 3000)] == [24, 36, 144, 224]


@pytest.mark.parametrize("prompt", [3, 100, 226])
@pytest.mark.parametrize("new", [1, 50, 144, MAX_NEW_TOKENS])
def test_max_length_allows_exactly_the_wanted_tokens(new: int, prompt: int) -> None:
    length = max_length_for(new, prompt)
    fed = prompt - 1  # pinned with the real model in test_whisper.py
    assert min(length // 2, length - fed) == min(new, MAX_TOKENS - fed)


def test_padding_is_what_digital_silence_looks_like() -> None:
    features = np.array([[1.25, 0.0], [-0.5, -0.75]], np.float32)
    filled = padded(features, 4, silence_of(features))
    assert filled.tolist() == [[1.25, 0.0, -0.75, -0.75], [-0.5, -0.75, -0.75, -0.75]]
    assert filled.dtype == np.float32


def test_silence_of_silence_is_the_least_feature() -> None:
    assert silence_of(np.full((80, 5), MIN_FEATURE, np.float32)) == MIN_FEATURE


def test_padding_cuts_what_is_too_long() -> None:
    assert padded(np.ones((2, 5), np.float32), 3, 0.0).shape == (2, 3)
