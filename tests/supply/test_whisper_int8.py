"""Whisper base with int8 weights: what images for CPUs contain."""

import subprocess
import sys
from pathlib import Path

import pytest

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import Hypothesis
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.models.files import check_model_directory
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.window import MAX_NEW_TOKENS
from auricle.values.types import Task
from tests.support.clips import CLIPS
from tests.support.command import ROOT
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

WRITE = """
import runpy, sys
sys.prefix = sys.argv.pop(1)  # where the image has its packages, and shall have the model
runpy.run_path("supply/whisper_int8.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written as the Dockerfile does it; the program checks the SHA-256 of the weights."""
    prefix = tmp_path_factory.mktemp("int8")
    directory = prefix / "share" / "auricle" / "whisper-base"
    subprocess.run([sys.executable, "-c", WRITE, str(prefix), str(directory)], check=True, cwd=ROOT)
    return directory


def recognised(model: Path) -> tuple[bytes, Hypothesis]:
    backend = load_backend(EngineSettings(str(model), "cpu", "default", 1))
    encoded = backend.encode([backend.features(CLIPS["pair.wav"].pcm)])
    prompt = Prompt((), tuple(backend.tokenizer("en", Task.TRANSCRIBE).sot_sequence))
    [hypothesis] = backend.generate(encoded, [prompt], 5, MAX_NEW_TOKENS)
    return encoded.tobytes(), hypothesis


def test_results_are_equal_to_the_last_bit(directory: Path) -> None:
    assert recognised(directory) == recognised(bundled_model())


def test_the_directory_is_a_model_of_half_the_size_with_its_licence(directory: Path) -> None:
    check_model_directory(directory)
    size_bytes = (directory / "model.bin").stat().st_size
    assert size_bytes < 0.52 * (bundled_model() / "model.bin").stat().st_size
    assert "Copyright (c) 2022 OpenAI" in (directory / "LICENSE").read_text()
