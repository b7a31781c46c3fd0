from itertools import pairwise
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.gate import GRID_SAMPLES, WARM_UP_WINDOWS, NoiseGate, VoiceDetector, powers
from auricle.audio.vad import (
    SILENCE_THRESHOLD,
    SPEECH_THRESHOLD,
    WINDOW_SAMPLES,
    Probabilities,
    SpeechDetector,
)
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import tone

pytestmark = pytest.mark.unit

W = WINDOW_SAMPLES
SPEECH = CLIPS["fellow.wav"].pcm
SECOND = 16_000
HANGOVER_WINDOWS = 16


def hiss(seconds: float, level: float, seed: int = 3) -> Pcm16:
    chance = np.random.default_rng(seed)
    return chance.normal(0, level, int(seconds * SECOND)).astype(np.int16)


def in_hiss(level: float, before_s: float = 6.0, after_s: float = 3.0) -> Pcm16:
    """Return the clip with noise in it, before it and after it."""
    before, after = np.zeros(int(before_s * SECOND)), np.zeros(int(after_s * SECOND))
    speech = np.concatenate([before, SPEECH, after])
    noise = np.random.default_rng(3).normal(0, level, speech.size)
    return np.clip(speech + noise, -32768, 32767).astype(np.int16)


def restless(windows: int, seed: int = 5) -> Pcm16:
    """Return noise whose level changes, so that it keeps the gate open."""
    chance = np.random.default_rng(seed)
    levels = np.repeat(chance.choice([50, 400], windows), W)
    return chance.normal(0, levels).astype(np.int16)


@st.composite
def sounds(draw: st.DrawFn) -> Pcm16:
    """Return speech, pauses and noises in any order, each a whole number of windows or not."""
    parts: list[Pcm16] = []
    for _ in range(draw(st.integers(2, 6))):
        samples = draw(st.integers(1, 90)) * W + draw(st.sampled_from([0, 0, 1, 200]))
        seed = draw(st.integers(0, 9))
        match draw(st.sampled_from(["speech", "speech", "silence", "hiss", "restless", "tone"])):
            case "speech":
                parts.append(SPEECH[seed * 4000 : seed * 4000 + samples])
            case "silence":
                parts.append(np.zeros(samples, np.int16))
            case "hiss":
                parts.append(hiss(samples / SECOND, draw(st.sampled_from([1, 10, 1_000])), seed))
            case "restless":
                parts.append(restless(samples // W + 1, seed)[:samples])
            case "tone":
                parts.append(tone(440, samples, 2_000))
    return np.concatenate(parts)


def in_chunks(pcm: Pcm16, chunk_samples: int) -> tuple[Probabilities, bool]:
    """Return the probabilities of chunks of one length, and whether the gate is open at the end."""
    detector = VoiceDetector()
    parts = [
        detector.probabilities(pcm[at : at + chunk_samples])
        for at in range(0, pcm.size, chunk_samples)
    ]
    return np.concatenate(parts), detector.is_listening


def stages(pcm: Pcm16) -> tuple[Probabilities, list[bool]]:
    """Return each window's probability, and whether the gate was open after it."""
    detector = VoiceDetector()
    probabilities, listening = [], []
    for at in range(0, pcm.size - W + 1, W):
        probabilities += detector.probabilities(pcm[at : at + W]).tolist()
        listening.append(detector.is_listening)
    return np.array(probabilities, np.float32), listening


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, SPEECH.size), max_size=30).map(sorted))
def test_any_split_gives_the_very_same_probabilities(cuts: list[int]) -> None:
    detector = VoiceDetector()
    parts = [detector.probabilities(SPEECH[a:b]) for a, b in pairwise([0, *cuts, SPEECH.size])]
    assert np.array_equal(np.concatenate(parts), VoiceDetector().probabilities(SPEECH))


