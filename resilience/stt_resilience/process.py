"""The server under test: installs, starts, observes and stops it."""

import asyncio
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil

from stt_resilience.servers import Protocol, ServerSpec, fill, ports

STOP_LIMIT_S = 20.0
POLL_S = 0.25
PORTS = range(20_000, 30_000)
HERE = Path(__file__).parent


class StartError(Exception):
    """The server can't be installed or does not become ready."""


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens.

    They are outside the range of outgoing connections, one of which could take the port while the
    server is restarted.
    """
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(ports) == count:
            break
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            ports.append(port)
    return ports


def address(url: str) -> tuple[str, int]:
    """Return host and port of a URL."""
    parts = urlsplit(url)
    is_secure = parts.scheme in {"wss", "https"}
    return parts.hostname or "127.0.0.1", parts.port or (443 if is_secure else 80)


class Server:
    """A server that the suite starts on 127.0.0.1.

    Args:
        spec: Its description.
        home: Folder for its environment, which later runs use again.
        run: Folder of this run, for its data and its log.
        model: Model that is passed to it, or an empty string.
        say: Called with each step.
    """

    def __init__(
        self, spec: ServerSpec, home: Path, run: Path, model: str, say: Callable[[str], None]
    ) -> None:
        self.spec = spec
        self._home = home
        self._say = say
        names = sorted(ports(spec))
        self._values = {
            name: str(port) for name, port in zip(names, free_ports(len(names)), strict=True)
        }
        self._values |= {
            "python": sys.executable,
            "env": str(home),
            "data": str(run / "data"),
            "run": str(run),
            "model": model,
            "repository": str(HERE.parents[1]),
        }
        self.run = run
        self.log = run / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Folder of the server's data."""
        return Path(self._values["data"])

    @property
    def protocols(self) -> list[Protocol]:
        """The protocols with their URLs."""
        return [
            Protocol(each.driver, fill(each.url, self._values), each.options)
            for each in self.spec.protocols
        ]

    @property
    def health_url(self) -> str:
        """URL of its health, or an empty string."""
        return fill(self.spec.health_url, self._values)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its first protocol."""
        return address(self.protocols[0].url)

    def install(self) -> None:
        """Run the commands of ``install`` in an empty folder, once for each version of them.

        The Python that runs the suite does not make a version: one environment serves all of them.

        Raises:
            StartError: A command fails.
        """
        commands = [fill(command, self._values) for command in self.spec.install]
        mark = self._home / "installed"
        kept = {name: self._values[name] for name in ("model", "repository")}
        named = [fill(command, kept) for command in self.spec.install]
        key = hashlib.sha256("\n".join(named).encode()).hexdigest()
        if mark.is_file() and mark.read_text() == key:
            return
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        for command in commands:
            self._say(f"installing: {command}")
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
            if done.returncode:
                raise StartError(f"`{command}` failed: {done.stderr.strip()[-400:]}")
        mark.write_text(key)

    async def start(self, *, keep_data: bool = False) -> None:
        """Start it, and wait until it is ready.

        Args:
            keep_data: Whether the data of an earlier start stays.

        Raises:
            StartError: It ends or is not ready in time.
        """
        self.kill_all()  # what a process that died has left
        if not keep_data:
            self.clear_data()
        try:
            process = self._process = self._spawn()
        except OSError as error:
            raise StartError(f"can't be started: {error}") from error
        deadline_s = time.monotonic() + self.spec.ready_s
        while not await self._is_ready():
            if process.poll() is not None:
                raise StartError(f"it ended with {process.returncode}; see {self.log}")
            if time.monotonic() > deadline_s:
                self.kill_all()
                raise StartError(f"not ready after {self.spec.ready_s:.0f} s; see {self.log}")
            await asyncio.sleep(POLL_S)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self.data.mkdir(parents=True, exist_ok=True)
        values = self.spec.environment.items()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [fill(part, self._values) for part in self.spec.start],
                env=os.environ | {name: fill(text, self._values) for name, text in values},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.run,
                start_new_session=True,
            )

    def clear_data(self) -> None:
        """Delete its data; a mounted folder is emptied."""
        if self.data.is_dir():
            for path in self.data.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    async def _is_ready(self) -> bool:
        if self.spec.ready_url:
            async with httpx2.AsyncClient(timeout=2.0, trust_env=False) as client:
                try:
                    answer = await client.get(fill(self.spec.ready_url, self._values))
                except httpx2.HTTPError:
                    return False
                return answer.status_code < 400
        port = int(fill(self.spec.ready_tcp, self._values))
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    @property
    def process(self) -> psutil.Process:
        """Return the server's main process."""
        if self._process is None:
            raise StartError("not started")
        return psutil.Process(self._process.pid)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that recognise."""
        if self._process is None or self._process.poll() is not None:
            return []
        if self.spec.worker.process == "itself":
            return [self.process]
        pattern = re.compile(self.spec.worker.matching)
        out = []
        for child in self.process.children(recursive=True):
            with suppress(psutil.Error):
                if pattern.search(" ".join(child.cmdline())):
                    out.append(child)
        return out

    def memory_mb(self) -> float:
        """Return the memory of all its processes: proportional set size where the system has it."""
        total = 0
        for process in self._tree():
            with suppress(psutil.Error):
                try:
                    total += process.memory_full_info().pss
                except (psutil.AccessDenied, AttributeError):
                    total += process.memory_info().rss
        return total / 1e6

    def _tree(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        with suppress(psutil.Error):
            return [self.process, *self.process.children(recursive=True)]
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def wait(self, limit_s: float) -> int | None:
        """Wait until it ends; return its exit status, or ``None`` if it does not."""
        deadline_s = time.monotonic() + limit_s
        while self._process is not None and time.monotonic() < deadline_s:
            status = self._process.poll()
            if status is not None:
                return status
            await asyncio.sleep(0.1)
        return None

    def kill_all(self) -> None:
        """Kill all processes of it that run."""
        tree = self._tree()
        for process in tree:
            with suppress(psutil.Error):
                process.kill()
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # those whose parent has ended
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT_S)
            self._process = None


class ForeignServer:
    """A server that runs already: it can be used, but not be killed or looked into.

    Args:
        protocol: How to use it.
        health_url: URL of its health, or an empty string.
    """

    def __init__(self, protocol: Protocol, health_url: str) -> None:
        self.protocols = [protocol]
        self.health_url = health_url

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of its protocol."""
        return address(self.protocols[0].url)
