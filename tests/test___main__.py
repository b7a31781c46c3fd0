"""``python -m auricle`` runs the command line."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process


def test_the_module_runs_the_command_line() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "auricle", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("auricle ")
