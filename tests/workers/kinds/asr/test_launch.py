"""Workers get the model of their pool, and may read its files only."""

import json
from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.base import LocalModel
from auricle.engines.placement import Placement
from auricle.engines.registry import find_engine
from auricle.workers.kinds.asr.launch import start_message, worker_program
from auricle.workers.process.launch import HARD_MEMORY_BYTES
from tests.support.pool import SCRIPTED

pytestmark = pytest.mark.unit


def placement(path: Path, *, gpus: int = 0, **worker: object) -> Placement:
    settings = ModelSettings(engine=SCRIPTED, gpus=gpus, device="cuda" if gpus else "cpu")
    model = LocalModel(str(path), "name")
    workers = WorkerSettings.model_validate(worker)
    return Placement(workers, settings, find_engine(SCRIPTED), model)


def test_the_sandbox_has_the_model_and_no_other_file(tmp_path: Path) -> None:
    *_, policy = worker_program("a.module", placement(tmp_path))
    assert str(tmp_path) in json.loads(policy)["read"]
    assert json.loads(policy)["has_gpu"] is False


def test_without_a_sandbox_there_is_no_policy(tmp_path: Path) -> None:
    assert not any(
        "read" in each for each in worker_program("a.module", placement(tmp_path, sandbox="off"))
    )


def test_workers_are_spread_over_the_gpus(tmp_path: Path) -> None:
    place = placement(tmp_path, gpus=2)
    assert [start_message(place, 4, slot).device_index for slot in range(3)] == [0, 1, 0]
    assert start_message(placement(tmp_path), 4, 5).device_index == 0


def test_the_message_has_the_limits(tmp_path: Path) -> None:
    message = start_message(placement(tmp_path, worker_hard_mb=100), 4, 0)
    assert (message.threads, message.hard_limit_bytes) == (4, 100_000_000)
    assert start_message(placement(tmp_path), 4, 0).hard_limit_bytes == HARD_MEMORY_BYTES
