import numpy as np
import pytest

from auricle.audio.cuts import best_cut, loudness
from auricle.audio.vad import WINDOW_SAMPLES

pytestmark = pytest.mark.unit

W = WINDOW_SAMPLES


def test_loudness_is_on_a_scale_of_decibels() -> None:
    pcm = np.concatenate([np.full(W, level, np.int16) for level in (0, 1_000, 32_767)])
    silent, plain, full = loudness(pcm)
    assert silent == 0
    assert plain == pytest.approx(60 / 90, abs=0.001)
    assert full == pytest.approx(90.3 / 90, abs=0.001)


def test_an_incomplete_window_is_filled_with_silence() -> None:
    whole, part = loudness(np.full(W + W // 2, 1_000, np.int16))
    assert part == pytest.approx(whole - 10 * np.log10(2) / 90, abs=1e-4)


def test_loudness_is_the_mean_power_of_each_window_to_the_last_bit() -> None:
    pcm = np.random.default_rng(7).integers(-32_768, 32_768, 9 * W + 5).astype(np.int16)
    padded = np.pad(pcm.astype(np.float64), (0, W - 5)).reshape(-1, W)
    expected = np.log10(np.mean(padded**2, axis=1) + 1) * 10 / 90
    assert loudness(pcm).tolist() == expected.tolist()
    assert loudness(pcm[:0]).tolist() == []


def test_a_dip_of_three_windows_is_cut_in_its_middle() -> None:
    probabilities = np.full(120, 0.9)
    probabilities[100:103] = 0.5
    assert best_cut(probabilities, np.zeros(120), 0, 120 * W) == 101


def test_the_quietest_of_equally_likely_places_is_chosen() -> None:
    loud = np.full(120, 0.8)
    loud[93] = 0.3
    assert best_cut(np.full(120, 0.9), loud, 0, 120 * W) == 93


def test_a_dip_before_the_last_third_counts_less_than_a_pause_there() -> None:
    dip, pause = np.full(120, 0.9), np.full(120, 0.9)
    dip[60:62] = 0.6
    pause[50:70] = 0.0
    assert best_cut(dip, np.zeros(120), 0, 120 * W) >= 80
    assert 50 <= best_cut(pause, np.zeros(120), 0, 120 * W) < 70


def test_nothing_is_cut_in_the_first_third() -> None:
    probabilities = np.full(120, 0.9)
    probabilities[:39] = 0.0
    assert best_cut(probabilities, np.zeros(120), 0, 120 * W) >= 40
    assert best_cut(probabilities, np.zeros(120), 10 * W, 120 * W) < 39
