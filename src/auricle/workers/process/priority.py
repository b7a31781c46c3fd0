"""A worker gets less of a contended core than its server."""

import contextlib
import os
import sys

import psutil

NICENESS = 5
"""A third of the server's share of a contended core (Linux' sched_prio_to_weight: 335 of 1024)."""
_MAX_NICENESS = 19


def lower_priority(pid: int, server_pid: int) -> None:
    """Let a worker yield to its server; once is enough, and more often makes no difference.

    The server does this as soon as it has started a worker, whose imports take half a second of CPU
    time, and the worker again for itself: threads that it starts later inherit it.
    """
    with contextlib.suppress(OSError, psutil.Error):  # it may be dead
        if sys.platform == "win32":
            psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
            return
        wanted = min(_MAX_NICENESS, os.getpriority(os.PRIO_PROCESS, server_pid) + NICENESS)
        if os.getpriority(os.PRIO_PROCESS, pid) < wanted:
            os.setpriority(os.PRIO_PROCESS, pid, wanted)
