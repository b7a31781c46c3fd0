"""Use of the host, as it is on this machine."""

import os
import resource

import psutil
import pytest

from auricle.server.telemetry.host import HostReader

pytestmark = pytest.mark.unit


def test_the_use_of_this_host_is_within_its_bounds() -> None:
    reader = HostReader()
    reader.read()
    usage = reader.read()
    assert usage.cores == os.cpu_count()
    assert 0 <= usage.cpu_percent <= 100
    assert 0 < usage.memory_used_bytes < usage.memory_bytes <= psutil.virtual_memory().total


def test_without_free_descriptors_the_last_use_stays() -> None:
    reader = HostReader()
    usage = reader.read()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            HostReader().read()
        assert reader.read() == usage
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
