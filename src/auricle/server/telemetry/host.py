"""Use of the host: CPU time of all its programs, and memory."""

import os
from dataclasses import dataclass

import psutil

from auricle.system.machine import available_memory_bytes, usable_memory_bytes


@dataclass(frozen=True, slots=True)
class HostUsage:
    """CPU and memory that are in use, by all programs.

    Attributes:
        cores: Number of cores of the host.
        cpu_percent: Use of all cores since the previous reading, 0 to 100.
        memory_bytes: Memory that this process may use: the container's limit, or that of the host.
        memory_used_bytes: The part of it that can't be allocated any more.
    """

    cores: int
    cpu_percent: float
    memory_bytes: int
    memory_used_bytes: int


class HostReader:
    """Reads the use of the host.

    Attributes:
        last: The last reading; ``None`` before the first.
    """

    def __init__(self) -> None:
        self.last: HostUsage | None = None

    def read(self) -> HostUsage:
        """Return the use since the last call in this thread; the first returns 0 % CPU.

        While no file can be opened, as without free descriptors, it is the last one.

        Raises:
            OSError: No file could be opened, the first time.
        """
        try:
            self.last = _read()
        except OSError:
            if self.last is None:
                raise
        return self.last


def _read() -> HostUsage:
    memory_bytes = usable_memory_bytes()
    return HostUsage(
        cores=os.cpu_count() or 1,
        cpu_percent=psutil.cpu_percent(interval=None),
        memory_bytes=memory_bytes,
        memory_used_bytes=max(0, memory_bytes - available_memory_bytes()),
    )
