"""The files of a release, installed in a Debian that has nothing else."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.lib.debian import Debian, new_user, system_of
from bench.lib.emulation import SETTINGS, START_BUDGET_S
from bench.lib.service import free_port
from supply.release.failure import ReleaseError
from supply.release.npm_package import PROGRAM
from supply.release.python_package import CLIP, EXPECTED, EXTRAS, LIVE, check_pages
from supply.release.server import START_LIMIT_S, STOP_LIMIT_S, is_ready
from tests.support.poll import wait_until

PACKAGES = "nodejs,python3,python3-venv"
"""What Debian has to have."""
FOLDER = "/root/release"
CLIENT, SERVER, SOURCE = "client", "server", "source"
"""Virtual environments: of the wheel, of the wheel with a server, and of the sdist."""


def check_debian(
    root: Path, wheel: Path, sdist: Path, package: Path, *, architecture: str | None = None
) -> dict[str, Any]:
    """Install the files in a Debian, serve there, and transcribe a file and a live stream.

    Args:
        root: The system, with :data:`PACKAGES`.
        wheel: The wheel.
        sdist: The sdist.
        package: The npm package; it has no dependencies, so that it needs no npm.
        architecture: ``arm64``, which is emulated, or ``None`` for this machine's.

    Returns:
        The system, its architecture and Python; what was installed, and how long things took.

    Raises:
        ReleaseError: Something does not work.
    """
    url = f"http://127.0.0.1:{(port := free_port())}"
    settings = {} if architecture is None else SETTINGS
    variables = new_user() | settings | {"AURICLE_PORT": str(port)}
    inside = _Inside(Debian(root, variables, architecture))
    folder = root / FOLDER[1:]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (wheel, sdist, package, CLIP):
        shutil.copy(path, folder)
    (folder / "transcribe.mjs").write_text(PROGRAM)
    (folder / "live.py").write_text(LIVE)

    installed_s = {
        CLIENT: inside.install(CLIENT, f"./{wheel.name}"),
        SERVER: inside.install(SERVER, f"'./{wheel.name}[{EXTRAS}]'"),
        SOURCE: inside.install(SOURCE, f"./{sdist.name}"),
    }
    version = inside.run(f"{SOURCE}/bin/auricle --version")
    unpacked = "node_modules/auricle-client"
    inside.run(f"mkdir -p {unpacked} && tar -xzf {package.name} --strip 1 -C {unpacked}")
    start_limit_s = START_LIMIT_S if architecture is None else START_BUDGET_S
    with inside.serving(url, start_limit_s) as ready_s:
        check_pages(url)
        inside.check_text(f"{CLIENT}/bin/auricle transcribe --url {url} {CLIP.name}")
        inside.check_text(f"{CLIENT}/bin/python live.py {url} {CLIP.name}", 2)
        inside.check_text(f"{SERVER}/bin/auricle live --fast --url {url} {CLIP.name}")
        inside.check_text(f"node transcribe.mjs {url} {CLIP.name}")
    inside.check_text(f"{SERVER}/bin/auricle transcribe {CLIP.name}")
    return {
        "system": system_of(root),
        "architecture": inside.run("dpkg --print-architecture"),
        "python": inside.run("python3 -V").removeprefix("Python "),
        "node": inside.run("node --version"),
        "settings": settings,
        "version": version.split()[-1],
        "packages": {name: inside.packages(name) for name in (CLIENT, SERVER)},
        "installed_s": installed_s,
        "ready_s": ready_s,
    }


class _Inside:
    """Commands in the folder of the release in a system."""

    def __init__(self, debian: Debian) -> None:
        self._debian = debian

    def run(self, command: str) -> str:
        """Return what a command printed.

        Raises:
            ReleaseError: It failed.
        """
        process = self._debian.start(f"{command} </dev/null", FOLDER)
        printed, _ = process.communicate()
        if process.returncode:
            raise ReleaseError(f"{command} ended with {process.returncode}: {printed}")
        return printed.strip()

    def check_text(self, command: str, times: int = 1) -> None:
        """Check that a command prints the text of the clip this number of times.

        Raises:
            ReleaseError: It does not.
        """
        printed = self.run(command)
        if printed.lower().count(EXPECTED) != times:
            raise ReleaseError(f"{command} printed another text than {EXPECTED!r}: {printed}")

    def install(self, name: str, requirement: str) -> float:
        """Create a virtual environment with a requirement; return the seconds it took."""
        began_at = time.monotonic()
        pip = f"{name}/bin/pip --disable-pip-version-check"
        install = f"{pip} install --quiet --no-compile {requirement} && {pip} check --quiet"
        self.run(f"python3 -m venv {name} && {install}")
        return round(time.monotonic() - began_at, 1)

    def packages(self, name: str) -> int:
        """Return the number of packages in a virtual environment, with pip."""
        return len(self.run(f"{name}/bin/pip list --format freeze 2>/dev/null").splitlines())

    @contextmanager
    def serving(self, url: str, start_limit_s: float) -> Iterator[float]:
        """Run a server; give the seconds until it was ready, and stop it as Ctrl-C does.

        Raises:
            ReleaseError: It does not start, or does not end in order.
        """
        began_at = time.monotonic()
        log = f"{FOLDER}/serve.log"
        server = self._debian.start(f"{SERVER}/bin/auricle serve >{log} 2>&1", FOLDER)
        try:
            with suppress(TimeoutError):
                wait_until(
                    lambda: server.poll() is not None or is_ready(url), "it is ready", start_limit_s
                )
            if not is_ready(url):
                raise ReleaseError(f"the server does not start: {self.run(f'tail {log}')}")
            yield round(time.monotonic() - began_at, 1)
            os.killpg(server.pid, signal.SIGINT)
            if code := server.wait(STOP_LIMIT_S):
                raise ReleaseError(f"the server ended with {code}: {self.run(f'tail {log}')}")
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
