import os

import pytest

from auricle.workers.process.usage import (
    IDLE_CPU_S,
    MAX_LOOK_S,
    MAX_NEW_THREADS,
    SUSPENDED,
    ProcessUsage,
    UsageWatch,
)

pytestmark = pytest.mark.unit


def usage(cpu_s: float = 0.0, threads: int = 10) -> ProcessUsage:
    return ProcessUsage(10**8, threads, cpu_s)


def test_threads_above_those_of_the_start_and_some_more_are_too_many() -> None:
    watch = UsageWatch(usage())
    for threads, reason in ((10 + MAX_NEW_THREADS, None), (11 + MAX_NEW_THREADS, "threads")):
        assert watch.judge(usage(0, threads), is_idle=False, worked_at=0, now=1) == reason


def test_processor_time_counts_only_without_work() -> None:
    watch = UsageWatch(usage())
    for second in range(100):
        used = usage(float(second))
        assert watch.judge(used, is_idle=False, worked_at=0, now=second) is None
    for second in range(100, 110):  # a job between any two looks
        assert watch.judge(usage(second), is_idle=True, worked_at=second, now=second) is None
    reasons = [
        watch.judge(usage(second), is_idle=True, worked_at=109, now=second)
        for second in range(110, 111 + int(IDLE_CPU_S))
    ]
    assert reasons[-1] == "idle_cpu"
    assert not any(reasons[:-2])


def test_a_little_processor_time_may_be_used_forever() -> None:
    watch = UsageWatch(usage())
    for second in range(100_000):
        used = usage(second * 0.04)
        assert watch.judge(used, is_idle=True, worked_at=0, now=second) is None


@pytest.mark.parametrize(("is_stopped", "reason"), [(False, "hung"), (True, SUSPENDED)])
def test_work_without_processor_time_is_none(is_stopped: bool, reason: str) -> None:
    watch = UsageWatch(usage())
    reasons = [
        watch.judge(
            ProcessUsage(10**8, 10, cpu_s, is_stopped),
            is_idle=second < 2,
            worked_at=0,
            now=second,
            max_pause_s=2,
        )
        for second, cpu_s in enumerate([0, 0, 0, 1, 1, 1])
    ]
    assert reasons == [None] * 5 + [reason]


def test_work_may_pause_where_it_waits_for_others_or_the_machine_slept() -> None:
    for pause_s, step_s in ((float("inf"), 1.0), (2 * MAX_LOOK_S + 1, 1000.0)):
        watch = UsageWatch(usage())
        for look in range(3):
            assert not watch.judge(
                usage(), is_idle=False, worked_at=0, now=look * step_s, max_pause_s=pause_s
            )


def test_this_process_is_measured_and_one_that_is_gone_is_not() -> None:
    found = ProcessUsage.of(os.getpid())
    assert found is not None
    assert found.rss_bytes > 5e6
    assert found.threads >= 1
    assert ProcessUsage.of(2**22 + 1) is None
