"""Third-party clients: unmodified, each in a separate environment, run as programs.

``make test-clients`` makes the environments: for Python from ``requirements/client-NAME.txt``, for
Node from ``npm-NAME/package-lock.json``. A program is a snippet of ``docs/clients`` or a file of
``programs/``; what it prints last is often JSON.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.command import LIMIT_S, ROOT

ENVIRONMENTS = ROOT / ".cache" / "env"
PROGRAMS = ROOT / "tests" / "clients" / "programs"
PAGES = ROOT / "docs" / "clients"


@dataclass(frozen=True)
class Client:
    """One environment: ``client-openai`` is for Python, ``npm-openai`` for Node."""

    name: str

    @property
    def is_node(self) -> bool:
        return self.name.startswith("npm-")

    @property
    def folder(self) -> Path:
        found = ENVIRONMENTS / self.name
        assert (found / "ready").exists(), f"{found} is not there: run `make test-clients`"
        return found

    def version(self, package: str) -> str:
        """Return the version that a package is pinned to."""
        if self.is_node:
            path = ROOT / "tests" / "clients" / self.name / "package-lock.json"
            lock = json.loads(path.read_text())
            return str(lock["packages"][f"node_modules/{package}"]["version"])
        pins = (ROOT / "requirements" / f"{self.name}.txt").read_text()
        found = re.search(rf"^{re.escape(package)}==(\S+)", pins, re.MULTILINE)
        assert found, package
        return found[1]

    @contextmanager
    def start(self, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start a program, in the repository's folder; it is killed at the end."""
        ending = ".mjs" if self.is_node else ".py"
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:  # Node looks next to the file
            path = Path(folder) / f"program{ending}"
            path.write_text(program)
            runner = ["node"] if self.is_node else [str(self.folder / "bin" / "python"), "-I"]
            with subprocess.Popen(
                [*runner, str(path), *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                try:
                    yield process
                finally:
                    process.kill()

    def run(self, program: str, *arguments: str) -> str:
        """Run a program to its end and return what it printed; it must succeed."""
        with self.start(program, *arguments) as process:
            return printed(process)


def until_ready(process: subprocess.Popen[str]) -> None:
    """Wait until a program has imported its client, and says so."""
    assert process.stdout
    line = process.stdout.readline()
    assert line == "ready\n", line + printed(process)


def printed(process: subprocess.Popen[str]) -> str:
    """Wait for a program's good end and return what it printed."""
    stdout, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, stdout + stderr
    return stdout


def program(name: str) -> str:
    """Return a file of ``programs/``."""
    return (PROGRAMS / name).read_text()


def snippet(page: str, heading: str, kind: str) -> str:
    """Return the first block of a kind (``python``, ``js``, ``sh``) below a page's heading."""
    part = (PAGES / page).read_text().split(f"# {heading}\n", 1)[1]
    found = re.search(rf"```{kind}\n(.*?)```", part, re.DOTALL)
    assert found, heading
    return found[1]
