"""The files of a model's directory, checked without loading the model."""

from pathlib import Path
from struct import pack

import pytest

from auricle.engines.whisper.models.files import (
    REQUIRED_FILES,
    check_model_directory,
    display_name,
    model_mb,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def model_bin(name: bytes = b"WhisperSpec\0") -> bytes:
    return pack("<IH", 6, len(name)) + name + bytes(100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (*REQUIRED_FILES, "vocabulary.json"):
        (tmp_path / name).write_bytes(model_bin())
    return tmp_path


def test_a_complete_directory_is_accepted(folder: Path) -> None:
    check_model_directory(folder)
    (folder / "vocabulary.json").rename(folder / "vocabulary.txt")
    check_model_directory(folder)


@pytest.mark.parametrize("name", [*REQUIRED_FILES, "vocabulary.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SetupError, match=f"has no {name}.*ct2-transformers-converter"):
        check_model_directory(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\3\4", model_bin(b"TransformerSpec\0"), pack("<IH", 6, 65_535) + b"a" * 300],
    ids=["empty", "short", "another model", "a long name"],
)
def test_another_format_is_rejected(folder: Path, content: bytes) -> None:
    (folder / "model.bin").write_bytes(content)
    with pytest.raises(SetupError, match="not a Whisper model"):
        check_model_directory(folder)


def test_the_size_is_that_of_the_file(folder: Path, tmp_path: Path) -> None:
    (folder / "model.bin").write_bytes(bytes(3_000_000))
    assert model_mb(str(folder)) == 3.0
    assert model_mb(str(tmp_path / "missing")) > 0


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("base", "base"),
        ("/models/mine", "mine"),
        (
            "/cache/models--Systran--faster-whisper-tiny/snapshots/abc",
            "Systran/faster-whisper-tiny",
        ),
        ("Systran/faster-whisper-tiny", "Systran/faster-whisper-tiny"),
    ],
)
def test_display_names(model: str, name: str) -> None:
    assert display_name(model) == name
