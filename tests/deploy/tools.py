"""Validators of other people's, in the environment that ``make test-deploy`` makes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ROOT

TOOLS = ROOT / ".cache" / "env" / "deploy" / "bin"
DEPLOY = ROOT / "deploy"

TO_JSON = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"


def tool(name: str) -> str:
    """Return where a tool is; without it the test is skipped."""
    if not (TOOLS.parent / "ready").exists():
        pytest.skip("the validators are not installed: `make test-deploy` does that")
    return str(TOOLS / name)


def accepted(*command: str | Path) -> str:
    """Run a validator that has to be content, and return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def documents(path: Path) -> list[dict[str, Any]]:
    """Return all documents of a YAML file."""
    done = subprocess.run(
        [tool("python"), "-c", TO_JSON], input=path.read_bytes(), capture_output=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
