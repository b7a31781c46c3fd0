"""Cores and memory that this process may use: the container's limits, not the host's resources.

Linux control groups, version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html): ``cpu.max`` is
``QUOTA PERIOD`` or ``max PERIOD``, ``memory.max`` is bytes or ``max``. The limits of a group and of
all its ancestors apply. On other systems only the system's figures are used.
"""

import contextlib
import gc
import importlib
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
CPUINFO = Path("/proc/cpuinfo")

GC_THRESHOLDS = 2000, 10, 50
"""Number of new objects that triggers a collection of the youngest generation, and numbers of
collections that trigger one of the next older generation (Python's defaults: 700, 10 and 10)."""


def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Return the processor's name, as the system reports it; empty if it does not."""
    with contextlib.suppress(OSError):
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def usable_cores(root: Path = CGROUP_ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return the number of cores that this process may use, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    for group in _groups(root, membership):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def available_memory_bytes(root: Path = CGROUP_ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return the memory that this process can still allocate, in bytes."""
    available: int = psutil.virtual_memory().available
    for group in _groups(root, membership):
        limit, used = _read(group / "memory.max"), _read(group / "memory.current")
        if limit.isdecimal() and used.isdecimal():
            available = min(available, int(limit) - int(used) + _reclaimable_bytes(group))
    return max(0, available)


def usable_memory_bytes(root: Path = CGROUP_ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return the memory that this process may use if no other program needs any, in bytes."""
    total: int = psutil.virtual_memory().total
    limits = [_read(group / "memory.max") for group in _groups(root, membership)]
    return min([total, *(int(limit) for limit in limits if limit.isdecimal())])


def shorten_collections() -> None:
    """Exclude all current objects from garbage collection, and make full collections rarer.

    A full collection blocks the event loop. A server that has just started has 100,000 objects,
    most of them modules and schemas that live as long as the process. Traversing them takes 60 ms
    of CPU time, and several times as long while workers are busy. Call this once a process has
    loaded its modules; another call excludes objects loaded later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def raise_open_files(wanted: int) -> int:
    """Raise the limit of open files to ``wanted`` if possible, and return the limit.

    The default soft limit on Linux is 1024; it can be raised to the hard limit.
    """
    try:
        resource = importlib.import_module("resource")
    except ModuleNotFoundError:  # Windows has no such limit
        return wanted
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if files == unlimited:
        return wanted
    if files < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS may reject its own hard limit
            raised = wanted if most == unlimited else min(wanted, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
            return raised
    return int(files)


def _reclaimable_bytes(group: Path) -> int:
    """Return a group's page cache of files not used recently, in bytes."""
    for line in _read(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file" and value.isdecimal():
            return int(value)
    return 0


def _groups(root: Path, membership: Path) -> Iterator[Path]:
    """Yield the directories of this process's group and its ancestors."""
    for line in _read(membership).splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            folder = root / path.lstrip("/")
            yield folder
            while folder != root and root in folder.parents:
                folder = folder.parent
                yield folder


def _read(path: Path) -> str:
    """Return a file's stripped text, or an empty string if it can't be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
