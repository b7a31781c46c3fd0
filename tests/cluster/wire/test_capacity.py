import json
import math
from typing import Any

import msgspec
import pytest

from auricle.cluster.wire.capacity import (
    MAX_CAPACITY_BYTES,
    capacity_of,
    pack_capacity,
    parse_capacity,
)
from auricle.errors import RemoteProtocolError
from auricle.transcriber import Stats, WorkerExit, WorkerStats

pytestmark = pytest.mark.unit

EXIT = WorkerExit(1.5, "SIGSEGV", None, "exited", ("decode",))


def worker(name: str, state: str, last: WorkerExit | None = None) -> WorkerStats:
    return WorkerStats(name, 7, state, 1, 2, 3_000, last)


WELL = Stats(
    workers=(worker("asr-0", "busy"), worker("asr-1", "ready", EXIT)),
    ready=True,
    waiting_jobs=2,
    running_jobs=1,
    waiting_audio_s=6.0,
    running_audio_s=3.0,
    max_audio_s=300.0,
    done=5,
    failed=4,
    retried=3,
    refused=2,
    poison=1,
    replaced=6,
    model="base",
    seconds_per_audio_s=0.2,
)
STARTING = Stats(workers=(worker("asr-0", "starting"),), max_audio_s=300.0, seconds_per_audio_s=9.0)


def test_replicas_are_summed_up() -> None:
    capacity = capacity_of({"a/": WELL, "b/": WELL})
    assert (capacity.replicas, capacity.ready, capacity.workers) == (2, 2, 4)
    assert (capacity.waiting_jobs, capacity.running_jobs) == (4, 2)
    assert (capacity.waiting_audio_s, capacity.running_audio_s) == (12.0, 6.0)
    assert (capacity.max_audio_s, capacity.seconds_per_audio_s) == (600.0, 0.2)
    assert (capacity.done, capacity.failed, capacity.retried) == (10, 8, 6)
    assert (capacity.refused, capacity.poison, capacity.replaced) == (4, 2, 12)
    assert [w.id for w in capacity.worker_list] == ["a/asr-0", "a/asr-1", "b/asr-0", "b/asr-1"]


def test_a_replica_that_is_not_ready_promises_no_room() -> None:
    capacity = capacity_of({"a/": WELL, "b/": STARTING})
    assert (capacity.replicas, capacity.ready, capacity.workers) == (2, 1, 2)
    assert (capacity.max_audio_s, capacity.seconds_per_audio_s) == (300.0, 0.2)
    assert capacity.model == "base"


def test_no_replica_is_a_capacity_too() -> None:
    capacity = capacity_of({})
    assert (capacity.replicas, capacity.max_audio_s, capacity.model) == (0, 0.0, "")


def test_a_capacity_arrives_whole() -> None:
    capacity = capacity_of({"a/": WELL})
    assert parse_capacity(pack_capacity(capacity)) == capacity
    assert capacity.worker_list[1].last_exit == EXIT


def test_fields_of_later_versions_are_ignored() -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    later = json.dumps(body | {"more": [1]}).encode()
    assert parse_capacity(later) == capacity_of({"a/": WELL})


@pytest.mark.parametrize(
    "change",
    [
        {"ready": -1},
        {"max_audio_s": -0.5},
        {"done": 2**60},
        {"running_audio_s": "many"},
        {"worker_list": [{"id": 3}]},
        {"worker_list": [msgspec.to_builtins(worker("x", "<b>"))]},
        {"worker_list": [msgspec.to_builtins(worker("x", "ready"))] * 5000},
    ],
)
def test_a_capacity_is_checked(change: dict[str, Any]) -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(json.dumps(body | change).encode())


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"{}", b"[" * 100_000, b"\xff", b" " * (MAX_CAPACITY_BYTES + 1)]
)
def test_what_is_no_capacity_is_blamed_on_the_recogniser(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_capacity(body)


def test_no_number_that_is_none_is_believed() -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(json.dumps(body | {"waiting_audio_s": math.inf}).encode())
