"""What a worker uses of the machine, and when that is more than its work explains.

The limits of the process itself (:func:`auricle.workers.process.channel.limit_memory`) hold at
once, but no limit counts the threads of one process, or what it does when it was asked for nothing.
"""

from dataclasses import dataclass
from typing import Self

import psutil

MAX_NEW_THREADS = 64
"""Threads that a worker may start once it is ready; libraries start theirs while they load."""
IDLE_CPU_S = 5.0
"""Processor time that a worker without work may use before it is judged."""
IDLE_CPU_SHARE = 0.05
"""Part of a core that it may use all the time: an engine's threads spin for a moment only."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A worker's memory, threads and processor time at one moment."""

    rss_bytes: int
    threads: int
    cpu_s: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return what a process uses; ``None`` if the system doesn't say."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                cpu = process.cpu_times()
                rss_bytes = process.memory_info().rss
                return cls(rss_bytes, process.num_threads(), cpu.user + cpu.system)
        except (psutil.Error, OSError):
            return None


class UsageWatch:
    """Judges one worker process by its usage; no I/O, no clock.

    Args:
        ready: Its usage when it got ready.
    """

    def __init__(self, ready: Usage) -> None:
        self._max_threads = ready.threads + MAX_NEW_THREADS
        self._idle_from: tuple[float, Usage] | None = None
        self._worked_at = 0.0

    def judge(self, usage: Usage, *, is_idle: bool, worked_at: float, now: float) -> str | None:
        """Return why the worker is to be killed, if it is: ``threads`` or ``idle_cpu``.

        Args:
            usage: Its usage now.
            is_idle: Whether it has nothing to do.
            worked_at: When it last finished work.
            now: Monotonic seconds.
        """
        if usage.threads > self._max_threads:
            return "threads"
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
