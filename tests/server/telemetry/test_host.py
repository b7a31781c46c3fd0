"""Use of the host, as it is on this machine."""

import os

import psutil
import pytest

from auricle.server.telemetry.host import read_host_usage

pytestmark = pytest.mark.unit


def test_the_use_of_this_host_is_within_its_bounds() -> None:
    read_host_usage()
    usage = read_host_usage()
    assert usage.cores == os.cpu_count()
    assert 0 <= usage.cpu_percent <= 100
    assert 0 < usage.memory_used_bytes < usage.memory_bytes <= psutil.virtual_memory().total
