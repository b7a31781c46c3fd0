"""A worker loads its model and warms it up, or says why it cannot."""

import os
from dataclasses import dataclass

import pytest

from auricle.engine.base import EngineSettings
from auricle.errors import SetupError
from auricle.workers.asr.loading import load_model
from auricle.workers.process.channel import Channel
from auricle.workers.process.framing import LENGTH
from auricle.workers.process.messages import StartAsr

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

    loaded = load_model(Channel(0, 1), START, load)
    assert loaded is not None
    model, warm_up_s = loaded
    assert (model.warm_ups, warm_up_s >= 0) == (1, True)
    assert asked == [("some.engine", EngineSettings("/model", "cuda", "int8", 3, 1))]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SetupError("Pull it first."), b"Pull it first."),
        (ValueError("bad file"), b"The engine cannot be loaded: ValueError: bad file"),
    ],
)
def test_a_failure_is_reported_once(error: Exception, reason: bytes) -> None:
    def load(name: str, settings: EngineSettings) -> Model:
        raise error

    read, write = os.pipe()
    assert load_model(Channel(0, write), START, load) is None
    os.close(write)
    with os.fdopen(read, "rb") as sent:
        (size,) = LENGTH.unpack(sent.read(LENGTH.size))
        body = sent.read()
    assert len(body) == size
    assert reason in body
