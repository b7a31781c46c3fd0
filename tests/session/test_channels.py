"""All channels of a session: which audio each gets, and what they have in common."""

import numpy as np
import pytest

from auricle.values.events import SpeechStarted
from tests.session.helpers import Parts
from tests.support.clips import CLIPS
from tests.support.session import silence

pytestmark = pytest.mark.unit

SPEECH = CLIPS["short.wav"].pcm


def test_each_channel_gets_its_own_row() -> None:
    it = Parts(2).channels
    quiet, speaking = it.receive(np.stack([np.zeros_like(SPEECH), SPEECH]), 0.0)
    assert not quiet
    assert [output for output in speaking if isinstance(output, SpeechStarted)]
    assert (it.busy, it.are_done, it.is_any_open) == (1, False, True)


def test_samples_of_no_channel_are_for_all() -> None:
    it = Parts(2).channels
    it.receive(SPEECH, 0.0)
    assert it.busy == 2
    it.receive(silence(2), 0.0)
    assert not it.is_any_open
    assert it.has_pending_finals


def test_unfinished_audio_is_in_the_order_of_the_channels() -> None:
    it = Parts(2).channels
    assert it.unfinished_audio({}) == []
    it.receive(SPEECH, 0.0)
    assert [audio.channel for audio in it.unfinished_audio({})] == [0, 1]
    first = it.unfinished_audio({})[0]
    written = it.unfinished_audio({first.utterance: first.samples})
    assert written[0].pcm.size == 0 < written[1].pcm.size
