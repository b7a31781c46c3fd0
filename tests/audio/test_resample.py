from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.resample import Resampler, resample
from auricle.values.errors import BadRequest
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

RATES_HZ = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]
SPEECH = CLIPS["short.wav"].pcm


def sine(hz: float, rate_hz: int, seconds: float = 1.0) -> Pcm16:
    phase = 2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz
    return (10_000 * np.sin(phase)).astype(np.int16)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_tone_keeps_its_pitch_level_and_time(rate_hz: int) -> None:
    resampled = resample(sine(1_000, rate_hz), rate_hz)
    assert resampled.dtype == np.int16
    assert abs(resampled.size - 16_000) <= 1
    middle = slice(2_000, 14_000)
    assert np.abs(resampled[middle].astype(int) - sine(1_000, 16_000)[middle]).max() <= 20


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_what_16_khz_can_not_hold_is_filtered_out(rate_hz: int) -> None:
    resampled = resample(sine(11_000, rate_hz), rate_hz)
    assert np.abs(resampled[2_000:14_000]).max() <= 3


def test_speech_at_16_khz_passes_untouched() -> None:
    assert np.array_equal(resample(SPEECH, 16_000), SPEECH)
    stream = Resampler(16_000)
    assert np.array_equal(np.concatenate([stream.receive(SPEECH), stream.finish()]), SPEECH)


@settings(max_examples=40)
@given(
    rate_hz=st.sampled_from([*RATES_HZ, 8_001, 95_999]),
    cuts=st.lists(st.integers(0, SPEECH.size), max_size=12).map(sorted),
)
def test_any_split_gives_the_same_samples(rate_hz: int, cuts: list[int]) -> None:
    stream = Resampler(rate_hz)
    parts = [stream.receive(SPEECH[a:b]) for a, b in pairwise([0, *cuts, SPEECH.size])]
    assert np.array_equal(np.concatenate([*parts, stream.finish()]), resample(SPEECH, rate_hz))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_loudest_sound_is_clipped_and_never_wraps_round(rate_hz: int) -> None:
    half = rate_hz // 200  # a square of 100 Hz overshoots at its edges when it is filtered
    square = np.where(np.arange(rate_hz) // half % 2, 32_767, -32_768).astype(np.int16)
    resampled = resample(square, rate_hz).astype(int)
    # A sample that wrapped round would be full scale away from both of its neighbours.
    jumps = np.abs(np.diff(resampled))
    assert not np.any((jumps[1:] > 40_000) & (jumps[:-1] > 40_000))
    assert resampled.max() > 32_000
    assert resampled.min() < -32_000


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("samples", [0, 1, 2, 10])
def test_almost_nothing_is_no_problem(rate_hz: int, samples: int) -> None:
    pcm = np.full(samples, 500, np.int16)
    stream = Resampler(rate_hz)
    streamed = np.concatenate([stream.receive(pcm), stream.finish()])
    assert np.array_equal(streamed, resample(pcm, rate_hz))
    assert abs(streamed.size - samples * 16_000 / rate_hz) <= 1


@pytest.mark.parametrize("rate_hz", [MIN_RATE_HZ, MIN_RATE_HZ + 1, MAX_RATE_HZ - 1, MAX_RATE_HZ])
def test_rates_within_the_limits_are_accepted(rate_hz: int) -> None:
    Resampler(rate_hz)
    assert resample(sine(200, rate_hz, 0.1), rate_hz).size in range(1_599, 1_602)


@pytest.mark.parametrize("rate_hz", [-1, 0, 7, MIN_RATE_HZ - 1, MAX_RATE_HZ + 1, 10**6])
def test_other_rates_are_the_callers_mistake(rate_hz: int) -> None:
    with pytest.raises(BadRequest, match="8000 to 96000 Hz"):
        resample(SPEECH, rate_hz)
    with pytest.raises(BadRequest):
        Resampler(rate_hz)