@pytest.mark.parametrize("chunk_samples", [1, 320, 511, 512, 513])
def test_small_chunks_give_the_very_same_probabilities(chunk_samples: int) -> None:
    pcm = SPEECH[: 12 * W + 7]
    probabilities, _ = in_chunks(pcm, chunk_samples)
    assert probabilities.size == 12
    assert np.array_equal(probabilities, VoiceDetector().probabilities(pcm))


@settings(max_examples=40, deadline=None)
@given(pcm=sounds(), data=st.data())
def test_windows_that_are_judged_together_have_the_very_same_probabilities(
    pcm: Pcm16, data: st.DataObject
) -> None:
    one_by_one, is_listening = in_chunks(pcm, W)
    detector, parts, at = VoiceDetector(), list[Probabilities](), 0
    while at < pcm.size:
        samples = data.draw(st.sampled_from([1, 320, 960, 1600, 5 * W, 20 * W, 200 * W]))
        parts.append(detector.probabilities(pcm[at : at + samples]))
        at += samples
    assert np.array_equal(np.concatenate(parts), one_by_one)
    assert detector.is_listening is is_listening


def test_a_noisy_conversation_gives_the_very_same_probabilities_sample_by_sample() -> None:
    pauses = [np.zeros(40 * W + 1, np.int16), restless(60), hiss(1.5, 10)]
    pcm = np.concatenate([part for pause in pauses for part in (SPEECH[: 2 * SECOND], pause)])
    expected = in_chunks(pcm, 1)
    for samples in (W, 1600, 7 * W, 16 * W + 3, pcm.size):
        probabilities, is_listening = in_chunks(pcm, samples)
        assert np.array_equal(probabilities, expected[0]), samples
        assert is_listening is expected[1]


