import subprocess
import sys
from pathlib import Path

import pytest

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import device_for, load_backend
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("requested", "gpus", "expected"),
    [("cpu", 1, "cpu"), ("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cuda", 2, "cuda")],
)
def test_auto_takes_a_gpu_if_there_is_one(requested: str, gpus: int, expected: str) -> None:
    assert device_for(requested, gpus) == expected


def test_a_gpu_that_is_not_there_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(SetupError, match="AURICLE_DEVICE=cpu"):
        device_for("cuda", 0)


def test_a_directory_without_a_model_is_the_operators_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="can't be loaded on cpu"):
        load_backend(EngineSettings(str(tmp_path), "cpu", "default", 1))


def test_a_worker_does_not_import_what_it_does_not_use() -> None:
    code = (
        "import sys; from auricle.engines.registry import find_factory; find_factory('whisper');"
        "import auricle.workers.kinds.asr.child, auricle.engines.whisper.short_window;"
        "print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True
    )
    imported = set(answer.stdout.split())
    assert "ctranslate2" in imported
    unused = {"faster_whisper", "av", "onnxruntime", "huggingface_hub", "pydantic"}
    assert not imported & unused
