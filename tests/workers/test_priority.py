"""Workers have a lower CPU priority than their server."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from auricle.workers.priority import NICENESS, lower_priority

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name != "posix", reason="niceness is POSIX"),
]


@pytest.fixture
def child() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate()


def test_a_worker_is_nicer_than_its_server_by_a_step_and_no_more(child: int) -> None:
    server = os.getpriority(os.PRIO_PROCESS, os.getpid())
    expected = min(19, server + NICENESS)
    for _ in range(2):
        lower_priority(child, os.getpid())
        assert os.getpriority(os.PRIO_PROCESS, child) == expected


def test_a_worker_that_has_exited_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lower_priority(process.pid, os.getpid())
