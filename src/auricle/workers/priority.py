"""Give workers a lower CPU priority than their server."""

import contextlib
import os
import sys

import psutil

NICENESS = 5
"""A third of the server's share of a contended core (Linux' sched_prio_to_weight: 335 of 1024)."""
STARVED_FACTOR = 6.0
"""Time budgets of workers that yield, as a multiple of those of others: while all cores are busy,
they stand still."""
YIELDS = "OPTIONAL_WORK_YIELDS"
"""Variable that, if it is 0, keeps optional work at the priority of other workers. For tests that
need partials or labels while the machine computes."""
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


def yield_to_others() -> None:
    """Let this worker, with all its threads, use only the time that other processes leave.

    A worker that is merely nicer takes turns with the others. With partials by such a worker,
    finals of 24 streams on two cores came after 2.5 to 7.7 s at the median, and with this after 1.5
    to 2.1 s (2026-11-30).
    """
    if os.environ.get(YIELDS) == "0":
        return
    with contextlib.suppress(OSError, psutil.Error):
        if sys.platform == "win32":
            psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
        elif hasattr(os, "SCHED_IDLE"):
            for thread in os.listdir("/proc/self/task"):
                os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(_MAX_NICENESS)
