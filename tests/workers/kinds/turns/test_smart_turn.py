from pathlib import Path

import numpy as np
import pytest

from auricle.values.errors import SetupError
from auricle.values.types import MAX_TURN_SAMPLES
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from tests.support.clips import CLIPS
from tests.support.session import silence

pytestmark = pytest.mark.model

SENTENCE = CLIPS["pair.wav"].pcm


@pytest.fixture(scope="module")
def judge() -> SmartTurn:
    return SmartTurn()


def test_a_sentence_sounds_finished_at_its_end_and_not_in_its_middle(judge: SmartTurn) -> None:
    fellow = CLIPS["fellow.wav"].pcm
    whole = judge.probability(np.concatenate([fellow, silence(0.2)])[-MAX_TURN_SAMPLES:])
    half = judge.probability(np.concatenate([fellow[: fellow.size // 3], silence(0.2)]))
    assert half < 0.5 < whole


def test_the_same_audio_has_the_same_probability_alone_and_after_silence(judge: SmartTurn) -> None:
    pcm = SENTENCE[:48_000]
    padded = np.concatenate([silence(2), pcm])
    assert judge.probability(pcm) == judge.probability(padded) == judge.probability(pcm)


def test_more_than_eight_seconds_are_rejected(judge: SmartTurn) -> None:
    with pytest.raises(ValueError, match="at most"):
        judge.probability(np.zeros(MAX_TURN_SAMPLES + 1, np.int16))


def test_another_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(SetupError, match="cannot be loaded"):
        SmartTurn(tmp_path / "x.onnx")
