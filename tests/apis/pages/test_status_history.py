"""The history of a server, as the status page reads it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auricle.values.transcriber import WorkerExit, WorkerState, WorkerStats
from tests.support.command import LIMIT_S, serving
from tests.support.poll import wait_until
from tests.support.service import InProcess, in_process, keys
from tests.support.transcriber import READY

CRASH = WorkerExit(1_700_000_000.0, "SIGSEGV", None, "exited", ("engine.py:10 in decode",))
WORKER = WorkerStats("asr-1", 4711, WorkerState.BUSY, 0, 0, 0, CRASH)


def history_of(service: InProcess, key: str = "") -> Any:
    answer = service.client.get("/health/history", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.process
def test_a_server_keeps_one(tmp_path: Path) -> None:
    def begins() -> bool:
        return httpx2.get(f"{url}/health/history", timeout=LIMIT_S).json()["started_at"] is not None

    with serving(tmp_path) as (_, url):
        wait_until(begins, "the first snapshot")


@pytest.mark.server
@pytest.mark.parametrize(
    ("key", "stack"), [("root", ["engine.py:10 in decode"]), ("secret", None), ("", None)]
)
def test_only_the_operator_sees_crash_stacks(
    tmp_path: Path, key: str, stack: list[str] | None
) -> None:
    with in_process(
        tmp_path, api_keys=keys("alice:secret"), operator_key=keys("root")[0]
    ) as service:
        service.transcriber.current = replace(READY, workers=(WORKER,))
        wait_until(lambda: history_of(service)["exits"] != [], "the exit of a worker")
        body = history_of(service, key)
        assert body["with_stacks"] is (stack is not None)
        assert [each.get("stack") for each in body["exits"]] == [stack]
