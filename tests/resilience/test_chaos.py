"""A brief run of ``make chaos``: each class of fault once, every kind of client."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.wall_clock, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def test_no_word_is_lost_while_everything_fails_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.resilience.chaos", "--minutes", "0.25", "--seed", "4"]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "chaos")], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads((tmp_path / "chaos.json").read_text())
    assert all(told["held"].values())
    assert told["faults"] + len(told["not_tried"]) >= 10
    assert told["faults_by_kind"]["worker killed"], "no worker was found to kill"
    assert all(one["done"] + one["disconnected"] for one in told["clients"].values())
