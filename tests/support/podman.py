"""Containers of the images that ``scripts/build-images`` builds, run by podman as operators should.

Root file system read-only, no capabilities, no new privileges, limits of memory and processes. Port
6007 is published to a free port. The limits on files are what this process may have itself, so that
it works within containers.
"""

import json
import os
import resource
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

from auricle import __version__
from tests.support.poll import wait_until

IMAGES = {
    "systemd": "localhost/auricle-systemd:trixie",
    "cpu": f"localhost/auricle:{__version__}",
    "cuda": f"localhost/auricle:{__version__}-cuda",
    "cluster": f"localhost/auricle:{__version__}-cluster",
    "home-assistant": f"localhost/auricle-home-assistant:{__version__}",
    "--arm64 cpu": f"localhost/auricle-all:{__version__}",
}
"""By the arguments of ``scripts/build-images`` that build them."""
READY_S = 240
STOP_S = 45
"""``stop_grace_period`` of the compose files."""
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp:size=64m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--pids-limit=2048",
    "--memory=8g",
)


def is_available() -> bool:
    """Return whether podman is installed."""
    return shutil.which("podman") is not None


def podman(*arguments: str, text: str | None = None) -> str:
    """Run podman and return what it prints; ``text`` is its standard input."""
    environ = {**os.environ, "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
    done = subprocess.run(
        ["podman", *arguments], input=text, capture_output=True, text=True, check=False, env=environ
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.strip()


def exists(target: str) -> bool:
    """Return whether the image of a target has been built."""
    found = subprocess.run(["podman", "image", "exists", IMAGES[target]], check=False)
    return found.returncode == 0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Container:
    """A container that runs, with a server at ``url`` unless its command is another one."""

    name: str
    url: str
    started_at: float
    """On the monotonic clock."""

    def logs(self) -> str:
        """Return all that it has printed."""
        done = subprocess.run(
            ["podman", "logs", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    def execute(self, *command: str, text: str | None = None) -> str:
        """Run another command in it, and return what it prints."""
        return podman("exec", "--interactive", self.name, *command, text=text)

    def inspect(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(podman("inspect", self.name))
        return found[0]

    def is_running(self) -> bool:
        return bool(self.inspect()["State"]["Running"])

    def processes(self) -> list[psutil.Process]:
        """Return its processes as this system sees them, the first one first."""
        main = psutil.Process(self.inspect()["State"]["Pid"])
        return [main, *main.children(recursive=True)]

    def pss_mb(self) -> float:
        """Return the memory of all its processes; what they share counts once."""
        return sum(process.memory_full_info().pss for process in self.processes()) / 1e6

    def wait_ready(self, trusted: ssl.SSLContext | bool = True) -> float:
        """Return the seconds from ``podman run`` until /readyz answered 200.

        Args:
            trusted: The authorities of a server with TLS.
        """

        def is_ready() -> bool:
            with suppress(httpx2.TransportError):
                answer = httpx2.get(f"{self.url}/readyz", verify=trusted, trust_env=False)
                return answer.status_code == 200
            assert self.is_running(), self.logs()
            return False

        try:
            wait_until(is_ready, "it is ready", READY_S)
        except TimeoutError as exc:
            raise AssertionError(self.logs()) from exc
        return time.monotonic() - self.started_at

    def wait_exit(self) -> int:
        """Return the exit status of its command."""
        return int(podman("wait", self.name))

    def stop(self) -> int:
        """Do what ``docker stop`` does, and return the exit status."""
        podman("stop", f"--time={STOP_S}", self.name)
        return self.wait_exit()

    def kill(self) -> None:
        podman("kill", "--signal=KILL", self.name)
        self.wait_exit()


def _limits() -> Iterator[str]:
    for name, which in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        hard = resource.getrlimit(which)[1]
        number = min(hard, 20_000) if name == "nofile" and hard != -1 else hard
        yield f"--ulimit={name}={number}:{number}"


@contextmanager
def container(
    target: str,
    *command: str,
    environ: Mapping[str, object] | None = None,
    volumes: Mapping[str, Path] | None = None,
) -> Iterator[Container]:
    """Run a container and remove it at the end, with its anonymous volumes.

    Args:
        target: The Dockerfile's.
        command: Instead of ``serve``.
        environ: Its settings.
        volumes: Folders of this system, by their paths in the container; its user may write them.
    """
    for folder in (volumes or {}).values():
        folder.mkdir(exist_ok=True)
        os.chown(folder, 10001, 10001)
    options = [f"--env={name}={value}" for name, value in (environ or {}).items()]
    options += [f"--volume={folder}:{path}" for path, folder in (volumes or {}).items()]
    with started(*options, *HARDENED, IMAGES[target], *command) as running:
        yield running


@contextmanager
def systemd() -> Iterator[Container]:
    """Run systemd as the first process of a container, with the CPU image's Auricle in it.

    It needs a privileged container. A server is expected at ``url``, once a unit starts it.
    """
    image = f"--mount=type=image,source={IMAGES['cpu']},destination=/image"
    # systemd 257 warns of version 1 of cgroups, and starts only if it is told to use it.
    legacy = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
    hybrid = f"--env=SYSTEMD_PROC_CMDLINE={legacy} systemd.unified_cgroup_hierarchy=0"
    options = ["--privileged", "--systemd=always", image]
    if not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        options.append(hybrid)
    with started(*options, IMAGES["systemd"], "/sbin/init") as running:
        running.execute("ln", "-s", "/image/opt/auricle", "/opt/auricle")
        yield running


@contextmanager
def started(*arguments: str) -> Iterator[Container]:
    """Run ``podman run`` with these arguments, and remove the container at the end.

    Args:
        arguments: Options, the image's name and its command. ``--publish`` of port 6007 is added,
            unless it uses the network of another container.
    """
    # crun refuses systems where cgroups of both versions are mounted.
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    port = free_port()
    if not any(argument.startswith("--network=container:") for argument in arguments):
        arguments = (f"--publish=127.0.0.1:{port}:6007", *arguments)
    started_at = time.monotonic()
    name = podman(*runtime, "run", "--detach", *_limits(), *arguments)
    try:
        yield Container(name, f"http://127.0.0.1:{port}", started_at)
    finally:
        podman("rm", "--force", "--volumes", "--time=0", name)
