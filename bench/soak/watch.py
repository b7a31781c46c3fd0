"""Looks at a server and all its processes again and again, for hours."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil

from bench.service import Service

LOOK_EACH_S = 5.0
ASK_LIMIT_S = 30.0
ROLES = {"auricle.workers.asr.child": "recogniser", "auricle.workers.decode.child": "decode worker"}
SERVER = "server"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was there at a time.

    Attributes:
        at_s: Seconds since the first look.
        part: What was being done.
        memory_mb: Resident, of each process by its pid.
        cpu_s: Processor time of all of them so far.
        livez_ms: How long ``/livez`` took to answer: how late the event loop is.
        load_average: Of the machine, over a minute: others may be on it.
    """

    at_s: float
    part: str
    memory_mb: dict[int, float]
    cpu_s: float
    server_cpu_s: float
    descriptors: int
    tasks: int
    livez_ms: float
    load_average: float

    @property
    def processes(self) -> int:
        """How many there are."""
        return len(self.memory_mb)


class Watch:
    """Keeps the looks at a server; ``part`` is for the caller to set."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began_at = time.monotonic()
        self.part = "before"
        self.looks: list[Snapshot] = []
        self.names: dict[int, str] = {service.process.pid: SERVER}

    @property
    def server_pid(self) -> int:
        """Which of the processes is the server."""
        return self._service.process.pid

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_EACH_S)

    def look(self) -> Snapshot:
        """Take one look."""
        url, server = self._service.url, self._service.process
        asked_at = time.monotonic()
        httpx2.get(f"{url}/livez", timeout=ASK_LIMIT_S).raise_for_status()
        livez_ms = (time.monotonic() - asked_at) * 1000
        tasks = tasks_of(url)
        memory_mb, cpu_s = dict[int, float](), dict[int, float]()
        for process in (server, *server.children(recursive=True)):
            try:
                self._name(process)
                used = process.cpu_times()
                memory_mb[process.pid] = round(process.memory_info().rss / 1e6, 2)
                cpu_s[process.pid] = used.user + used.system
            except psutil.NoSuchProcess:
                continue
        look = Snapshot(
            at_s=round(time.monotonic() - self._began_at, 1),
            part=self.part,
            memory_mb=memory_mb,
            cpu_s=sum(cpu_s.values()),
            server_cpu_s=cpu_s[server.pid],
            descriptors=server.num_fds(),
            tasks=tasks,
            livez_ms=round(livez_ms, 1),
            load_average=round(psutil.getloadavg()[0], 2),
        )
        self.looks.append(look)
        return look

    def _name(self, process: psutil.Process) -> None:
        """Give a process a name that tells what it does; the first of a kind is number 1."""
        if process.pid in self.names:
            return
        line = process.cmdline()
        role = next((role for module, role in ROLES.items() if module in line), "other")
        number = 1 + sum(name.startswith(role) for name in self.names.values())
        self.names[process.pid] = f"{role} {number}"


def tasks_of(url: str) -> int:
    """Return how many tasks are on the server's event loop."""
    lines = httpx2.get(f"{url}/metrics", timeout=ASK_LIMIT_S).text.splitlines()
    [line] = [line for line in lines if line.startswith("auricle_asyncio_tasks ")]
    return int(float(line.split()[1]))


def service_cpu_s(service: Service) -> float:
    """Return the processor time that the server and all its children have taken."""
    total_s = 0.0
    for process in (service.process, *service.process.children(recursive=True)):
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += used.user + used.system
    return total_s


def table(looks: Sequence[Snapshot], names: dict[int, str]) -> dict[str, list[Any]]:
    """Return looks as columns for JSON, one for each process."""
    columns: dict[str, list[Any]] = {
        name: [getattr(look, name) for look in looks]
        for name in ("at_s", "descriptors", "tasks", "processes", "livez_ms", "load_average")
    }
    for pid, name in names.items():
        columns[f"{name}, MB"] = [look.memory_mb.get(pid) for look in looks]
    return columns
