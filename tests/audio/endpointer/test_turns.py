"""Questions: what ends a pause is answered later, and samples wait for the answer."""

import random

import numpy as np
import pytest

from auricle.audio.endpointer import (
    EndCause,
    Endpointer,
    Endpointing,
    EndpointRules,
    Resumed,
    SpeechStart,
    TurnQuestion,
    UtteranceEnd,
)
from tests.audio.endpointer.helpers import Script, W, ends, hear, probabilities

pytestmark = pytest.mark.unit

ASKING = EndpointRules(ask_ms=192)
SECOND_WINDOWS = 31
SAID: Script = [(0.0, 20), (0.95, 30)]


class Asked:
    """An endpointer that hears a script; its questions are answered after some windows."""

    def __init__(
        self, *answers_ms: int | None, late_windows: int = 0, rules: EndpointRules = ASKING
    ) -> None:
        self.it = Endpointer(rules)
        self.answers_ms = list(answers_ms)
        self.late_windows = late_windows
        self.events: list[Endpointing] = []

    def hear(self, script: Script) -> list[Endpointing]:
        due = None
        for probability in probabilities(script):
            found = self.it.receive(np.zeros(W, np.int16), np.array([probability], np.float32))
            while True:
                self.events += found
                if any(isinstance(event, TurnQuestion) for event in found):
                    due = self.late_windows
                if due is None or due > 0:
                    break
                due, found = None, self.it.answer(self.answers_ms.pop(0))
            due = None if due is None else due - 1
        return self.events


@pytest.mark.parametrize("late_windows", [0, 3, 12])
def test_the_answer_says_what_silence_ends_a_pause_however_late_it_comes(late_windows: int) -> None:
    script: Script = [*SAID, (0.0, 12), (0.95, 30), (0.0, 12), (0.95, 30), (0.0, 30)]
    events = Asked(384, 3000, None, late_windows=late_windows).hear(script)
    first, second = ends(events)
    assert first.end_sample == (50 + 3) * W
    assert second.end_sample == (50 + 12 + 30 + 12 + 30 + 3) * W
    assert [type(event) for event in events if not isinstance(event, SpeechStart)].count(
        Resumed
    ) == 1
    assert first.cause is second.cause is EndCause.SILENCE


def test_a_pause_ends_at_once_if_its_silence_is_long_enough_when_the_answer_comes() -> None:
    asked = Asked(192)
    asked.hear([*SAID, (0.0, 6)])
    assert len(ends(asked.events)) == 1


def test_a_question_without_an_answer_leaves_the_silence_of_the_rules() -> None:
    plain = ends(hear([*SAID, (0.0, 40)]))
    assert ends(Asked(None).hear([*SAID, (0.0, 40)])) == plain


def test_short_rules_do_not_end_a_pause_before_its_question() -> None:
    asked = Asked(None)
    asked.it.configure(100)
    asked.hear([*SAID, (0.0, 40)])
    assert len(ends(asked.events)) == 1
    assert asked.answers_ms == []


def test_a_breath_raises_no_question() -> None:
    asked = Asked()
    asked.hear([(0.0, 20), (0.6, 5), (0.0, 40)])
    assert len(ends(asked.events)) == 1


def test_a_request_ends_the_utterance_without_an_answer() -> None:
    asked = Asked(late_windows=100)
    asked.hear([*SAID, (0.0, 10)])
    (end,) = ends(asked.it.finish())
    assert (end.end_sample, end.cause) == ((50 + 3) * W, EndCause.REQUEST)
    with pytest.raises(ValueError, match="question"):
        asked.it.answer(384)


def test_stored_speech_is_dropped_with_the_utterance() -> None:
    asked = Asked(late_windows=100)
    asked.hear([*SAID, (0.0, 10), (0.95, 20)])
    asked.it.discard()
    assert not asked.it.is_open
    assert asked.it.receive(np.zeros(W, np.int16), np.array([0.0], np.float32)) == []


def test_an_answer_counts_in_a_long_utterance_too() -> None:
    long: Script = [(0.0, 20), (0.95, 13 * SECOND_WINDOWS), (0.0, 25), (0.95, 20), (0.0, 20)]
    (end,) = ends(Asked(5000, 500).hear(long))
    assert end.end_sample == (20 + 13 * SECOND_WINDOWS + 25 + 20 + 3) * W


def test_an_utterance_cut_in_speech_goes_on_and_one_in_a_pause_ends() -> None:
    speech: Script = [(0.0, 20), (0.95, 26 * SECOND_WINDOWS)]
    (end,) = ends(Asked().hear(speech))
    assert (end.is_cut, end.cause) == (True, EndCause.LENGTH)
    pause: Script = [(0.0, 20), (0.95, 11 * SECOND_WINDOWS), (0.0, 15 * SECOND_WINDOWS)]
    (end,) = ends(Asked(20_000).hear(pause))
    assert end.cause is EndCause.SILENCE
    assert not Asked(20_000).hear(pause[:1])


def test_questions_come_after_the_pause_is_known() -> None:
    with pytest.raises(ValueError, match="ask_ms"):
        EndpointRules(ask_ms=90)
    (question,) = (e for e in Asked(None).hear([*SAID, (0.0, 7)]) if isinstance(e, TurnQuestion))
    assert question == TurnQuestion(20 * W - 4800, 56 * W)
    assert not isinstance(question, UtteranceEnd)


@pytest.mark.parametrize("seed", range(15))
def test_any_speech_has_the_same_utterances_however_late_the_answers_come(seed: int) -> None:
    chance = random.Random(seed)
    rules = EndpointRules(ask_ms=192, soft_limit_s=2, hard_limit_s=4)
    script: Script = []
    for _ in range(40):
        script += [(chance.choice((0.95, 0.6)), chance.randint(1, 60))]
        script += [(0.0, chance.choice((1, 2, 4, 7, 9, 13, 20, 40)))]
    answers = [chance.choice((None, 192, 384, 500, 1000, 3000)) for _ in range(100)]
    prompt = Asked(*answers, rules=rules)
    late = Asked(*answers, late_windows=chance.randint(1, 30), rules=rules)
    expected = prompt.hear(script) + prompt.it.finish()
    assert late.hear(script) + late.it.finish() == expected
    assert len(ends(expected)) > 5
