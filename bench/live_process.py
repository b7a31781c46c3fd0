"""What a server takes: processor time and memory of its process and all below it."""

import asyncio

import psutil

LOOK_S = 1.0


class Watch:
    """Watches a server that is ready: its processes are those of now.

    Args:
        process: The server's first process.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._processes = [process, *process.children(recursive=True)]
        self.memory_bytes = 0
        """The most that was resident at once."""

    def cpu_s(self) -> float:
        """Return the processor time that was taken so far."""
        return sum(self.cpu_by_process_s())

    def cpu_by_process_s(self) -> list[float]:
        """Return it for each process, the server's own first."""
        taken_s = []
        for process in self._processes:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            taken_s.append(times.user + times.system)
        return taken_s

    async def run(self) -> None:
        """Look at the memory now and then, until cancelled."""
        while True:
            self.memory_bytes = max(self.memory_bytes, self._memory_now_bytes())
            await asyncio.sleep(LOOK_S)

    def _memory_now_bytes(self) -> int:
        resident = 0
        for process in self._processes:
            try:
                resident += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return resident
