import numpy as np
import pytest

from bench.speakers.conversations import Conversation, SpokenTurn
from bench.turns import Pause, by_model, in_conversation, judged, plain, windowed

pytestmark = pytest.mark.unit

SECOND = 16_000
TURNS = [
    [Pause(1 * SECOND, 0.9, 600.0), Pause(3 * SECOND, 0.95, None)],
    [Pause(1 * SECOND, 0.1, 600.0), Pause(3 * SECOND, 0.2, None)],
    [Pause(3 * SECOND, 0.9, None)],
]


def test_a_turn_is_cut_if_a_pause_inside_it_ends_it() -> None:
    silence, model = judged(TURNS, plain(500)), judged(TURNS, by_model(0.5))
    assert (silence.turns, silence.cut, silence.wait_ms, silence.cut_thinking) == (3, 2, 512, 1.0)
    assert (model.cut, model.cut_thinking) == (1, 0.5)
    assert model.mean_wait_ms > model.wait_ms
    assert judged(TURNS, plain(700)).cut == 0


def test_silence_is_counted_in_windows_of_the_detector() -> None:
    assert [windowed(ms) for ms in (192, 193, 500)] == [192, 224, 512]


def test_a_change_of_speaker_is_no_pause_inside_a_turn() -> None:
    turns = (SpokenTurn(0, 2 * SECOND, "a"), SpokenTurn(3 * SECOND, 5 * SECOND, "b"))
    talk = Conversation("talk", np.zeros(1, np.int16), turns)
    pauses = [Pause(SECOND, 0.9, 600.0), Pause(2 * SECOND, 0.9, 1000.0), Pause(5 * SECOND, 1, None)]
    assert in_conversation(talk, pauses, plain(800)) == [1, 0, 1, 1]
    assert in_conversation(talk, pauses, by_model(0.5)) == [1, 1, 1, 1]
