"""Whisper base with int8 weights: what images for CPUs contain."""

from pathlib import Path

import pytest

from auricle.engine.base import EngineSettings
from auricle.engine.whisper.ctranslate2_model import Hypothesis
from auricle.engine.whisper.loading import load_backend
from auricle.engine.whisper.models.files import check_model_directory
from auricle.engine.whisper.prompt import Prompt
from auricle.engine.whisper.window import MAX_NEW_TOKENS
from auricle.types import Task
from supply.whisper_int8 import write
from tests.support.clips import CLIPS
from tests.support.model import bundled_model

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("int8") / "share" / "whisper-base"
    write(directory)  # checks the SHA-256 of the weights
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
