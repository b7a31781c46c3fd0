"""Measure a worker's resource usage and detect usage that its work does not explain.

The kernel enforces the memory limit (:func:`auricle.workers.child.channel.limit_memory`), but
has no limit on the threads of one process or on CPU time while the worker is idle.
"""

import math
from dataclasses import dataclass
from typing import Self

import psutil

MAX_NEW_THREADS = 64
"""Maximum threads that a worker may start once ready; libraries start theirs while they load."""
IDLE_CPU_S = 5.0
"""CPU time that an idle worker may use before :data:`IDLE_CPU_SHARE` applies."""
IDLE_CPU_SHARE = 0.05
"""Maximum sustained share of a core while idle: engine threads spin only briefly after a job."""
SUSPENDED = "suspended"
"""Reason to kill a worker that a signal has stopped, which is no fault of its work."""
MAX_LOOK_S = 1.5
"""Time between two looks that counts at most: a machine that was suspended proves nothing."""


@dataclass(frozen=True, slots=True)
class ProcessUsage:
    """A worker's memory, threads, CPU time, and whether a signal has stopped it, at one moment."""

    rss_bytes: int
    threads: int
    cpu_s: float
    is_stopped: bool = False

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the usage of a process; ``None`` if it cannot be read."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_times()
                rss_bytes = process.memory_info().rss
                is_stopped = process.status() == psutil.STATUS_STOPPED
                cpu_s = cpu.user + cpu.system
                return cls(rss_bytes, process.num_threads(), cpu_s, is_stopped)
        except (psutil.Error, OSError):
            return None


class UsageWatch:
    """Check the usage of one worker process; no I/O, no clock.

    Args:
        ready: Usage when the worker became ready.
    """

    def __init__(self, ready: ProcessUsage) -> None:
        self._max_threads = ready.threads + MAX_NEW_THREADS
        self._idle_from: tuple[float, ProcessUsage] | None = None
        self._worked_at = 0.0
        self._seen = ready
        self._seen_at = 0.0
        self._was_idle = True
        self._paused_s = 0.0

    def judge(
        self,
        usage: ProcessUsage,
        *,
        is_idle: bool,
        worked_at: float,
        now: float,
        max_pause_s: float = math.inf,
    ) -> str | None:
        """Return the reason to kill the worker, or ``None``.

        The reasons are ``threads``, ``idle_cpu`` (work without a task), and for a task without work
        ``suspended`` or ``hung``.

        Args:
            usage: Current usage.
            is_idle: Whether the worker has no work.
            worked_at: When it last finished work, in monotonic seconds.
            now: Monotonic seconds.
            max_pause_s: Time without CPU time that its work allows, in seconds.
        """
        if usage.threads > self._max_threads:
            return "threads"
        has_worked = usage.cpu_s > self._seen.cpu_s or worked_at != self._worked_at
        if is_idle or self._was_idle or has_worked:
            self._paused_s = 0.0
        else:
            self._paused_s += min(MAX_LOOK_S, now - self._seen_at)
        self._seen, self._seen_at, self._was_idle = usage, now, is_idle
        if self._paused_s >= max_pause_s:
            return SUSPENDED if usage.is_stopped else "hung"
        if not is_idle or worked_at != self._worked_at:
            self._idle_from, self._worked_at = None, worked_at
        if not is_idle:
            return None
        if self._idle_from is None:
            self._idle_from = now, usage
            return None
        began_at, began = self._idle_from
        used_s = usage.cpu_s - began.cpu_s
        if used_s >= IDLE_CPU_S and used_s >= IDLE_CPU_SHARE * (now - began_at):
            return "idle_cpu"
        return None
