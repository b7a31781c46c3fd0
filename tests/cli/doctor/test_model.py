"""``auricle doctor --model``: real workers with real, made and dying models."""

import subprocess
from pathlib import Path

import pytest

from tests.support.command import completed, environment
from tests.support.moonshine import moonshine_directory
from tests.support.sherpa_models import MAKERS

pytestmark = pytest.mark.process

DYING = "tests.support.dying_engine"


def doctor(folder: Path, name: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return completed("doctor", "--model", name, environ=environment(folder, **settings))


@pytest.mark.model
def test_a_good_model_is_usable(tmp_path: Path) -> None:
    done = doctor(tmp_path, f"moonshine:{moonshine_directory()}")
    assert done.returncode == 0
    model, abilities, speech, *_ = done.stdout.splitlines()  # advice follows on a busy machine
    assert "moonshine-tiny-en, Moonshine: loaded in" in model
    assert "language en; no word times; no hot words" in abilities
    errors = float(speech.split()[2].rstrip("%"))
    assert speech.split()[0] in ("ok", "warning")
    assert errors < 10
    assert "of processing per second of speech" in speech
    assert done.stderr == ""


def test_a_name_of_the_server_s_table(tmp_path: Path) -> None:
    model = MAKERS["sense-voice"](tmp_path / "sense-voice")
    models = f"first={DYING}, other=sherpa:{model}"
    done = doctor(tmp_path, "other", models=models, engine="", sandbox_folders=tmp_path)
    assert "sense-voice, sherpa-onnx (SenseVoice): loaded in" in done.stdout
    assert "5 languages: en, ja, ko, yue, zh; word times" in done.stdout


def test_text_that_was_not_said_makes_a_model_unusable(tmp_path: Path) -> None:
    model = MAKERS["zipformer-en"](tmp_path / "zipformer-en")
    done = doctor(tmp_path, f"sherpa:{model}")
    assert done.returncode == 1
    assert "wrong    speech" in done.stdout
    assert "words with times" in done.stdout
    assert "The files may be of different models" in done.stdout


def test_errors_of_other_languages_are_not_measured(tmp_path: Path) -> None:
    model = MAKERS["zipformer-en"](tmp_path / "zipformer-fr")
    done = doctor(tmp_path, f"sherpa:{model}")
    assert done.returncode == 0
    assert "word errors are not measured, as the clip is in English" in done.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nix", "no such model"),
        ("no.such.engine:x", "Engine 'no.such.engine' not found"),
        ("sherpa:/no/such/folder", "/no/such/folder does not exist"),
        ("sherpa:", "The engine sherpa has no default model"),
    ],
)
def test_a_model_that_is_not_there(tmp_path: Path, name: str, text: str) -> None:
    done = doctor(tmp_path, name)
    assert done.returncode == 1
    assert f"wrong    model     {name} can't be used" in done.stdout
    assert text in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("death", "finding", "how"),
    [
        ("load-exit", "model     it can't be loaded", "with the exit code 255"),
        ("load-signal", "model     it can't be loaded", "by the signal SIGKILL"),
        ("job-signal", "speech    it can't transcribe", "by the signal SIGKILL"),
    ],
)
def test_a_library_that_ends_the_process_is_named(
    tmp_path: Path, death: str, finding: str, how: str
) -> None:
    done = doctor(tmp_path, f"{DYING}:{death}")
    assert done.returncode == 1
    assert f"wrong    {finding}" in done.stdout
    assert f"The model's library ended the worker {how}." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_model_that_python_rejects_in_the_worker(tmp_path: Path) -> None:
    model = MAKERS["zipformer-en"](tmp_path / "zipformer-en")
    content = (model / "encoder-epoch-99-avg-1.onnx").read_bytes()
    broken = content.replace(b"MatMul", b"MutMal")
    (model / "encoder-epoch-99-avg-1.onnx").write_bytes(broken)
    done = doctor(tmp_path, f"sherpa:{model}")
    assert done.returncode == 1
    assert "wrong    model     it can't be loaded" in done.stdout
    assert "MutMal" in done.stdout
