"""Give workers a lower CPU priority than their server."""

import contextlib
import os
import sys

import psutil

NICENESS = 5
"""A third of the server's share of a contended core (Linux' sched_prio_to_weight: 335 of 1024)."""
PARTIALS_NICENESS = 10
"""Added for workers of partials, which may be late or left out: a tenth of the share of other
workers (36 of 335)."""
SPEAKERS_NICENESS = 5
"""Added for workers of speakers, which may be late: a third of the share of other workers (110 of
335)."""
_MAX_NICENESS = 19


def lower_priority(pid: int, server_pid: int) -> None:
    """Lower a worker's priority below its server's; idempotent.

    The server calls this right after it starts a worker, whose imports cost half a second of CPU
    time. The worker calls it again for itself, so that threads that it starts later inherit it.
    """
    with contextlib.suppress(OSError, psutil.Error):  # the process may have exited
        if sys.platform == "win32":
            psutil.Process(pid).nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
            return
        niceness = min(_MAX_NICENESS, os.getpriority(os.PRIO_PROCESS, server_pid) + NICENESS)
        if os.getpriority(os.PRIO_PROCESS, pid) < niceness:
            os.setpriority(os.PRIO_PROCESS, pid, niceness)


def lower_own_priority(extra_niceness: int) -> None:
    """Lower the priority of this worker below that of other workers."""
    with contextlib.suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
            return
        os.nice(extra_niceness)
