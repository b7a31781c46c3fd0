from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from auricle.apis.pages.history import MAX_EXITS, SAMPLE_EVERY_S, SPAN_S, History, Snapshot
from auricle.server.telemetry.host import HostUsage
from auricle.values.transcriber import (
    Counters,
    QueueStats,
    Stats,
    WorkerExit,
    WorkerState,
    WorkerStats,
)
from tests.support.transcriber import READY

pytestmark = pytest.mark.unit

START = 1_700_000_000.0
IDLE = HostUsage(cores=2, cpu_percent=0.0, memory_bytes=8_000_000, memory_used_bytes=1_000_000)
CRASH = WorkerExit(START + 3, "SIGSEGV", None, "exited", ("engine.py:10 in decode",))


def worker(
    name: str, state: str = "ready", last_exit: WorkerExit | None = None, restarts: int = 0
) -> WorkerStats:
    return WorkerStats(name, 4711, WorkerState(state), restarts, 0, 0, last_exit)


def snapshot(
    *workers: WorkerStats,
    decode: Sequence[WorkerStats] = (),
    connected: int = 0,
    waiting: int = 0,
    errors: Mapping[str, int] | None = None,
    delays_s: Sequence[float] = (),
    queue_audio_s: float = 0.0,
    jobs: Counters | None = None,
    host: HostUsage = IDLE,
) -> Snapshot:
    asr = replace(
        READY,
        workers=workers or (worker("asr-1"),),
        queue=QueueStats(waiting_audio_s=queue_audio_s),
        jobs=jobs or Counters(),
    )
    pool = Stats(workers=tuple(decode))
    return Snapshot(asr, pool, connected, waiting, errors or {}, delays_s, host)


def observed(*snapshots: Snapshot) -> History:
    """Return a history of looks, one a second."""
    history = History()
    for second, each in enumerate(snapshots):
        history.observe(each, float(second), START + second)
    return history


def history_body(history: History, *, with_stacks: bool = False) -> Any:
    return history.body(60.0, START + 60, with_stacks=with_stacks)


def test_before_the_first_sample_there_is_nothing_to_report() -> None:
    body = history_body(observed(snapshot(), snapshot()))
    assert body["samples"]["at"] == body["exits"] == []
    assert (body["now"], body["started_at"]) == (START + 60, START)
    assert history_body(History())["started_at"] is None


def test_a_sample_holds_the_worst_of_its_seconds() -> None:
    both = (worker("asr-1"), worker("asr-2", "busy"))
    alone = (worker("asr-1"), worker("asr-2", "starting"))
    samples = history_body(
        observed(
            snapshot(*both, queue_audio_s=1.0),
            snapshot(*both, queue_audio_s=8.04, connected=3),
            snapshot(*alone, connected=2, waiting=1),
            snapshot(*both),
            snapshot(*both),
            snapshot(*both),
            *[snapshot(*both)] * 5,
        )
    )["samples"]
    assert samples["at"] == [START + 5, START + 10]
    assert samples["workers"] == [2, 2]
    assert samples["ready"] == [1, 2]
    assert samples["queue_audio_s"] == [8.0, 0.0]
    assert samples["connected"] == [3, 0]
    assert samples["waiting"] == [1, 0]


def test_counters_are_reported_by_what_they_grew() -> None:
    before = {"queue_full": 7, "not_found": 1}
    after = {"queue_full": 9, "not_found": 5, "rate_limited": 1}
    samples = history_body(
        observed(
            *[snapshot(jobs=Counters(done=10, retried=1), errors=before)] * 3,
            *[snapshot(jobs=Counters(done=14, retried=2), errors=after)] * 8,
        )
    )["samples"]
    assert samples["done"] == [4, 0]
    assert samples["retried"] == [1, 0]
    assert samples["refusals"] == {"queue_full": [2, 0]}


def test_wrong_keys_and_limits_of_clients_are_no_failures_of_the_server() -> None:
    errors = {"unauthorized": 4, "rate_limited": 1, "internal": 2}
    samples = history_body(observed(snapshot(), *[snapshot(errors=errors)] * 5))["samples"]
    assert samples["refusals"] == {"internal": [2]}
    assert samples["client_refusals"] == {"rate_limited": [1], "unauthorized": [4]}


