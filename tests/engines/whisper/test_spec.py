"""Whisper as the server knows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.engines.registry import BUILT_IN, find_engine
from auricle.engines.whisper.models.bundled import BUNDLED_REVISION
from auricle.engines.whisper.models.files import revision_of
from auricle.engines.whisper.spec import SPEC
from auricle.values.errors import SetupError
from tests.support.model import CACHE_DIR, bundled_model

pytestmark = pytest.mark.unit


def test_what_is_counted_for_a_worker_grows_with_its_model() -> None:
    assert SPEC.memory.worker_mb(145) == 470
    assert SPEC.memory.worker_mb(3087) > 6_000


@pytest.mark.parametrize("name", BUILT_IN)
def test_finding_a_built_in_engine_imports_no_speech_library(name: str) -> None:
    code = (
        "import sys; from auricle.engines.registry import find_engine;"
        f"find_engine({name!r});"
        "print([m for m in ('faster_whisper', 'ctranslate2', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_short_window_engine_decodes_batches() -> None:
    assert find_engine("whisper").batches.max_jobs > 1
    assert find_engine("faster-whisper").batches.max_jobs == 1
    assert find_engine("faster-whisper").name == SPEC.name  # clients see the same model


@pytest.mark.model
def test_the_bundled_model_has_a_name_and_a_revision() -> None:
    model = SPEC.models.find(ModelSettings(cache_dir=CACHE_DIR))
    assert (model.path, model.name) == (str(bundled_model()), "whisper-base")
    assert (round(model.size_mb), model.revision) == (145, BUNDLED_REVISION)


def test_a_model_of_the_hub_is_identified_by_its_commit(tmp_path: Path) -> None:
    commit = "0" * 40
    path = tmp_path / "models--an--organisation" / "snapshots" / commit
    assert revision_of(str(path)) == commit
    assert revision_of(str(tmp_path)) == ""


def test_a_model_that_is_not_known_has_no_status() -> None:
    with pytest.raises(SetupError, match="auricle models"):
        SPEC.models.status(ModelSettings(model="basse"))


@pytest.mark.parametrize(
    "name",
    [
        *("whisper-1", "whisper", "tiny", "base.en", "large-v3", "turbo", "distil-large-v3.5"),
        *("openai/whisper-large-v3-turbo", "Systran/faster-whisper-small.en", "ggml-base"),
        *("deepdml/faster-whisper-large-v3-turbo-ct2", "distil-whisper/distil-large-v3.5-ct2"),
        *("mlx-community/whisper-large-v3-mlx", "distil-whisper-large-v3-en"),
    ],
)
def test_names_of_whisper(name: str) -> None:
    assert SPEC.is_model_name(name)


@pytest.mark.parametrize("name", ["", "gpt-4o", "nova-3", "whisper-x", "en", "1", "v3", "whisper/"])
def test_names_of_others(name: str) -> None:
    assert not SPEC.is_model_name(name)


def test_an_english_model_has_one_language() -> None:
    assert SPEC.parse_languages("base.en") == {"en"}
    assert SPEC.parse_languages("base") == SPEC.languages
