"""README's commands on a fresh Debian, and captions on the page that they serve.

    python -m bench.fresh [--suite trixie] [--no-tests]

mmdebstrap makes the system: git, make, python3, python3-venv and what these depend on. The clone
and all that is installed are in it; the registries are reached as from this machine, whose
certificates and settings of pip and npm are copied. Chromium runs outside, as on another computer.
Needs root, mmdebstrap and Chromium.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from bench.lib.debian import Debian, make_system, new_user, system_of
from bench.lib.report import ROOT, command_line, publish
from bench.lib.service import free_port

PACKAGES = "git,make,python3,python3-venv"
CLONE = "/root/auricle"
READY_LIMIT_S = 1200.0
STOP_LIMIT_S = 60.0
POLL_S = 0.2
TEST = "make test"
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|error)")


class Service:
    """``make run`` in a fresh system, until it is interrupted.

    Args:
        debian: The system.
        command: What README starts the server with.
        url: Where it will answer.
        limit_s: Longest wait until it is ready, in seconds.
    """

    def __init__(
        self, debian: Debian, command: str, url: str, limit_s: float = READY_LIMIT_S
    ) -> None:
        self._began_at = time.monotonic()
        self._process = debian.start(command, CLONE)
        self.steps: list[tuple[float, str]] = []
        self.ready_s = 0.0
        self._url = url
        self._limit_s = limit_s
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            sys.stdout.write(line)
            if re.match(r"(setup|web|run|docs): ", line):
                self.steps.append((self._elapsed_s(), line.strip()))

    def _elapsed_s(self) -> float:
        return round(time.monotonic() - self._began_at, 1)

    def wait_ready(self) -> None:
        """Wait until the server is ready.

        Raises:
            SystemExit: It ended, or takes too long.
        """
        while not self._is_ready():
            if self._process.poll() is not None or self._elapsed_s() > self._limit_s:
                raise SystemExit("fresh: the server does not get ready")
            time.sleep(POLL_S)
        self.ready_s = self._elapsed_s()

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self._url}/readyz", timeout=5).status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit status."""
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            return self._process.wait(STOP_LIMIT_S)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._reader.join()


@contextmanager
def serving(
    debian: Debian, command: str, url: str, limit_s: float = READY_LIMIT_S
) -> Iterator[Service]:
    """Serve in a fresh system, ready at once; interrupt the server at the end.

    Raises:
        SystemExit: It ended, or takes longer than ``limit_s`` to get ready.
    """
    service = Service(debian, command, url, limit_s)
    try:
        service.wait_ready()
        yield service
    finally:
        print(f"fresh: ended with {service.interrupt()}")


def main() -> None:
    """Print and publish the figures; the picture of the page is next to them."""
    parser = command_line(__doc__, "fresh")
    parser.add_argument("--suite", default="trixie", help="Debian's release (trixie)")
    parser.add_argument("--no-tests", action="store_true", help="leave out `make test`")
    arguments = parser.parse_args()
    serve, live = readme_commands((ROOT / "README.md").read_text())
    with tempfile.TemporaryDirectory(prefix="auricle-fresh-") as folder:
        root, port = Path(folder) / "debian", free_port()
        make_system(root, arguments.suite, PACKAGES)
        debian = Debian(root, environment(port))
        load = [round(each, 1) for each in os.getloadavg()]
        result: dict[str, Any] = {"system": system_of(root), "load_before": load}
        result["clone_s"] = clone(root, debian)
        result |= try_server(debian, serve, live, f"http://127.0.0.1:{port}", arguments.out)
        if not arguments.no_tests:
            output, took_s = debian.run(TEST, CLONE)
            counts = {what: int(count) for count, what in SUMMARY.findall(output.splitlines()[-1])}
            result["tests"] = {"command": TEST, "took_s": took_s} | counts
    publish(arguments.out, result)


def clone(root: Path, debian: Debian) -> float:
    """Clone what is committed here into a system; return the seconds that this took there."""
    repository = root / "root/auricle.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, repository], check=True)
    _, took_s = debian.run(f"git clone --quiet {repository.name} {CLONE}")
    return took_s


def readme_commands(readme: str) -> list[str]:
    """Return the commands of README's first shell example."""
    [example, *_] = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    return [line.partition("#")[0].strip() for line in example.splitlines()]


def environment(port: int) -> dict[str, str]:
    """Return a new user's environment, for a server on a port."""
    url = f"http://127.0.0.1:{port}"
    return new_user() | {"AURICLE_PORT": str(port), "AURICLE_URL": url}


def try_server(debian: Debian, command: str, live: str, url: str, out: Path) -> dict[str, Any]:
    """Serve as README says, look at the page, and start once more."""
    with serving(debian, command, url) as first:
        pictures = show_page(url, out)
        transcript, story_s = debian.run(live, CLONE)
    with serving(debian, command, url) as second:
        pass
    size, _ = debian.run("du -sm .", CLONE)
    return {
        "command": command,
        "ready_s": first.ready_s,
        "steps": first.steps,
        "captions": pictures,
        "live": {"command": live, "took_s": story_s, "words": len(transcript.split())},
        "ready_again_s": second.ready_s,
        "clone_mb": int(size.split()[0]),
    }


def show_page(url: str, out: Path) -> dict[str, Any]:
    """Speak into Chromium outside; return the time from opening the page to the caption."""
    picture = out.with_suffix(".png").absolute()
    began_at = time.monotonic()
    subprocess.run(
        ["make", "-C", str(ROOT), "test-browser", "ARGS=browser/fresh.spec.ts"],
        env=os.environ
        | {"AURICLE_FRESH_URL": url, "AURICLE_FRESH_PICTURE": str(picture), "CI": "1"},
        check=True,
    )
    return {"picture": picture.name, "took_s": round(time.monotonic() - began_at, 1)}


if __name__ == "__main__":
    main()
