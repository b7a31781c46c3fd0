"""How much of the machine a bench takes of its own: its load generator runs beside the server.

On two cores, what the generator takes the server's workers can't have. So a bench measures its own
CPU time, and says what was possible without it.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class CpuShare:
    """Who used the cores during a time.

    Attributes:
        cores: Of the machine.
        generator: Cores that the bench itself used.
        others: Cores that neither the bench nor the server used, but somebody did.
    """

    cores: int
    generator: float
    others: float = 0.0

    @property
    def left(self) -> float:
        """Cores that were left for the server."""
        return max(0.1, self.cores - self.generator)

    def possible(self, capacity: float, measured: "CpuShare") -> float:
        """Return what a capacity would be now.

        Args:
            capacity: What the server did per second, in any unit.
            measured: Who used the cores meanwhile.
        """
        return capacity * min(1.0, self.left / measured.left)

    def figures(self) -> dict[str, float]:
        """Return it for a report."""
        return {"generator_cores": round(self.generator, 3), "other_cores": round(self.others, 2)}


class CpuMeter:
    """Measures CPU time from now on.

    Args:
        server: The server's process; its children count as the server, too.
    """

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._began_at = time.monotonic()
        self._own_s, self._busy_s, self._server_s = self._read()

    def _read(self) -> tuple[float, float, float]:
        times = psutil.cpu_times()
        busy_s = sum(times) - times.idle - getattr(times, "iowait", 0.0)
        busy_s -= getattr(times, "guest", 0.0)  # part of the user's time
        return time.process_time(), busy_s, tree_cpu_s(self._server)

    def share(self) -> CpuShare:
        """Return who used the cores since it was made."""
        lasted_s = max(1e-6, time.monotonic() - self._began_at)
        own_s, busy_s, server_s = self._read()
        own_s, busy_s = own_s - self._own_s, busy_s - self._busy_s
        # A worker that died takes its time with it; it counts as others' then.
        others_s = max(0.0, busy_s - own_s - max(0.0, server_s - self._server_s))
        cores = psutil.cpu_count() or 1
        return CpuShare(cores, own_s / lasted_s, others_s / lasted_s)


def tree_cpu_s(process: psutil.Process) -> float:
    """Return the CPU time that a process and all below it have taken."""
    total_s = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            used = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += used.user + used.system
    return total_s


def waited_s(pid: int | None = None) -> float:
    """Return how long a thread was ready but another one had the core; 0 if that isn't known.

    Args:
        pid: Of the process whose main thread is meant; this thread by default.
    """
    if pid is None:
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    else:
        path = f"/proc/{pid}/task/{pid}/schedstat"
    try:
        return int(Path(path).read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
