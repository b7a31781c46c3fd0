import json
import math
import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from auricle.cluster.wire.capacity import (
    MAX_CAPACITY_BYTES,
    MAX_TEXT_CHARS,
    Capacity,
    capacity_of,
    pack_capacity,
    parse_capacity,
)
from auricle.values.errors import RemoteProtocolError
from auricle.values.transcriber import (
    Counters,
    ModelState,
    ModelStats,
    ModelTraits,
    QueueStats,
    Stats,
    WorkerExit,
    WorkerState,
    WorkerStats,
)

pytestmark = pytest.mark.unit

EXIT = WorkerExit(1.5, "SIGSEGV", None, "exited", ("decode",))


def worker(name: str, state: str, last: WorkerExit | None = None) -> WorkerStats:
    return WorkerStats(name, 7, WorkerState(state), 1, 2, 3_000, last)


WELL = Stats(
    workers=(worker("asr-0", "busy"), worker("asr-1", "ready", EXIT)),
    ready=True,
    replaced=6,
    model="base",
    seconds_per_audio_s=0.2,
    queue=QueueStats(
        waiting_jobs=2, running_jobs=1, waiting_audio_s=6.0, running_audio_s=3.0, max_audio_s=300.0
    ),
    jobs=Counters(done=5, failed=4, retried=3, refused=2, poison=1),
)
STARTING = Stats(
    workers=(worker("asr-0", "starting"),),
    seconds_per_audio_s=9.0,
    queue=QueueStats(max_audio_s=300.0),
)


def test_replicas_are_summed_up() -> None:
    capacity = capacity_of({"a/": WELL, "b/": WELL})
    stats = capacity.stats
    assert (capacity.replicas, capacity.ready, stats.ready_workers) == (2, 2, 4)
    assert stats.queue == QueueStats(4, 2, 12.0, 6.0, max_audio_s=600.0)
    assert stats.jobs == Counters(10, 8, 6, 4, 2)
    assert (stats.replaced, stats.seconds_per_audio_s) == (12, 0.2)
    assert [w.id for w in capacity.stats.workers] == ["a/asr-0", "a/asr-1", "b/asr-0", "b/asr-1"]


def test_a_replica_that_is_not_ready_promises_no_room() -> None:
    capacity = capacity_of({"a/": WELL, "b/": STARTING})
    assert (capacity.replicas, capacity.ready, capacity.stats.ready_workers) == (2, 1, 2)
    assert (capacity.stats.queue.max_audio_s, capacity.stats.seconds_per_audio_s) == (300.0, 0.2)
    assert capacity.stats.model == "base"


def test_no_replica_is_a_capacity_too() -> None:
    capacity = capacity_of({})
    assert (capacity.replicas, capacity.stats) == (0, Stats())


def test_a_capacity_arrives_whole() -> None:
    capacity = capacity_of({"a/": WELL})
    assert parse_capacity(pack_capacity(capacity)) == capacity
    assert capacity.stats.workers[1].last_exit == EXIT


def test_fields_of_later_versions_are_ignored() -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    later = json.dumps(body | {"more": [1]}).encode()
    assert parse_capacity(later) == capacity_of({"a/": WELL})


@pytest.mark.parametrize("name", ["workers", "ready", "queue", "model", "seconds_per_audio_s"])
def test_a_capacity_without_figures_is_rejected(name: str) -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    del body["stats"][name]
    with pytest.raises(RemoteProtocolError):
        parse_capacity(json.dumps(body).encode())


@pytest.mark.parametrize("name", ["waiting_jobs", "running_audio_s", "max_audio_s"])
def test_a_capacity_without_figures_of_the_queue_is_rejected(name: str) -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    del body["stats"]["queue"][name]
    with pytest.raises(RemoteProtocolError):
        parse_capacity(json.dumps(body).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"ready": -1},
        {"queue": {"max_audio_s": -0.5}},
        {"jobs": {"done": 2**60}},
        {"queue": {"running_audio_s": "many"}},
        {"workers": [{"id": 3}]},
        {"workers": [msgspec.to_builtins(worker("x", "ready")) | {"state": "<b>"}]},
        {"workers": [msgspec.to_builtins(worker("x", "ready"))] * 5000},
    ],
)
def test_a_capacity_is_checked(change: dict[str, Any]) -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    parse_capacity(json.dumps(body).encode())  # the unchanged one is valid
    body |= {name: value for name, value in change.items() if name in body}
    body["stats"] |= {name: value for name, value in change.items() if name not in body}
    with pytest.raises(RemoteProtocolError):
        parse_capacity(json.dumps(body).encode())


def with_worker(**changes: Any) -> Capacity:
    stats = replace(WELL, workers=(replace(WELL.workers[1], **changes),))
    return Capacity(1, 1, stats, "a")


def with_exit(**changes: Any) -> Capacity:
    return with_worker(last_exit=replace(EXIT, **changes))


