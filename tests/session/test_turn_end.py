"""What ends a turn: the answer of the model, and the silence that follows from it."""

from math import inf

import numpy as np
import pytest

from auricle.audio.endpointer import EndCause
from auricle.session.turn_end import ANSWER_S, DOUBT_MS, FINISH_MS, TurnEnd, silence_ms
from auricle.values.errors import TurnsUnavailable
from auricle.values.events import Trigger
from auricle.values.types import JobId, TurnDetection

pytestmark = pytest.mark.unit

PCM = np.ones(16_000, np.int16)


def asked(turns: TurnDetection | None = None) -> tuple[TurnEnd, JobId]:
    it = TurnEnd("S")
    it.turns = turns or TurnDetection(threshold=0.7, eager_threshold=0.4, limit_ms=3000)
    return it, it.ask(PCM, 10.0).job.id


@pytest.mark.parametrize(
    ("probability", "threshold", "limit_ms", "expected"),
    [
        (1.0, 0.7, 3000, FINISH_MS),
        (0.9, 0.7, 3000, FINISH_MS + DOUBT_MS // 10),
        (0.7, 0.7, 3000, FINISH_MS + DOUBT_MS * 3 // 10),
        (0.69, 0.7, 3000, 3000),
        (1.0, 1.0, 3000, 3000),
        (0.5, 0.0, 500, 500),
    ],
)
def test_a_turn_ends_earlier_the_surer_it_sounds_finished(
    probability: float, threshold: float, limit_ms: int, expected: int
) -> None:
    assert silence_ms(probability, TurnDetection(threshold, None, limit_ms)) == expected


@pytest.mark.parametrize(("probability", "trigger"), [(0.9, Trigger.MODEL), (0.5, Trigger.TIMEOUT)])
def test_an_answer_belongs_to_its_pause(probability: float, trigger: Trigger) -> None:
    it, job_id = asked()
    assert it.silence_ms is None
    assert not it.answered(JobId("another"), 0.9)
    assert it.answered(job_id, probability)
    assert not it.answered(job_id, probability)
    assert (it.probability, it.due_at, it.is_eager) == (probability, inf, True)
    assert it.trigger(EndCause.SILENCE) is trigger
    assert it.trigger(EndCause.REQUEST) is Trigger.MANUAL
    assert it.trigger(EndCause.LENGTH) is None
    it.resume()
    assert (it.probability, it.silence_ms, it.is_eager) == (None, None, False)


def test_a_late_or_failed_answer_leaves_ordinary_silence() -> None:
    it, job_id = asked()
    assert it.due_at == 10.0 + ANSWER_S
    assert not it.is_overdue(it.due_at - 0.001)
    assert it.is_overdue(it.due_at)
    assert not it.answered(job_id, 0.9)
    assert (it.take_failure(), it.silence_ms, it.due_at) == (True, None, inf)
    other, job_id = asked()
    assert other.answered(job_id, TurnsUnavailable())
    assert (other.take_failure(), other.silence_ms) == (True, None)
    assert other.trigger(EndCause.SILENCE) is Trigger.TIMEOUT


def test_there_is_no_trigger_without_turn_detection() -> None:
    it = TurnEnd("S")
    assert it.trigger(EndCause.SILENCE) is it.trigger(EndCause.REQUEST) is None
    assert not it.is_eager
