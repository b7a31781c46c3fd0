from pathlib import Path

import pytest

from auricle.engine.base import EngineSettings
from auricle.engine.whisper.loading import device_for, load_model
from auricle.errors import SetupError

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
        load_model(EngineSettings("mine", "cpu", "default", 1), str(tmp_path))
