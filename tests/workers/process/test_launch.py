"""Workers of every kind are confined to what they need."""

import json
from pathlib import Path

import pytest

from auricle.config.sections.worker import WorkerSettings
from auricle.workers.process.launch import HARD_MEMORY_BYTES, confined_program, hard_limit_bytes

pytestmark = pytest.mark.unit


def test_a_worker_may_read_and_write_only_what_is_named(tmp_path: Path) -> None:
    worker = WorkerSettings(sandbox_folders=(tmp_path,))
    *_, module, policy = confined_program("a.module", worker, ["/model"])
    assert module == "a.module"
    assert json.loads(policy) == {"read": ["/model"], "write": [str(tmp_path)], "has_gpu": False}
    *_, policy = confined_program("a.module", worker, [], has_gpu=True)
    assert json.loads(policy)["has_gpu"] is True


def test_a_worker_without_a_sandbox_has_no_policy() -> None:
    worker = WorkerSettings(sandbox="off")
    assert confined_program("a.module", worker, ["/model"])[-1] == "a.module"


def test_no_limit_in_the_settings_is_the_default_limit() -> None:
    assert hard_limit_bytes(WorkerSettings(worker_hard_mb=100)) == 100_000_000
    assert hard_limit_bytes(WorkerSettings(worker_hard_mb=0)) == HARD_MEMORY_BYTES
