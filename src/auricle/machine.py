"""How much of this machine the process may use: what a container is granted, not what the host has.

Linux control groups, version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html): ``cpu.max`` is
``QUOTA PERIOD`` or ``max PERIOD``, ``memory.max`` is bytes or ``max``. A group is held to its own
limits and to those of all groups above it. Elsewhere the system's own figures are all there is.
"""

import contextlib
import gc
import importlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

GC_THRESHOLDS = 2000, 10, 50
"""New objects until the youngest generation is collected (Python's own is 700), and how many
collections of a generation until the next older one is collected (10, and 10)."""


def usable_cores(root: Path = CGROUP_ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return how many cores this process may use, at least one."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    for group in _groups(root, membership):
        quota, _, period = _read(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.isdecimal():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def available_memory_bytes(root: Path = CGROUP_ROOT, membership: Path = MEMBERSHIP) -> int:
    """Return how much more memory this process may take before something has to give."""
    available: int = psutil.virtual_memory().available
    for group in _groups(root, membership):
        limit, used = _read(group / "memory.max"), _read(group / "memory.current")
        if limit.isdecimal() and used.isdecimal():
            available = min(available, int(limit) - int(used) + _reclaimable_bytes(group))
    return max(0, available)


def shorten_collections() -> None:
    """Exempt all objects that exist now from garbage collection, and collect the oldest less often.

    A full collection stops the event loop. A server that has just started has 100,000 objects,
    most of them modules and schemas that live as long as it does; to look at all of them takes
    60 ms of CPU time, and several times as long beside busy workers. To be called once a process
    has loaded what it needs; what is loaded later can be exempted by another call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def raise_open_files(wanted: int) -> int:
    """Return how many files this process may have open, after asking for as many as are wanted.

    Linux gives 1024 unless asked, and then up to its hard limit.
    """
    try:
        resource = importlib.import_module("resource")
    except ModuleNotFoundError:  # Windows, which has no such limit
        return wanted
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if files == unlimited:
        return wanted
    if files < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS may want less than it says
            raised = wanted if most == unlimited else min(wanted, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
            return raised
    return int(files)


def _reclaimable_bytes(group: Path) -> int:
    """Return what of a group's memory is only a cache of files that nobody used lately."""
    for line in _read(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file" and value.isdecimal():
            return int(value)
    return 0


def _groups(root: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it."""
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
    """Return a file's text, or nothing where there is no such file."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
