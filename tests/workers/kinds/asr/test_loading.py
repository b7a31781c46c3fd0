"""A worker loads its model and warms it up, or says why it cannot."""

from dataclasses import dataclass

import pytest

from auricle.engines.base import EngineSettings
from auricle.values.errors import SetupError
from auricle.workers.kinds.asr.loading import load_model
from auricle.workers.kinds.asr.messages import StartAsr

pytestmark = pytest.mark.unit

START = StartAsr("some.engine", "/model", "cuda", "int8", 3, 2**30, device_index=1)


@dataclass
class Model:
    warm_ups: int = 0

    def warm_up(self) -> None:
        self.warm_ups += 1


def test_the_model_of_the_message_is_loaded_and_warmed_up() -> None:
    asked: list[tuple[str, EngineSettings]] = []

    def load(name: str, settings: EngineSettings) -> Model:
        asked.append((name, settings))
        return Model()

    model, warm_up_s = load_model(START, load)
    assert (model.warm_ups, warm_up_s >= 0) == (1, True)
    assert asked == [("some.engine", EngineSettings("/model", "cuda", "int8", 3, 1))]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SetupError("Pull it first."), "Pull it first."),
        (ValueError("bad file"), "The engine cannot be loaded: ValueError: bad file"),
    ],
)
def test_the_reason_of_a_failure_is_reported(error: Exception, reason: str) -> None:
    def load(name: str, settings: EngineSettings) -> Model:
        raise error

    with pytest.raises(SetupError, match=reason):
        load_model(START, load)
