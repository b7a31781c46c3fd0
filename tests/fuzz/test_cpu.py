"""Bounds on CPU time: a busy input is stopped, one that only waits is not."""

import math
import signal
import time
from collections.abc import Iterator

import pytest

from fuzz.cpu import TooSlow, bound_input, stop_after

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _own_signal() -> Iterator[None]:
    before = signal.getsignal(signal.SIGPROF)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


def hang(data: bytes) -> None:
    while True:
        try:
            sum(data)
        except Exception:  # a parser that catches everything can't hide the fault
            continue


def test_an_input_that_hangs_is_stopped_by_its_cpu_time() -> None:
    with pytest.raises(TooSlow, match=r"more than 0\.05 s of CPU time"):
        bound_input(hang, 0.05)(b"abc")


def test_an_input_may_wait_for_a_busy_machine() -> None:
    bound_input(lambda data: time.sleep(0.2), 0.1)(b"")


def test_each_input_has_its_own_time() -> None:
    def work(data: bytes) -> None:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass

    run = bound_input(work, 0.5)
    for _ in range(30):
        run(b"")


def test_a_process_stops_after_its_cpu_time() -> None:
    stopped: list[int] = []
    inputs: list[bytes] = []
    run = stop_after(inputs.append, 0.0, lambda: stopped.append(len(inputs)))
    for _ in range(600):
        run(b"")
    assert stopped == [256, 512]


def test_a_process_continues_until_its_cpu_time_is_used_up() -> None:
    stopped: list[int] = []
    run = stop_after(lambda data: None, math.inf, lambda: stopped.append(1))
    for _ in range(600):
        run(b"")
    assert not stopped
