"""A brief run of ``make durable``: every process killed while jobs and live streams run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.lib.report import ROOT
from tests.support.postgres_fixtures import required_programs

pytestmark = [pytest.mark.slow, pytest.mark.process, pytest.mark.timeout(900)]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_all_that_was_accepted_is_kept_while_every_process_is_killed(
    database: str, tmp_path: Path
) -> None:
    if database == "postgres":
        required_programs()
    options = ["--minutes", "0.6", "--jobs", "20", "--streams", "2", "--every", "5"]
    command = [sys.executable, "-m", "tests.resilience.durable", "--database", database, *options]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "durable")], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    results = json.loads((tmp_path / "durable.json").read_text())
    assert all(results["held"].values())
    kinds = {"gateway", "PostgreSQL"} if database == "postgres" else {"gateway"}
    assert kinds <= set(results["kills"])
    assert results["jobs"]["accepted"] == 20
    assert results["kept"]["received"] >= 4
