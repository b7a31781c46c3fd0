"""Samples a server from a separate process.

    python -m tests.resilience.chaos.watcher URL PID FILE

It writes a line of JSON for each look: the monotonic time, how late the look itself was, how long
``/livez`` took over a connection that stays, how much of that the watcher and the server's main
thread each waited for a core that somebody else had, how many processes, zombies and descriptors
there are, how much memory, and now and then how many tasks. It runs beside the load, so that what
the load takes of its own event loop isn't counted as the server's delay.
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

LOOK_EACH_S = 0.1
COUNT_EACH_LOOKS = 10
ANSWER_LIMIT_S = 10.0


class Watcher:
    """Looks at one server."""

    def __init__(self, url: str, pid: int) -> None:
        self._address = urlsplit(url).netloc
        self._process = psutil.Process(pid)
        self._connection = http.client.HTTPConnection(self._address, timeout=ANSWER_LIMIT_S)
        self._get("/livez")  # from now on the connection is there, whatever happens

    def look(self, *, with_counts: bool) -> dict[str, Any]:
        """Take a look."""
        own_s, server_s = waited_s(), waited_s(self._process.pid)
        look: dict[str, Any] = {"livez_ms": self._livez_ms()}
        look["own_wait_ms"] = round(1000 * (waited_s() - own_s), 1)
        look["server_wait_ms"] = round(1000 * (waited_s(self._process.pid) - server_s), 1)
        if with_counts:
            children = self._process.children(recursive=True)
            look["children"] = [child.pid for child in children]
            look["zombies"] = sum(_is_zombie(child) for child in children)
            look["descriptors"] = self._process.num_fds()
            look["mb"] = round(self._process.memory_info().rss / 1e6, 1)
            look["tasks"] = self._tasks()
        look["is_running"] = self._process.is_running()
        return look

    def _livez_ms(self) -> float | None:
        """Return how long an answer took; ``None`` if there was none."""
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
            answer = self._connection.getresponse()
            body = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # and opened anew by the next request
            return None
        return body if answer.status == 200 else None


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
            look = watcher.look(with_counts=number % COUNT_EACH_LOOKS == 0)
            late_ms = round(1000 * (at - due_at), 1)
            file.write(json.dumps({"at": round(at, 3), "late_ms": late_ms} | look) + "\n")
            if not look["is_running"]:
                return
            number += 1
            due_at = max(due_at + LOOK_EACH_S, time.monotonic())
            time.sleep(max(0.0, due_at - time.monotonic()))


if __name__ == "__main__":
    main()
