"""A real worker of turns with the real model, over real pipes."""

from collections.abc import Iterator

import numpy as np
import pytest

from auricle.values.types import MAX_TURN_SAMPLES
from auricle.workers.child.channel import EXIT_CRASHED, EXIT_STOPPED
from auricle.workers.kinds.turns.messages import JudgeTurn, TurnJudged
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL
from auricle.workers.wire.messages import StartModel, StopWorker, Submit, WorkerReady
from tests.support.child import Child
from tests.support.clips import CLIPS

pytestmark = pytest.mark.process

START = StartModel(str(BUNDLED_MODEL), 1, 512 * 2**20)


@pytest.fixture
def child() -> Iterator[Child]:
    with Child("auricle.workers.kinds.turns.child") as child:
        yield child


def test_turns_are_judged_until_the_stop(child: Child) -> None:
    child.send(START)
    assert isinstance(child.receive(), WorkerReady)
    pcm = CLIPS["fellow.wav"].pcm
    child.send(Submit(7, 30.0, JudgeTurn(memoryview(pcm.tobytes()))))
    judged = child.receive()
    assert isinstance(judged, TurnJudged)
    assert judged.probability > 0
    child.send(StopWorker())
    assert child.wait() == EXIT_STOPPED


def test_too_much_audio_ends_the_process(child: Child) -> None:
    child.send(START)
    child.receive()
    pcm = np.zeros(MAX_TURN_SAMPLES + 1, np.int16)
    child.send(Submit(7, 30.0, JudgeTurn(memoryview(pcm.tobytes()))))
    assert child.wait() == EXIT_CRASHED
