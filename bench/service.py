"""A real ``auricle serve`` in a process of its own, for benches that post to it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
READY_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
POLL_S = 0.05


@dataclass(frozen=True)
class Service:
    """A running server: where it is and which process it is."""

    url: str
    process: psutil.Process
    log: Path

    def log_lines(self) -> list[str]:
        """Return what the server has printed and logged so far."""
        return self.log.read_text().splitlines()

    def health(self) -> dict[str, Any]:
        """Return what /health says."""
        answer = httpx2.get(f"{self.url}/health", timeout=10)
        body: dict[str, Any] = answer.json()
        return body

    def ready_workers(self) -> int:
        """Return how many ASR workers are up."""
        states = [worker["state"] for worker in self.health()["workers"]]
        return sum(state in ("ready", "busy") for state in states)

    def wait_ready(self) -> None:
        """Wait until every ASR worker is up."""
        deadline = time.monotonic() + READY_LIMIT_S
        while self.ready_workers() < len(self.health()["workers"]):
            if time.monotonic() > deadline:
                raise SystemExit(f"the workers did not get ready: {json.dumps(self.health())}")
            time.sleep(POLL_S)


@contextmanager
def serve(
    workers: int | None = None, log: Path | None = None, **settings: object
) -> Iterator[Service]:
    """Start the server on a free port and wait until all its workers are ready.

    Keyword arguments are settings, without their ``AURICLE_``.
    """
    environment = os.environ | {
        f"AURICLE_{name.upper()}": str(value) for name, value in settings.items()
    }
    if workers is not None:
        environment["AURICLE_WORKERS"] = str(workers)
    environment["AURICLE_PORT"] = "0"
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        log = log or Path(folder) / "server.log"
        output = log.open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "auricle", "serve"],
            env=environment | {"PYTHONPATH": path, "COLUMNS": "200"},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            watched = psutil.Process(process.pid)
            service = Service(_address(watched), watched, log)
            service.wait_ready()
            yield service
        finally:
            output.close()
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: psutil.Process) -> str:
    """Return the URL that a starting server listens on."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                return f"http://127.0.0.1:{connection.laddr.port}"
        time.sleep(POLL_S)
    raise SystemExit("the server does not listen")
