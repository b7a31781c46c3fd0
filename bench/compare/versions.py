"""Versions of Auricle that are compared: this working tree, and commits in other environments."""

import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.lib.report import ROOT
from bench.lib.service import Server, running

FOLDER = ROOT / ".cache" / "compare"
MODELS = FOLDER / "models"
LOCK = "requirements.lock"
"""What ``make run`` installs."""
DEVELOPMENT_LOCK = "requirements-dev.lock"
"""The same, and what PostgreSQL needs."""
ROOM_S = 600.0
"""Queue, in seconds of audio, that admits every stream of a comparison."""
THIS = "this"


@dataclass(frozen=True, slots=True)
class Version:
    """A version of Auricle.

    Attributes:
        name: Short commit, or :data:`THIS`.
        root: Its checkout.
        python: The interpreter of its environment.
    """

    name: str
    root: Path
    python: Path

    @contextmanager
    def running(self) -> Iterator[Server]:
        """Run its server with default settings, but with room for all streams."""
        with running(
            environment={"PYTHONPATH": str(self.root / "src")},  # not the caller's
            checkout=(self.root, self.python),
            cache_dir=MODELS,
            queue_audio_s=ROOM_S,
            queue_jobs=10_000,
            key_share=1,
            max_sessions=1000,
            live_speakers=1000,
            max_sessions_per_address=0,
        ) as server:
            yield server


def this_version() -> Version:
    """Return the working tree, in the environment of this process."""
    return Version(THIS, ROOT, Path(sys.executable))


def set_up(ref: str, lock: str = LOCK) -> Version:
    """Check out a commit and install what its lock pins; quick if that was done before.

    Args:
        ref: The commit.
        lock: One of its lock files.

    Raises:
        SystemExit: There is no such commit, or its packages cannot be installed.
    """
    commit = _git("rev-parse", "--short=8", f"{ref}^{{commit}}").decode().strip()
    root = FOLDER / commit
    if not (root / LOCK).is_file():
        print(f"setting up {commit}", flush=True)
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as files:
            files.extractall(root, filter="data")
    environment = os.environ | {"VENV": ".venv", "PYTHON": sys.executable}
    made = subprocess.run(["scripts/setup-venv", lock], cwd=root, env=environment, check=False)
    if made.returncode:
        raise SystemExit(f"the environment of {commit} cannot be created")
    return Version(commit, root, root / ".venv" / "bin" / "python")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout
