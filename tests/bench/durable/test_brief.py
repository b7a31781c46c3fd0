"""A brief run of ``python -m bench.durable``."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.lib.report import ROOT
from tests.support.postgres_fixtures import required_programs

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(600)]


def test_costs_are_measured_and_only_open_chunks_are_repeated(tmp_path: Path) -> None:
    required_programs()
    command = [sys.executable, "-m", "bench.durable", "--short", "--only", "acceptance,long_file"]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "durable")], cwd=ROOT, capture_output=True, text=True
    )
    results = json.loads((tmp_path / "durable.json").read_text())
    assert set(results["acceptance"]["accepted_ms"]) == {"SQLite", "PostgreSQL", "yardstick"}
    assert not results["acceptance"]["synchronous"]["database_changed"]
    long_file = results["long_file"]
    assert long_file["is_text_the_same"], ran.stdout + ran.stderr
    assert long_file["repeated_chunks"] <= long_file["open_at_death"]
