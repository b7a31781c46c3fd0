"""Channels with the same audio are found, and two speakers are not."""

import numpy as np
import pytest

from auricle.audio.channel_comparison import (
    COMPARED_SAMPLES,
    ChannelComparison,
    SimilarChannels,
)
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

ONE = np.tile(CLIPS["fellow.wav"].pcm, 4)[: 12 * SAMPLE_RATE_HZ]
OTHER = np.tile(CLIPS["pair.wav"].pcm, 4)[: 12 * SAMPLE_RATE_HZ]
SILENCE = np.zeros(SAMPLE_RATE_HZ, np.int16)


def findings(*channels: Pcm16) -> list[SimilarChannels]:
    comparison = ChannelComparison(len(channels))
    samples = min(channel.size for channel in channels)
    steps = range(0, samples, 1600)
    found = [comparison.receive([c[at : at + 1600] for c in channels]) for at in steps]
    return [each for each in (*found, comparison.finish()) if each is not None]


def test_a_duplicated_channel_is_found_once() -> None:
    assert findings(ONE, ONE) == [SimilarChannels(0, 1, is_equal=True)]


def test_a_channel_that_a_codec_changed_a_little_is_still_the_same() -> None:
    noise = np.random.default_rng(0).normal(0, 3, ONE.size)
    assert findings(OTHER, ONE, (ONE + noise).astype(np.int16)) == [
        SimilarChannels(1, 2, is_equal=True)
    ]


def test_mono_that_was_sent_as_two_channels_is_found() -> None:
    (found,) = findings(ONE[0::2], ONE[1::2])
    assert not found.is_equal
    assert "set channels=1" in found.message


def test_two_speakers_and_a_silent_channel_are_different() -> None:
    assert findings(ONE, OTHER) == []
    assert findings(ONE, np.zeros_like(ONE)) == []
    assert findings(SILENCE, SILENCE) == []


def test_silence_is_no_evidence() -> None:
    comparison = ChannelComparison(2)
    for _ in range(2 * COMPARED_SAMPLES // SAMPLE_RATE_HZ):
        assert comparison.receive([SILENCE, SILENCE]) is None
    assert comparison.receive([ONE, ONE]) == SimilarChannels(0, 1, is_equal=True)
    assert comparison.receive([ONE, ONE]) is None
    assert comparison.finish() is None
