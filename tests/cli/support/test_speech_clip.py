"""The speech that every installation has: its length, and where its sentences are."""

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.cli.support.speech_clip import SpeechClip, speech_clip
from auricle.values.types import SAMPLE_RATE_HZ

pytestmark = pytest.mark.unit

SILENT = 50
"""Samples below this are silence."""
EDGE_S = 0.1


@pytest.fixture
def clip() -> SpeechClip:
    return speech_clip()


def test_its_samples_are_as_long_as_its_packets(clip: SpeechClip) -> None:
    assert clip.pcm(find_libopus()).size == round(clip.seconds * SAMPLE_RATE_HZ)


def test_sentences_are_loud_and_pauses_between_them_are_silent(clip: SpeechClip) -> None:
    pcm = np.abs(clip.pcm(find_libopus()).astype(int))
    before_s = 0.0
    for sentence in clip.sentences:
        pause, spoken = (
            pcm[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
            for start_s, end_s in (
                (sentence.start_s - 0.8, sentence.start_s - EDGE_S),
                (sentence.start_s, sentence.end_s),
            )
        )
        assert np.percentile(pause, 95) < SILENT < np.percentile(spoken, 80)
        assert before_s + 1.0 <= sentence.start_s < sentence.end_s <= clip.seconds
        before_s = sentence.end_s


def test_its_text_is_that_of_its_sentences(clip: SpeechClip) -> None:
    assert clip.text.startswith("It was a bright morning in April,")
    assert clip.text.endswith("everyone in the village knew the story.")
    assert len(clip.sentences) == 9
