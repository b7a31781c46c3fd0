"""A server for the checks, started by the installation that is checked."""

import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from supply.release.failure import ReleaseError
from tests.support.poll import wait_until

START_LIMIT_S = 120
"""For a start that puts the bundled model together in an empty cache."""
STOP_LIMIT_S = 60


def clean_environment(folder: Path) -> dict[str, str]:
    """Return this process's environment without settings of Auricle and Python.

    Args:
        folder: Directory for the cache and the state of the installation.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AURICLE_", "PYTHON"))
    }
    return kept | {
        "AURICLE_CACHE_DIR": str(folder / "cache"),
        "AURICLE_STATE_DIR": str(folder / "state"),
    }


@contextmanager
def running_server(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """Run a server, and give its URL once it is ready; end it as Ctrl-C does.

    Args:
        command: What starts it.
        environ: Its environment; the port is added.
        log: File for its output.

    Raises:
        ReleaseError: It does not start, or does not end in order.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, env={**environ, "AURICLE_PORT": str(port)}, stdout=output, stderr=output
        )
    try:
        with suppress(TimeoutError):
            wait_until(
                lambda: server.poll() is not None or is_ready(url), "it is ready", START_LIMIT_S
            )
        if not is_ready(url):
            raise ReleaseError(f"the server does not start: {log.read_text()[-2000:]}")
        yield url
        server.send_signal(signal.SIGINT)
        if (code := server.wait(STOP_LIMIT_S)) != 0:
            raise ReleaseError(f"the server ended with {code}: {log.read_text()[-2000:]}")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def is_ready(url: str) -> bool:
    """Return whether a server can transcribe."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