@pytest.mark.parametrize("number", [-1, 10**30, 10**400])
@pytest.mark.parametrize("name", ["pid", "restarts", "jobs_done", "rss_bytes"])
def test_numbers_of_workers_are_checked(name: str, number: int) -> None:
    body = pack_capacity(with_worker(**{name: 7_654_321}))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(body.replace(b"7654321", str(number).encode()))


@pytest.mark.parametrize("field", ["replicas", "ready", "waiting_jobs", "done", "replaced"])
def test_integers_of_any_length_are_rejected(field: str) -> None:
    body = pack_capacity(capacity_of({"a/": WELL}))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(
            re.sub(rf'"{field}":\d+'.encode(), rf'"{field}":1{"0" * 400}'.encode(), body)
        )


@pytest.mark.parametrize(
    "capacity",
    [
        with_exit(at=-1.0),
        with_exit(code=2**60),
        with_exit(signal="x" * (MAX_TEXT_CHARS + 1)),
        with_exit(reason="x" * (MAX_TEXT_CHARS + 1)),
        with_exit(stack=("x" * (MAX_TEXT_CHARS + 1),)),
        with_exit(stack=("decode",) * 1000),
        with_worker(id="x" * 101),
        Capacity(1, 1, replace(WELL, model="x" * (MAX_TEXT_CHARS + 1))),
        Capacity(1, 1, WELL, "x" * 101),
    ],
)
def test_texts_and_exits_are_bounded(capacity: Capacity) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_capacity(pack_capacity(capacity))


def test_texts_are_cleaned() -> None:
    dirty = "\x1b[2Jx\u202e"
    last = replace(EXIT, signal=dirty, reason=dirty, stack=(dirty,))
    workers = (replace(WELL.workers[0], id=dirty, last_exit=last),)
    sent = Capacity(1, 1, replace(WELL, workers=workers, model=dirty), dirty)
    capacity = parse_capacity(pack_capacity(sent))
    last = replace(EXIT, signal="[2Jx", reason="[2Jx", stack=("[2Jx",))
    assert (capacity.id, capacity.stats.model) == ("[2Jx", "[2Jx")
    assert capacity.stats.workers == (replace(WELL.workers[0], id="[2Jx", last_exit=last),)


@pytest.mark.parametrize(
    "body", [b"", b"OK", b"{}", b"[" * 100_000, b"\xff", b" " * (MAX_CAPACITY_BYTES + 1)]
)
def test_what_is_no_capacity_is_blamed_on_the_recogniser(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_capacity(body)


def test_invalid_numbers_are_ignored() -> None:
    body = json.loads(pack_capacity(capacity_of({"a/": WELL})))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(
            json.dumps(body)
            .replace('"waiting_audio_s": 6.0', f'"waiting_audio_s": {math.inf}')
            .encode()
        )


TRAITS = ModelTraits("sherpa", ("en", "de"), False, False, True, False, 20.0, 4)
MODELS = (
    ModelStats("a", ModelState.READY, 2, 2, seconds_per_audio_s=0.2, traits=TRAITS),
    ModelStats("b", ModelState.FAILED, error="no such\x1b file"),
)


def with_models(*models: ModelStats) -> Capacity:
    return capacity_of({"": Stats(ready=True, models=models)})


def test_models_are_reported_with_what_they_can_do() -> None:
    parsed = parse_capacity(pack_capacity(with_models(*MODELS)))
    assert parsed.stats.models[0] == MODELS[0]
    assert parsed.stats.models[1].error == "no such file"


@pytest.mark.parametrize(
    "models",
    [
        (MODELS[0], MODELS[0]),
        (replace(MODELS[0], name=""),),
        (replace(MODELS[0], name="x" * 101),),
        (replace(MODELS[0], workers=-1),),
        (replace(MODELS[0], seconds_per_audio_s=1e300),),
        (replace(MODELS[0], queue=QueueStats(max_audio_s=-1.0)),),
        (replace(MODELS[0], traits=replace(TRAITS, languages=("en",) * 257)),),
        (replace(MODELS[0], traits=replace(TRAITS, engine="x" * 101)),),
        (replace(MODELS[0], traits=replace(TRAITS, max_batch_jobs=-1)),),
        tuple(replace(MODELS[0], name=str(number)) for number in range(257)),
    ],
)
def test_impossible_models_are_rejected(models: tuple[ModelStats, ...]) -> None:
    capacity = msgspec.structs.replace(with_models(), stats=Stats(ready=True, models=models))
    with pytest.raises(RemoteProtocolError):
        parse_capacity(pack_capacity(capacity))


def test_models_of_replicas_are_counted_once_each() -> None:
    replicas = {
        name: Stats(ready=is_ready, models=MODELS)
        for name, is_ready in (("1/", True), ("2/", False))
    }
    models = capacity_of(replicas).stats.models
    assert [model.name for model in models] == ["a", "b"]
    assert models[0].ready_workers == 4
