"""Lock files: which package is pinned at which version."""

import json
import re
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


class Pin(NamedTuple):
    """One version of one package; a lock may pin several, for several Pythons or systems."""

    name: str
    version: str


def python_locks() -> list[Path]:
    """Return every lock file for pip, that of the server first."""
    return [
        ROOT / "requirements.lock",
        ROOT / "requirements-dev.lock",
        *sorted(ROOT.glob("requirements/*.txt")),
    ]


def npm_locks() -> list[Path]:
    """Return every lock file for npm, that of the pages first."""
    return [
        ROOT / "web" / "package-lock.json",
        *sorted(ROOT.glob("tests/clients/npm-*/package-lock.json")),
        *sorted(ROOT.glob("bench/npm-*/package-lock.json")),
    ]


def python_pins(lock: Path) -> list[Pin]:
    """Return all pins of a lock for pip, of every system."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return [Pin(canonicalize_name(name), version) for name, version in found]


def npm_pins(lock: Path) -> list[Pin]:
    """Read a lock for npm; the project itself is not among them."""
    packages = json.loads(lock.read_text())["packages"]
    return [
        Pin(path.rpartition("node_modules/")[2], package["version"])
        for path, package in packages.items()
        if path
    ]
