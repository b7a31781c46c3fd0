"""Samples a server from a separate process.

    python -m tests.resilience.chaos.watcher URL PID FILE

It writes a line of JSON for each sample: the monotonic time, the delay of the sample, the response
time of ``/livez`` over a persistent connection, the time that the watcher and the server's main
thread each waited for a core, the number of processes, zombies and descriptors, memory, and every
second the number of tasks. It runs apart from the load, so that the delay of the load's event loop
does not count as the server's.
"""

import http.client
import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.lib.cpu import waited_s

INTERVAL_S = 0.1
COUNT_INTERVAL = 10
ANSWER_LIMIT_S = 10.0


class Watcher:
    """Samples one server."""

    def __init__(self, url: str, pid: int) -> None:
        self._address = urlsplit(url).netloc
        self._process = psutil.Process(pid)
        self._connection = http.client.HTTPConnection(self._address, timeout=ANSWER_LIMIT_S)
        self._get("/livez")  # opens the connection

    def sample(self, *, with_counts: bool) -> dict[str, Any]:
        """Take a sample."""
        own_s, server_s = waited_s(), waited_s(self._process.pid)
        sample: dict[str, Any] = {"livez_ms": self._livez_ms()}
        sample["own_wait_ms"] = round(1000 * (waited_s() - own_s), 1)
        sample["server_wait_ms"] = round(1000 * (waited_s(self._process.pid) - server_s), 1)
        if with_counts:
            children = self._process.children(recursive=True)
            sample["children"] = [child.pid for child in children]
            sample["zombies"] = sum(_is_zombie(child) for child in children)
            sample["descriptors"] = self._process.num_fds()
            sample["mb"] = round(self._process.memory_info().rss / 1e6, 1)
            sample["tasks"] = self._tasks()
        sample["is_running"] = self._process.is_running()
        return sample

    def _livez_ms(self) -> float | None:
        """Return the response time; ``None`` without a response."""
        began_at = time.perf_counter()
        if self._get("/livez") is None:
            return None
        return round(1000 * (time.perf_counter() - began_at), 1)

    def _tasks(self) -> int | None:
        lines = (self._get("/metrics") or "").splitlines()
        found = [line for line in lines if line.startswith("auricle_asyncio_tasks ")]
        return int(float(found[0].split()[1])) if found else None

    def _get(self, path: str) -> str | None:
        try:
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            body = response.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it again
            return None
        return body if response.status == 200 else None


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def main() -> None:
    url, pid, path = sys.argv[1:]
    watcher = Watcher(url, int(pid))
    with Path(path).open("w", buffering=1) as file:
        due_at, number = time.monotonic(), 0
        while True:
            at = time.monotonic()
            sample = watcher.sample(with_counts=number % COUNT_INTERVAL == 0)
            late_ms = round(1000 * (at - due_at), 1)
            file.write(json.dumps({"at": round(at, 3), "late_ms": late_ms} | sample) + "\n")
            if not sample["is_running"]:
                return
            number += 1
            due_at = max(due_at + INTERVAL_S, time.monotonic())
            time.sleep(max(0.0, due_at - time.monotonic()))


if __name__ == "__main__":
    main()
