"""A real ``auricle serve`` in a separate process."""

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
from pathlib import Path
from typing import Any

import httpx2
import psutil

from bench.lib import fixed_values
from bench.lib.report import ROOT

READY_LIMIT_S = 180.0
STOP_LIMIT_S = 60.0
POLL_S = 0.05


class Server:
    """``auricle serve`` on one port; can be stopped and started again.

    Args:
        log: File for its output.
        environment: Variables besides the settings.
        program: The module to run, and its arguments before ``serve``.
        checkout: Folder and interpreter of another version of Auricle; default: this one.
        port: Of another server that this one replaces; default: a free one.
        settings: Without their ``AURICLE_``.
    """

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("auricle",),
        checkout: tuple[Path, Path] = (ROOT, Path(sys.executable)),
        port: int | None = None,
        **settings: object,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log, self._program = log, program
        self._root, self._python = checkout
        if self._root == ROOT:
            variables = fixed_values.variables(settings)
        else:  # a version with other settings
            variables = {f"AURICLE_{name.upper()}": str(value) for name, value in settings.items()}
        if program == ("auricle",):
            self._program = (fixed_values.command_line(variables),)
        # Engines that are not part of Auricle are imported from this repository.
        own = str(self._root / "src"), str(self._root)
        path = os.pathsep.join([*own, *filter(None, [os.environ.get("PYTHONPATH")])])
        variables |= {"AURICLE_PORT": str(self.port), "PYTHONPATH": path, "COLUMNS": "200"}
        self._environment = os.environ | variables | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> psutil.Process:
        """The current process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def start(self) -> None:
        """Start it; it isn't ready at once."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._python, "-m", *self._program, "serve"],
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._root,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_end(self) -> int:
        """Wait until it ends by itself, and return its exit status.

        Raises:
            subprocess.TimeoutExpired: It does not end.
        """
        assert self._process is not None
        return self._process.wait(STOP_LIMIT_S)

    def health(self) -> dict[str, Any]:
        """Return the answer of /health."""
        body: dict[str, Any] = httpx2.get(f"{self.url}/health", timeout=10).json()
        return body

    def metric(self, name: str) -> float:
        """Return the value of a metric, named with its labels."""
        lines = httpx2.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        [line] = [line for line in lines if line.startswith(f"{name} ")]
        return float(line.rsplit(" ", 1)[1])

    def log_lines(self) -> list[str]:
        """Return the server's output so far."""
        return self._log.read_text().splitlines()

    def wait_ready(self) -> None:
        """Wait until all ASR workers are ready."""
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._is_ready():
            if self._process is not None and self._process.poll() is not None:
                raise SystemExit(f"the server does not start: {self.log_lines()[-3:]}")
            if time.monotonic() > deadline:
                raise SystemExit(f"the workers are not ready: {json.dumps(self.health())}")
            time.sleep(POLL_S)

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)):
                return False
        try:
            workers = self.health()["workers"]
        except httpx2.TransportError:  # a starved machine answers late
            return False
        return all(worker["state"] in ("ready", "busy") for worker in workers)


@contextmanager
def running(
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = ("auricle",),
    checkout: tuple[Path, Path] = (ROOT, Path(sys.executable)),
    **settings: Any,
) -> Iterator[Server]:
    """Run a server whose workers are ready; see :class:`Server` for the arguments."""
    with tempfile.TemporaryDirectory() as folder:
        log = log or Path(folder) / "server.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        settings = {"state_dir": Path(folder) / "state"} | settings
        server = Server(log, environment, program, checkout, **settings)
        server.start()
        try:
            server.wait_ready()
            yield server
        finally:
            server.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