@pytest.mark.parametrize("windows", [3, 8])
def test_speech_that_arrives_together_takes_one_run_of_silero(
    windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, runs = VoiceDetector(), 0
    detector.probabilities(SPEECH[: 40 * W])
    run = onnxruntime.InferenceSession.run

    def counted(*args: Any) -> Any:
        nonlocal runs
        runs += 1
        return run(*args)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", counted)
    assert detector.probabilities(SPEECH[40 * W : (40 + windows) * W]).size == windows
    assert runs == 1


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_silence_and_dither_never_wake_silero(level: float) -> None:
    probabilities, listening = stages(hiss(3, level))
    assert not any(listening)
    assert not probabilities.any()


@pytest.mark.parametrize(
    "pcm",
    [hiss(12, 12), hiss(12, 4_000), tone(50, 12 * SECOND), tone(440, 12 * SECOND, 2_000)],
    ids=["soft hiss", "loud hiss", "hum", "tone"],
)
def test_a_lasting_sound_lets_silero_sleep_whatever_its_level(pcm: Pcm16) -> None:
    _, listening = stages(pcm)
    assert listening[0]  # too early to know
    assert not any(listening[3 * 31 :])


def test_a_noise_that_begins_closes_the_gate_once_it_is_the_background() -> None:
    _, listening = stages(np.concatenate([hiss(6, 10), hiss(9, 1_000)]))
    starts = 6 * SECOND // W
    assert not listening[starts - 1]
    assert listening[starts + 1]
    assert not any(listening[starts + 5 * 31 :])


@pytest.mark.parametrize("level", [0, 10, 300, 1_000])
def test_gate_and_silero_together_detect_what_silero_detects(level: int) -> None:
    pcm = in_hiss(level)
    alone = SpeechDetector().probabilities(pcm) >= SPEECH_THRESHOLD
    together = VoiceDetector().probabilities(pcm) >= SPEECH_THRESHOLD
    assert np.count_nonzero(alone) > 100
    assert np.count_nonzero(alone != together) <= 3


def test_silero_first_receives_the_audio_before_the_gate_opened() -> None:
    pcm = in_hiss(10)
    probabilities, listening = stages(pcm)
    closed = listening.index(False)
    opened = listening.index(True, closed)
    first = opened - WARM_UP_WINDOWS
    silero = SpeechDetector()
    expected = [silero.probabilities(pcm[i * W : (i + 1) * W])[0] for i in range(first, opened + 9)]
    assert np.array_equal(probabilities[opened : opened + 9], expected[WARM_UP_WINDOWS:])
    assert not probabilities[closed + 1 : opened].any()


def test_the_gate_stays_open_for_half_a_second_after_the_last_sound() -> None:
    pcm = hiss(260 * W / SECOND, 10)
    pcm[200 * W : 210 * W] *= 20
    _, listening = stages(pcm)
    assert np.flatnonzero(listening[150:]).tolist() == list(range(50, 60 + HANGOVER_WINDOWS - 1))


def test_in_a_noisy_pause_silero_starts_again() -> None:
    chance = np.random.default_rng(5)
    speech = np.tile(SPEECH, 2)
    pause = np.zeros(2 * SECOND, np.int16)
    restless = np.repeat(chance.choice([50, 400], 4 * SECOND // W), W)
    sound = np.concatenate([speech, pause, pause])
    sound[speech.size : speech.size + restless.size] = chance.normal(0, restless)
    sound = np.concatenate([sound, SPEECH])
    probabilities, listening = stages(sound)
    pause_windows = (speech.size // W + 40, (speech.size + pause.size) // W)
    assert all(listening[slice(*pause_windows)])
    last = int(np.flatnonzero(probabilities[: pause_windows[1]] >= SILENCE_THRESHOLD)[-1])
    silero = SpeechDetector()
    expected = silero.probabilities(sound[(last + 1) * W :])
    after = probabilities[last + 1 + WARM_UP_WINDOWS : last + 90]
    assert np.array_equal(after, expected[WARM_UP_WINDOWS : WARM_UP_WINDOWS + after.size])


def test_long_speech_does_not_become_the_background() -> None:
    pcm = np.tile(SPEECH, 12)
    alone = SpeechDetector().probabilities(pcm) >= SPEECH_THRESHOLD
    together = VoiceDetector().probabilities(pcm) >= SPEECH_THRESHOLD
    assert np.count_nonzero(alone & ~together) <= alone.size // 100


@pytest.mark.parametrize("level", [10, 1_000])
def test_a_detector_that_began_later_on_the_grid_comes_to_the_same_judgement(level: int) -> None:
    pcm = in_hiss(level, before_s=15)
    later = 18 * GRID_SAMPLES  # 9.2 s
    first = VoiceDetector().probabilities(pcm)[later // W :]
    second = VoiceDetector().probabilities(pcm[later:])
    tuned = 5 * 31
    np.testing.assert_allclose(first[tuned:], second[tuned:], atol=0.02)
    assert np.array_equal(first[tuned:] > 0, second[tuned:] > 0)


def test_a_reset_detector_is_a_new_one() -> None:
    detector = VoiceDetector()
    detector.probabilities(in_hiss(1_000)[: 9 * SECOND + 100])
    detector.reset()
    assert not detector.is_listening
    assert np.array_equal(detector.probabilities(SPEECH), VoiceDetector().probabilities(SPEECH))


def test_samples_are_left_alone() -> None:
    pcm = SPEECH.copy()
    VoiceDetector().probabilities(pcm)
    assert np.array_equal(pcm, SPEECH)


def test_a_window_passes_that_is_two_decibels_above_the_quietest_stretch() -> None:
    def passes_at(gain_db: float) -> bool:
        gate, sound = NoiseGate(), tone(1_000, 100 * W, 1_000)
        for power in powers(sound.reshape(-1, W)):
            gate.passes(power)
        louder = sound[:W] * 10 ** (gain_db / 20)
        return gate.passes(*powers(louder.astype(np.int16).reshape(1, W)))

    assert not passes_at(1.8)
    assert passes_at(2.2)


def test_the_power_of_a_window_does_not_depend_on_those_given_with_it() -> None:
    windows = np.concatenate([in_hiss(30_000)[: 90 * W], np.full(W, -32768, np.int16)])
    windows = windows.reshape(-1, W)
    windows[-1, ::2] = 32767
    assert powers(windows) == [power for window in windows for power in powers(window[None])]
