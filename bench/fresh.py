"""README's commands on a fresh Debian, and captions on the page that they serve.

    python -m bench.fresh [--suite trixie] [--no-tests]

mmdebstrap makes the system: git, make, python3, python3-venv and what these depend on. The clone
and all that is installed are in it; the registries are reached as from this machine, whose
certificates and settings of pip and npm are copied. Chromium runs outside, as on another computer.
Needs root, mmdebstrap and Chromium.
"""

import os
import re
import shlex
import shutil
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

from bench.lib.report import ROOT, command_line, publish
from bench.lib.service import free_port

PACKAGES = "git,make,python3,python3-venv"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
FROM_OUTSIDE = re.compile(
    r"(PIP_(CERT|INDEX_URL|DEFAULT_TIMEOUT)|NODE_EXTRA_CA_CERTS)$|npm_config_"
)
CLONE = "/root/auricle"
READY_LIMIT_S = 1200.0
STOP_LIMIT_S = 60.0
POLL_S = 0.2
STORY = ".venv/bin/auricle live testdata/story.ogg"
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|error)")


class Debian:
    """A fresh system in a folder.

    Args:
        root: The folder.
        variables: The environment of each command.
    """

    def __init__(self, root: Path, variables: dict[str, str]) -> None:
        self._root = root
        self._variables = variables

    def start(self, command: str, folder: str = CLONE) -> subprocess.Popen[str]:
        """Start a shell command as root, with process ids and mounts of its own."""
        root = shlex.quote(str(self._root))
        # The shell of the system is its first process; it must outlive an interrupt.
        inside = shlex.quote(f"trap : INT; cd {folder}; {command}; exit $?")
        return subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c"),
                f"mount --bind /dev {root}/dev && mount -t proc proc {root}/proc && "
                f"exec chroot {root} sh -c {inside}",
            ],
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, folder: str = CLONE) -> tuple[str, float]:
        """Run a command; return its output and its duration in seconds.

        Raises:
            SystemExit: It failed.
        """
        began_at = time.monotonic()
        process = self.start(command, folder)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            sys.stdout.write(line)
            lines.append(line)
        if process.wait():
            raise SystemExit(f"fresh: {command} ended with {process.returncode}")
        return "".join(lines), round(time.monotonic() - began_at, 1)


class Service:
    """``make run`` in a fresh system, until it is interrupted.

    Args:
        debian: The system.
        command: What README starts the server with.
        url: Where it will answer.
    """

    def __init__(self, debian: Debian, command: str, url: str) -> None:
        self._began_at = time.monotonic()
        self._process = debian.start(command)
        self.steps: list[tuple[float, str]] = []
        self.ready_s = 0.0
        self._url = url
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
            if self._process.poll() is not None or self._elapsed_s() > READY_LIMIT_S:
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
def serving(debian: Debian, command: str, url: str) -> Iterator[Service]:
    service = Service(debian, command, url)
    try:
        service.wait_ready()
        yield service
    finally:
        print(f"fresh: ended with {service.interrupt()}")


def main() -> None:
    """Print and publish the figures; the picture of the page is next to them."""
    parser = command_line(__doc__, "fresh")
    parser.add_argument("--suite", default="trixie", help="Debian's release (trixie)")
    parser.add_argument("--no-tests", action="store_true", help="leave out README's `make test`")
    arguments = parser.parse_args()
    serve, test = readme_commands((ROOT / "README.md").read_text())
    with tempfile.TemporaryDirectory(prefix="auricle-fresh-") as folder:
        root, port = Path(folder) / "debian", free_port()
        make_system(root, arguments.suite)
        debian = Debian(root, environment(port))
        load = [round(each, 1) for each in os.getloadavg()]
        result: dict[str, Any] = {"system": system_of(root), "load_before": load}
        result |= try_server(debian, serve, f"http://127.0.0.1:{port}", arguments.out)
        if not arguments.no_tests:
            output, took_s = debian.run(test)
            counts = {what: int(count) for count, what in SUMMARY.findall(output.splitlines()[-1])}
            result["tests"] = {"command": test, "took_s": took_s} | counts
    publish(arguments.out, result)


def readme_commands(readme: str) -> list[str]:
    """Return the commands of README's first shell example."""
    [example, *_] = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    return [line.partition("#")[0].strip() for line in example.splitlines()]


def make_system(root: Path, suite: str) -> None:
    subprocess.run(
        [
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}"),
            "--dpkgopt=force-unsafe-io",  # need not survive a power failure
            *(suite, str(root), "http://deb.debian.org/debian"),
        ],
        check=True,
    )
    for path in ("/etc/resolv.conf", CERTIFICATES):
        shutil.copy(path, f"{root}{path}")
    repository = root / "root/auricle.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", ROOT, repository], check=True)


def system_of(root: Path) -> str:
    release = (root / "etc/os-release").read_text()
    [name] = re.findall(r'^PRETTY_NAME="(.*)"$', release, re.MULTILINE)
    return str(name)


def environment(port: int) -> dict[str, str]:
    """Return a new user's environment, with what reaching the registries needs here."""
    outside = {name: value for name, value in os.environ.items() if FROM_OUTSIDE.match(name)}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return outside | {
        "HOME": "/root",
        "PATH": path,
        "LANG": "C.UTF-8",
        "AURICLE_PORT": str(port),
        "AURICLE_URL": f"http://127.0.0.1:{port}",
    }


def try_server(debian: Debian, command: str, url: str, out: Path) -> dict[str, Any]:
    """Serve as README says, look at the page, and start once more."""
    _, clone_s = debian.run("git clone --quiet auricle.git auricle", "/root")
    with serving(debian, command, url) as first:
        pictures = show_page(url, out)
        transcript, story_s = debian.run(STORY)
    with serving(debian, command, url) as second:
        pass
    size, _ = debian.run("du -sm .")
    return {
        "command": command,
        "clone_s": clone_s,
        "ready_s": first.ready_s,
        "steps": first.steps,
        "captions": pictures,
        "live": {"command": STORY, "took_s": story_s, "words": len(transcript.split())},
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
