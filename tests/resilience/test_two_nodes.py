"""Every word, once, while nodes, gateways and the head fail: ``make chaos-cluster`` in short."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.lib.report import ROOT
from tests.resilience.cluster import namespace

pytestmark = [pytest.mark.ray, pytest.mark.timeout(500)]

BRIEF = ("node", "head")
FAULTS = ("replica", "node", "stopped", "gateway", "head")
"""Each of them; what fails in a node alone is also tried in ``tests/cluster/ray``."""
LONGEST_DELAY_S = 60.0
"""A machine that others use as well takes long to start Ray; what counts is that the word comes."""


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray isn't installed: make test-cluster"
)
@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(BRIEF, id="a node and the head"),
        pytest.param(FAULTS, id="all", marks=pytest.mark.slow),
    ],
)
def test_every_word_comes_once_whatever_fails(tmp_path: Path, faults: tuple[str, ...]) -> None:
    if why := namespace.refusal():
        pytest.skip(f"no network namespace can be made here: {why}")
    program = ["-m", "tests.resilience.cluster", "--form", "scripted", "--seconds", "14"]
    program += ["--only", ",".join(faults)]
    done = subprocess.run(
        [sys.executable, *program, "--out", str(tmp_path / "found")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["whole"] == dict.fromkeys(("calm", *faults), True)
    for name, figures in found["scenarios"].items():
        assert figures["finals"] >= 6
        assert figures["delay_max_s"] < LONGEST_DELAY_S, name
    if "gateway" in faults:
        assert found["scenarios"]["gateway"]["reconnects"] >= 2