def test_the_highest_use_of_the_host_is_reported() -> None:
    busy = replace(IDLE, cpu_percent=71.6, memory_used_bytes=3_000_000)
    body = history_body(observed(snapshot(), snapshot(), snapshot(host=busy), *[snapshot()] * 3))
    samples = body["samples"]
    assert (samples["cpu_percent"], samples["memory_used_mb"]) == ([72], [3])


def test_delays_of_finals_are_reported_exactly_and_once() -> None:
    first = [
        snapshot(),
        snapshot(delays_s=(0.2, 0.4)),
        *[snapshot()] * 3,
        snapshot(delays_s=(0.3, 2.0)),
    ]
    samples = history_body(observed(*first, *[snapshot()] * 5, *[snapshot(delays_s=(0.5,))] * 5))[
        "samples"
    ]
    assert samples["finals"] == [4, 0, 5]
    assert samples["final_p50_ms"] == [300, None, 500]
    assert samples["final_p95_ms"] == [2000, None, 500]


def test_each_death_of_a_worker_is_reported_once_with_its_stack_for_the_operator() -> None:
    late = WorkerExit(START + 7, None, 3, "start")
    dead, reader = worker("asr-1", "starting", CRASH, 1), worker("decode-1", "starting", late, 1)
    history = observed(
        *[snapshot()] * 3,
        *[snapshot(dead)] * 4,
        *[snapshot(replace(dead, state=WorkerState.READY), decode=[reader])] * 5,
    )
    body = history_body(history, with_stacks=True)
    assert body["samples"]["crashes"] == [1, 1]
    assert body["with_stacks"] is True
    assert body["exits"] == [
        {
            "worker": "asr-1",
            "signal": "SIGSEGV",
            "reason": "exited",
            "at": START + 3,
            "stack": ["engine.py:10 in decode"],
        },
        {"worker": "decode-1", "code": 3, "reason": "start", "at": START + 7, "stack": []},
    ]
    public = history_body(history)
    assert public["with_stacks"] is False
    assert all("stack" not in each for each in public["exits"])


def test_deaths_between_two_looks_are_all_counted() -> None:
    twice = worker("asr-1", "backing_off", CRASH, restarts=1)
    body = history_body(
        observed(
            *[snapshot()] * 3,
            *[snapshot(twice)] * 3,
            *[snapshot(replace(twice, state=WorkerState.STARTING, restarts=2))] * 5,
        )
    )
    assert body["samples"]["crashes"] == [2, 0]
    assert len(body["exits"]) == 1


def test_a_worker_that_has_not_started_yet_has_not_died() -> None:
    early = worker("asr-1", "backing_off")
    body = history_body(
        observed(
            *[snapshot(early)] * 2, *[snapshot(replace(early, state=WorkerState.STARTING))] * 9
        )
    )
    assert body["samples"]["crashes"] == [0, 0]


def test_what_is_kept_is_bounded() -> None:
    history = History()
    for second in range(int(2 * SPAN_S)):
        crash = replace(CRASH, at=START + second)
        history.observe(snapshot(worker("asr-1", "ready", crash)), second, START + second)
    body: Any = history.body(2 * SPAN_S, START + 2 * SPAN_S, with_stacks=False)
    assert len(body["samples"]["at"]) == SPAN_S / SAMPLE_EVERY_S
    assert body["samples"]["at"][-1] - body["samples"]["at"][0] <= SPAN_S
    assert len(body["exits"]) == MAX_EXITS
    assert body["exits"][-1]["at"] == START + 2 * SPAN_S - 1


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_what_was_a_while_ago_still_was_when_the_clock_is_set(jump_s: float) -> None:
    history, dead = History(), worker("asr-1", "starting", CRASH, 1)
    for second in range(11):
        at = START + second + (jump_s if second > 7 else 0.0)
        history.observe(snapshot(dead) if second > 2 else snapshot(), float(second), at)
    body: Any = history.body(60.0, START + jump_s + 60, with_stacks=False)
    assert body["started_at"] == START + jump_s
    assert told_times(body) == [START + jump_s + second for second in (5, 10, 3)]


def told_times(body: Any) -> list[float]:
    return [*body["samples"]["at"], *(exit["at"] for exit in body["exits"])]
