"""CPU time of the server, of the bench itself and of other programs.

On two cores the workers can't use what the load generator takes. A bench therefore measures its own
CPU time, and reports what was possible without it.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class CpuShare:
    """Cores that were in use during an interval.

    Attributes:
        cores: Of the machine.
        generator: Cores that the bench itself used.
        others: Cores that other programs used, neither the bench nor the server.
    """

    cores: int
    generator: float
    others: float = 0.0

    @property
    def left(self) -> float:
        """Cores that were left for the server."""
        return max(0.1, self.cores - self.generator)

    def possible(self, capacity: float, measured: "CpuShare") -> float:
        """Scale a capacity to the cores that are left now.

        Args:
            capacity: What the server did per second, in any unit.
            measured: The cores in use while that capacity was measured.
        """
        return capacity * min(1.0, self.left / measured.left)

    def figures(self) -> dict[str, float]:
        """Return the figures for a report."""
        return {"generator_cores": round(self.generator, 3), "other_cores": round(self.others, 2)}


class CpuMeter:
    """Measures CPU time from its creation.

    Args:
        server: The server's process; its children count as the server.
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
        """Return the cores in use since the meter was made."""
        lasted_s = max(1e-6, time.monotonic() - self._began_at)
        own_s, busy_s, server_s = self._read()
        own_s, busy_s = own_s - self._own_s, busy_s - self._busy_s
        # The time of a worker that died counts as that of other programs.
        others_s = max(0.0, busy_s - own_s - max(0.0, server_s - self._server_s))
        return CpuShare(psutil.cpu_count() or 1, own_s / lasted_s, others_s / lasted_s)


def tree_cpu_s(process: psutil.Process) -> float:
    """Return the CPU time of a process and all its descendants."""
    total_s = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            used = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += used.user + used.system
    return total_s


def tree_memory_bytes(process: psutil.Process) -> dict[int, int]:
    """Return the resident memory of a process and all its descendants, by pid."""
    resident = {}
    for one in (process, *process.children(recursive=True)):
        try:
            resident[one.pid] = int(one.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return resident


def waited_s(pid: int | None = None) -> float:
    """Return how long a thread was ready while another one had the core; 0 if that isn't known.

    Args:
        pid: The process whose main thread is meant; default: the calling thread.
    """
    if pid is None:
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
    else:
        path = f"/proc/{pid}/task/{pid}/schedstat"
    try:
        return int(Path(path).read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
