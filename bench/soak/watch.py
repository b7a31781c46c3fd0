"""Snapshots of a server and all its processes, every few seconds for hours."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil

from bench.lib.cpu import tree_cpu_s, tree_memory_bytes
from bench.lib.service import Server

INTERVAL_S = 5.0
RESPONSE_LIMIT_S = 30.0
ROLES = {
    "auricle.workers.kinds.asr.child": "recogniser",
    "auricle.workers.kinds.decode.child": "decode worker",
}
SERVER = "server"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a server at a time.

    Attributes:
        at_s: Seconds since the first snapshot.
        part: The part of the run.
        memory_mb: Resident memory of each process by its pid.
        cpu_s: CPU time of all processes so far.
        livez_ms: Response time of ``/livez``, which shows the delay of the event loop.
        load_average: Of the machine over a minute; includes other programs.
    """

    at_s: float
    part: str
    memory_mb: dict[int, float]
    cpu_s: float
    server_cpu_s: float
    descriptors: int
    threads: int
    tasks: int
    livez_ms: float
    load_average: float

    @property
    def processes(self) -> int:
        """The number of processes."""
        return len(self.memory_mb)


class Watch:
    """Keeps the snapshots of a server; ``part`` is set by the caller."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._began_at = time.monotonic()
        self.part = "before"
        self.snapshots: list[Snapshot] = []
        self.names: dict[int, str] = {server.process.pid: SERVER}

    async def run(self) -> None:
        """Take snapshots until cancelled."""
        while True:
            await asyncio.to_thread(self.take)
            await asyncio.sleep(INTERVAL_S)

    def take(self) -> Snapshot:
        """Take a snapshot."""
        server = self._server.process
        asked_at = time.monotonic()
        httpx2.get(f"{self._server.url}/livez", timeout=RESPONSE_LIMIT_S).raise_for_status()
        livez_ms = (time.monotonic() - asked_at) * 1000
        for process in server.children(recursive=True):
            self._name(process)
        used = server.cpu_times()
        resident = tree_memory_bytes(server)
        snapshot = Snapshot(
            at_s=round(time.monotonic() - self._began_at, 1),
            part=self.part,
            memory_mb={pid: round(size / 1e6, 2) for pid, size in resident.items()},
            cpu_s=tree_cpu_s(server),
            server_cpu_s=used.user + used.system,
            descriptors=server.num_fds(),
            threads=server.num_threads(),
            tasks=int(self._server.metric("auricle_asyncio_tasks")),
            livez_ms=round(livez_ms, 1),
            load_average=round(psutil.getloadavg()[0], 2),
        )
        self.snapshots.append(snapshot)
        return snapshot

    def server_mb(self, snapshot: Snapshot) -> float:
        """Return the memory of the server's own process."""
        return snapshot.memory_mb[self._server.process.pid]

    def _name(self, process: psutil.Process) -> None:
        """Name a process by its role and a number."""
        if process.pid in self.names:
            return
        try:
            line = process.cmdline()
        except psutil.NoSuchProcess:
            return
        role = next((role for module, role in ROLES.items() if module in line), "other")
        number = 1 + sum(name.startswith(role) for name in self.names.values())
        self.names[process.pid] = f"{role} {number}"


def table(snapshots: Sequence[Snapshot], names: dict[int, str]) -> dict[str, list[Any]]:
    """Return snapshots as columns for JSON, one for each process."""
    columns: dict[str, list[Any]] = {
        name: [getattr(snapshot, name) for snapshot in snapshots]
        for name in (
            "at_s",
            "descriptors",
            "threads",
            "tasks",
            "processes",
            "livez_ms",
            "load_average",
        )
    }
    for pid, name in names.items():
        columns[f"{name}, MB"] = [snapshot.memory_mb.get(pid) for snapshot in snapshots]
    return columns
