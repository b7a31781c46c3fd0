import numpy as np
import pytest

from auricle.values.types import SAMPLE_RATE_HZ, Segment, Word
from bench.lib.speech import Clip
from bench.speakers.conversations import (
    Conversation,
    SpokenTurn,
    by_telephone,
    converse,
    sounds,
)
from bench.speakers.words import WordErrors, word_errors

pytestmark = pytest.mark.unit

S = SAMPLE_RATE_HZ


def tone(start_s: float, end_s: float, total_s: float, hz: float = 200.0) -> Clip:
    pcm = np.zeros(round(total_s * S))
    at = np.arange(round(start_s * S), round(end_s * S))
    pcm[at] = 8000 * np.sin(2 * np.pi * hz / S * at)
    return Clip("tone", "read", pcm.astype(np.int16), "la")


VOICES = {name: [tone(0.3, 2.3, 3, hz)] for name, hz in (("a", 150.0), ("b", 220.0), ("c", 300.0))}


def test_silence_around_a_clip_is_not_sound() -> None:
    ((start, end),) = sounds(tone(0.5, 2.0, 3.0).pcm)
    assert start == pytest.approx(0.5 * S, abs=S // 50)
    assert end == pytest.approx(2.0 * S, abs=S // 50)


def test_a_conversation_is_the_same_each_time_and_everybody_speaks() -> None:
    first, again, other = (converse(VOICES, 3, 30, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.pcm, again.pcm)
    assert first.turns == again.turns != other.turns
    assert first.speakers == {"a", "b", "c"}
    assert first.seconds >= 30


def test_turns_have_sound_and_pauses_have_little() -> None:
    talk = converse(VOICES, 2, 30, 7)
    loudness = np.abs(talk.pcm.astype(np.float64))
    is_speech = np.zeros(talk.pcm.size, np.bool_)
    for turn in talk.turns:
        is_speech[turn.start_sample : turn.end_sample] = True
        assert loudness[turn.start_sample : turn.end_sample].mean() > 1500
    assert loudness[~is_speech].mean() < 1500


def test_a_telephone_carries_a_band_of_the_conversation() -> None:
    pcm = np.sum([tone(0, 1, 1, hz).pcm // 4 for hz in (100, 1000, 5000)], axis=0)
    call = by_telephone(Conversation("x", np.asarray(pcm, np.int16), (), "la"))
    spectrum = np.abs(np.fft.rfft(call.pcm.astype(np.float64)))
    low, inside, high = (spectrum[hz] for hz in (100, 1000, 5000))
    assert inside > 20 * max(low, high)
    assert (call.pcm.size, call.text) == (pcm.size, "la")


def test_a_word_is_right_if_its_speaker_speaks_then() -> None:
    turns = (SpokenTurn(0, 2 * S, "a"), SpokenTurn(S, 3 * S, "b"))
    talk = Conversation("x", np.zeros(9 * S, np.int16), turns)
    at_s = {0.5: 7, 1.5: 4, 2.5: 7, 5.0: 7}
    words = tuple(
        Word(round((middle - 0.1) * S), round((middle + 0.1) * S), "w", 1.0, speaker=speaker)
        for middle, speaker in at_s.items()
    )
    errors = word_errors(talk, [Segment(0, 6 * S, "w w w w", words)], {"7": "a", "4": "b"})
    assert errors == WordErrors(words=3, wrong=1)
