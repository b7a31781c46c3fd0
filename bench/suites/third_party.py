"""The code of other projects: unmodified, in separate environments, run as programs.

A suite that no package index has is a checkout in ``.cache/suites``, at the commit that its module
names. A program of ``programs/`` imports it, in an environment with the packages that this needs,
which ``make suites`` makes from ``requirements/suite-NAME.txt``.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.lib.report import ROOT

CHECKOUTS = ROOT / ".cache" / "suites"
ENVIRONMENTS = ROOT / ".cache" / "env"
PROGRAMS = Path(__file__).parent / "programs"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkout:
    """The sources of a suite.

    Attributes:
        repository: ``owner/name`` on GitHub.
        commit: The commit that is measured.
        used: The path of what is imported, in it.
    """

    repository: str
    commit: str
    used: str

    @property
    def folder(self) -> Path:
        """Where it is."""
        return CHECKOUTS / self.repository.partition("/")[2]

    def require(self) -> Path:
        """Return its folder.

        Raises:
            SystemExit: It is not there, has another commit, or what is imported has changes.
        """
        git = ("git", "-C", str(self.folder))
        commands = (
            f"git clone https://github.com/{self.repository} {self.folder} && "
            f"git -C {self.folder} checkout {self.commit}"
        )
        if not self.folder.is_dir():
            raise SystemExit(f"{self.repository} is missing. Run: {commands}")
        commit = printed(*git, "rev-parse", "HEAD")
        if commit != self.commit:
            raise SystemExit(f"{self.folder} is at {commit}, not {self.commit}")
        if changes := printed(*git, "status", "--porcelain", "--", self.used):
            raise SystemExit(f"{self.folder} has changes: {changes}")
        return self.folder

    def figures(self) -> Json:
        """Return what a report says of it."""
        return {"repository": f"https://github.com/{self.repository}", "commit": self.commit}


def environment(name: str) -> Path:
    """Return the folder of an environment.

    Raises:
        SystemExit: It is not there.
    """
    folder = ENVIRONMENTS / name
    if not (folder / "ready").exists():
        raise SystemExit(f"{folder} is missing. Run: make {folder.relative_to(ROOT)}/ready")
    return folder


def version(name: str, package: str) -> str:
    """Return the version of a package in an environment."""
    code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    return printed(str(environment(name) / "bin" / "python"), "-c", code, package)


def run_program(name: str, environment_name: str, imports: Path, request: Json) -> Json:
    """Run a program of ``programs/`` and return its answer.

    Args:
        name: The program.
        environment_name: Where it runs.
        imports: Folder from which it imports the suite.
        request: What it reads, as JSON.
    """
    done = subprocess.run(
        [environment(environment_name) / "bin" / "python", "-P", PROGRAMS / f"{name}.py"],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(imports), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    answer: Json = json.loads(done.stdout.splitlines()[-1])
    return answer


def printed(*command: str) -> str:
    """Return what a command prints, without blanks around it."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
