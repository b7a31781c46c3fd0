"""What OpenBench's metrics are given: the texts and the audio that was sent before them."""

from array import array

import numpy as np
import pytest

from auricle.cli.bench.stream import Played
from bench.live.play import Caption
from bench.live.speech import Spoken, SpokenWord, Talk
from bench.suites.openbench import sample_of
from bench.suites.streams import Stream

pytestmark = pytest.mark.unit


def test_interim_results_continue_the_confirmed_text() -> None:
    words = (SpokenWord("One", 0.0, 0.2), SpokenWord("two", 0.2, 0.4))
    talk = Talk(np.zeros(16_000, np.int16), (Spoken("a", "One two", words, 0.0, 0.5),))
    played = Played(1600, began_at=10.0, sent_at_s=array("d", (10.1 + i / 10 for i in range(10))))
    captions = [
        Caption(10.05, False, " ", 0.0, 0.1),
        Caption(10.35, False, "One", 0.0, 0.2),
        Caption(10.55, True, "One", 0.0, 0.2),
        Caption(10.95, False, "two", 0.2, 0.4),
        Caption(19.0, True, "two", 0.2, 0.4),
    ]
    sample = sample_of(Stream(talk, played, captions))
    assert sample["interim_results"] == [" One", " One two"]
    assert sample["audio_cursor"] == pytest.approx([0.3, 0.9])
    assert sample["confirmed_interim_results"] == [" One", " One two"]
    assert sample["confirmed_audio_cursor"] == pytest.approx([0.5, 1.0])  # no more than was sent
    assert sample["words"] == [("One", 0.0, 0.2), ("two", 0.2, 0.5)]
