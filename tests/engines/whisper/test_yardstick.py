"""The program that times faster-whisper."""

import subprocess
import sys

import pytest

from tests.support.clips import CLIPS
from tests.support.model import bundled_model

pytestmark = [pytest.mark.model, pytest.mark.process]


def test_it_prints_the_time_of_the_fastest_round() -> None:
    samples = CLIPS["short.wav"].pcm.astype("<i2").tobytes()
    program = [sys.executable, "-m", "auricle.engines.whisper.yardstick", str(bundled_model()), "2"]
    done = subprocess.run(program, input=samples, capture_output=True, check=True)
    assert float(done.stdout) > 0
