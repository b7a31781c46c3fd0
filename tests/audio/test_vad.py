import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.vad import (
    MIN_SPEECH_WINDOWS,
    SPEECH_THRESHOLD,
    WINDOW_SAMPLES,
    Probabilities,
    SpeechDetector,
    has_speech,
    is_speech,
)
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import tone

pytestmark = pytest.mark.unit

SPEECH = CLIPS["pair.wav"].pcm
RNG = np.random.default_rng(3)


def all_probabilities(pcm: Pcm16) -> Probabilities:
    detector = SpeechDetector()
    return np.concatenate([detector.probabilities(pcm), detector.finish()])


def noise(samples: int, level: float) -> Pcm16:
    return RNG.normal(0, level, samples).astype(np.int16)


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, SPEECH.size), max_size=30).map(sorted))
def test_any_split_gives_the_same_probabilities(cuts: list[int]) -> None:
    detector = SpeechDetector()
    parts = [detector.probabilities(SPEECH[a:b]) for a, b in pairwise([0, *cuts, SPEECH.size])]
    streamed = np.concatenate([*parts, detector.finish()])
    np.testing.assert_allclose(streamed, all_probabilities(SPEECH), atol=1e-5)


@pytest.mark.parametrize("chunk_samples", [1, 63, 64, 65, 320, 511, 512, 513])
def test_small_chunks_give_the_same_probabilities(chunk_samples: int) -> None:
    pcm = SPEECH[4_000:12_000]
    detector = SpeechDetector()
    parts = [
        detector.probabilities(pcm[at : at + chunk_samples])
        for at in range(0, pcm.size, chunk_samples)
    ]
    streamed = np.concatenate([*parts, detector.finish()])
    np.testing.assert_allclose(streamed, all_probabilities(pcm), atol=1e-5)


def test_more_windows_than_one_run_takes_are_one_stream() -> None:
    pcm = np.tile(SPEECH, 5)
    assert pcm.size // WINDOW_SAMPLES > 512
    halves = SpeechDetector()
    parts = [halves.probabilities(part) for part in np.array_split(pcm, 7)]
    expected = SpeechDetector().probabilities(pcm)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "whole", "all_told"),
    [(0, 0, 0), (1, 0, 1), (511, 0, 1), (512, 1, 1), (513, 1, 2), (1024, 2, 2)],
)
def test_a_window_is_judged_once_it_is_complete_and_the_last_one_at_the_end(
    samples: int, whole: int, all_told: int
) -> None:
    detector = SpeechDetector()
    pcm = SPEECH[:samples]
    assert detector.probabilities(pcm).shape == (whole,)
    assert detector.finish().shape == (all_told - whole,)


def test_a_finished_detector_is_ready_for_a_new_stream() -> None:
    detector = SpeechDetector()
    first = detector.probabilities(SPEECH)
    detector.finish()
    assert np.array_equal(detector.probabilities(SPEECH), first)
    detector.reset()
    assert np.array_equal(detector.probabilities(SPEECH), first)


def test_detectors_do_not_share_state() -> None:
    one, other = SpeechDetector(), SpeechDetector()
    parts = []
    for at in range(0, SPEECH.size, 4_000):
        parts.append(one.probabilities(SPEECH[at : at + 4_000]))
        other.probabilities(noise(4_000, 3_000))
    np.testing.assert_allclose(
        np.concatenate(parts), all_probabilities(SPEECH)[: -(SPEECH.size % 512 > 0)], atol=1e-5
    )


def test_the_callers_samples_are_left_alone() -> None:
    pcm = SPEECH.copy()
    SpeechDetector().probabilities(pcm)
    assert np.array_equal(pcm, SPEECH)


def test_a_pause_between_two_utterances_is_seen() -> None:
    voiced = all_probabilities(SPEECH) >= SPEECH_THRESHOLD
    starts = np.flatnonzero(voiced[1:] & ~voiced[:-1])
    quiet_s = np.max(np.diff(np.flatnonzero(voiced))) * WINDOW_SAMPLES / 16_000
    assert 2 <= starts.size <= 4
    assert 1.8 < quiet_s < 2.6  # the pause is 2 s, and the sentences have soft edges


@pytest.mark.parametrize("name", ["fellow.wav", "short.wav", "pair.wav"])
def test_speech_is_found(name: str) -> None:
    assert has_speech(CLIPS[name].pcm)


def test_quiet_speech_is_found() -> None:
    assert has_speech((SPEECH // 30).astype(np.int16))


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.int16),
        np.zeros(64_000, np.int16),
        noise(64_000, 50),
        noise(64_000, 5_000),
        tone(50, 64_000),
        np.full(64_000, 12_000, np.int16),
        sum((tone(hz, 64_000, 2_500) for hz in (262, 330, 392)), np.zeros(64_000, np.int16)),
    ],
    ids=["nothing", "silence", "soft noise", "loud noise", "hum", "offset", "chord"],
)
def test_what_is_not_speech_is_not_taken_for_it(pcm: Pcm16) -> None:
    assert not has_speech(pcm)


@pytest.mark.parametrize("windows", [MIN_SPEECH_WINDOWS - 1, MIN_SPEECH_WINDOWS])
def test_speech_is_a_least_number_of_windows(windows: int) -> None:
    probabilities = np.zeros(20, np.float32)
    probabilities[5 : 5 + windows] = SPEECH_THRESHOLD
    assert is_speech(probabilities) == (windows == MIN_SPEECH_WINDOWS)


def test_its_runtime_keeps_no_diary(tmp_path: Path) -> None:
    """Left to itself, onnxruntime 1.32 writes into the user's cache and calls its maker."""
    code = (
        "import numpy as np\n"
        "from auricle.audio.vad import has_speech\n"
        "has_speech(np.zeros(16_000, np.int16))\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    environ = environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    assert list(tmp_path.iterdir()) == []
