"""A real speaker worker with the real model, over real pipes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from auricle.workers.child.channel import (
    EXIT_CRASHED,
    EXIT_PROTOCOL,
    EXIT_START_FAILED,
    EXIT_STOPPED,
)
from auricle.workers.kinds.speakers.messages import EmbedStretches, StretchesEmbedded
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL
from auricle.workers.kinds.speakers.schedule import read_vectors
from auricle.workers.wire.messages import (
    StartFailed,
    StartModel,
    StopWorker,
    Submit,
    WorkerReady,
)
from tests.support.child import Child
from tests.support.clips import CLIPS

pytestmark = pytest.mark.process

PCM = CLIPS["fellow.wav"].pcm


def start(model: Path = BUNDLED_MODEL) -> StartModel:
    return StartModel(str(model), 1, 512 * 2**20)


def embed(*stretches: tuple[int, int]) -> Submit[EmbedStretches]:
    return Submit(7, 30.0, EmbedStretches(memoryview(PCM.tobytes()), stretches))


@pytest.fixture
def child() -> Iterator[Child]:
    with Child("auricle.workers.kinds.speakers.child") as child:
        yield child


def test_stretches_are_embedded_until_the_stop(child: Child) -> None:
    child.send(start())
    assert isinstance(child.receive(), WorkerReady)
    child.send(embed((0, 24_000), (24_000, 48_000)))
    done = child.receive()
    assert isinstance(done, StretchesEmbedded)
    first, second = read_vectors(done.vectors, 2)
    assert np.dot(first, second) > 0.6
    child.send(StopWorker())
    assert child.wait() == EXIT_STOPPED


def test_a_stretch_outside_the_audio_ends_the_process(child: Child) -> None:
    child.send(start())
    child.receive()
    child.send(embed((0, PCM.size + 1)))
    assert child.wait() == EXIT_CRASHED


def test_a_model_that_cannot_be_loaded_is_reported(child: Child, tmp_path: Path) -> None:
    child.send(start(tmp_path / "missing.onnx"))
    failed = child.receive()
    assert isinstance(failed, StartFailed)
    assert "missing.onnx" in failed.message
    assert child.wait() == EXIT_START_FAILED


def test_work_before_the_start_breaks_the_protocol(child: Child) -> None:
    child.send(embed((0, 24_000)))
    assert child.wait() == EXIT_PROTOCOL
