"""A real ``auricle serve`` in a process of its own, for benches that post to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
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
    workers: int | None = None,
    log: Path | None = None,
    *,
    program: Sequence[str] = ("auricle",),
    **settings: object,
) -> Iterator[Service]:
    """Start the server on a free port and wait until all its workers are ready.

    Args:
        workers: How many; as many as there are by default.
        log: Where what it says goes.
        program: The module to run, and its arguments before ``serve``.
        settings: Without their ``AURICLE_``.
    """
    environment = os.environ | {
        f"AURICLE_{name.upper()}": str(value) for name, value in settings.items()
    }
    if workers is not None:
        environment["AURICLE_WORKERS"] = str(workers)
    environment["AURICLE_PORT"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        log = log or Path(folder) / "server.log"
        output = log.open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", *program, "serve"],
            env=environment | {"PYTHONPATH": _python_path(), "COLUMNS": "200"},
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


class Server:
    """``auricle serve`` on one port, as often as it is started.

    Args:
        log: Where what it says goes.
        environment: Variables beside the settings.
        settings: Without their ``AURICLE_``.
    """

    def __init__(
        self, log: Path, environment: Mapping[str, str] | None = None, **settings: object
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        given = {f"AURICLE_{name.upper()}": str(value) for name, value in settings.items()}
        given |= {"AURICLE_PORT": str(self.port), "PYTHONPATH": _python_path()}
        self._environment = os.environ | given | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def service(self) -> Service:
        """The process that runs now."""
        assert self._process is not None
        return Service(self.url, psutil.Process(self._process.pid), self._log)

    def start(self) -> None:
        """Start it; it isn't ready at once."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "auricle", "serve"],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )

    def wait_ready(self) -> None:
        """Wait until all workers are up."""
        deadline = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise SystemExit(f"the server does not start: {self._log}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.05)
        self.service.wait_ready()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@contextmanager
def running(
    log: Path, environment: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Server]:
    """Run a server whose workers are ready; what it says goes to the file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    server = Server(log, environment, **settings)
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.end()


def _python_path() -> str:
    """Let the server import this repository, for engines that are not part of it."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _address(process: psutil.Process) -> str:
    """Return the URL that a starting server listens on."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                return f"http://127.0.0.1:{connection.laddr.port}"
        time.sleep(POLL_S)
    raise SystemExit("the server does not listen")
