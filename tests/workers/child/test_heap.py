"""When a worker returns memory, and that it does."""

import platform
import subprocess
import sys

import pytest

from auricle.workers.child import heap
from auricle.workers.child.heap import MAX_BUSY_S, HeapKeeper

pytestmark = pytest.mark.process

GROW_AND_TRIM = """
from auricle.workers.child import heap
from auricle.workers.child.channel import rss_bytes

blocks = [bytearray(100_000) for _ in range(1000)]
last = bytearray(100_000)
blocks.clear()
kept = rss_bytes()
heap.trim()
print(kept - rss_bytes())
"""


REUSE_AND_TRIM = """
import resource
import numpy as np
from auricle.workers.child import heap


def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(100 * 2**20, np.uint8)[::4096] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


heap.reuse_large_blocks()
first, second = faults(), faults()
heap.trim()
print(first, second, faults())
"""


class Trims:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def trims() -> Trims:
    return Trims()


@pytest.fixture
def keeper(trims: Trims) -> HeapKeeper:
    return HeapKeeper(trims)


def test_an_idle_worker_returns_memory_once(keeper: HeapKeeper, trims: Trims) -> None:
    keeper.worked(0.1)
    waits: list[float] = []

    def has_input(wait_s: float) -> bool:
        waits.append(wait_s)
        return False

    for _ in range(3):
        keeper.before_wait(has_input)
    assert trims.count == 1
    assert waits == [heap.IDLE_S]


def test_a_worker_that_has_not_worked_returns_nothing(keeper: HeapKeeper, trims: Trims) -> None:
    keeper.before_wait(lambda _: False)
    assert trims.count == 0


def test_a_busy_worker_returns_memory_after_a_second_of_work(
    keeper: HeapKeeper, trims: Trims
) -> None:
    for _ in range(4):
        keeper.worked(MAX_BUSY_S / 4)
        keeper.before_wait(lambda _: True)
    assert trims.count == 1
    keeper.worked(2 * MAX_BUSY_S)
    assert trims.count == 2


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_memory_goes_back_to_the_system() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", GROW_AND_TRIM], capture_output=True, check=True, timeout=60
    )
    assert int(answer.stdout) > 50_000_000


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.35"), reason="glibc since 2.35")
def test_large_blocks_are_reused_until_memory_is_returned() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", REUSE_AND_TRIM], capture_output=True, check=True, timeout=60
    )
    first, second, after_trim = map(int, answer.stdout.split())
    assert 10 * second < min(first, after_trim)
