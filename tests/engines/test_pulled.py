"""Pulled models are found by name, and compared with their lock file."""

import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from auricle.engines.catalogue import PinnedFile
from auricle.engines.pulled import (
    LOCK_NAME,
    PulledModel,
    find_pulled,
    is_plain_name,
    is_pulled,
    pulled_directory,
    read_lock,
    remove,
    verify,
)
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

CONTENT = {"model.bin": b"weights", "int8/tokens.txt": b"tokens"}
LOCK = PulledModel(
    "m",
    "ours",
    "a-model",
    "huggingface.co/an/model",
    "a" * 40,
    "MIT",
    True,
    tuple(
        PinnedFile(name, len(content), sha256(content).hexdigest())
        for name, content in CONTENT.items()
    ),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = pulled_directory(tmp_path, "ours", "m")
    for name, content in CONTENT.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    (directory / LOCK_NAME).write_bytes(LOCK.to_json())
    return directory


def test_a_model_is_found_by_its_name(directory: Path, tmp_path: Path) -> None:
    assert find_pulled(tmp_path, "ours", "m") == (directory, LOCK)
    assert is_pulled(tmp_path, "ours", "m")
    assert LOCK.size_bytes == 13
    checked: list[int] = []
    verify(directory, LOCK, checked.append)
    assert checked == [7, 6]


@pytest.mark.parametrize("name", ["other", "", ".", "..", "../ours/m", "/etc", "a/b", "a\\b"])
def test_other_names_are_not_found(directory: Path, tmp_path: Path, name: str) -> None:
    assert find_pulled(tmp_path, "ours", name) is None


def test_a_directory_without_a_lock_file_was_not_pulled(directory: Path, tmp_path: Path) -> None:
    (directory / LOCK_NAME).unlink()
    assert find_pulled(tmp_path, "ours", "m") is None
    assert not is_pulled(tmp_path, "ours", "m")


@pytest.mark.parametrize("change", [b"weight", b"weights!", None])
def test_a_file_of_another_size_is_not_used(
    directory: Path, tmp_path: Path, change: bytes | None
) -> None:
    (directory / "model.bin").unlink()
    if change is not None:
        (directory / "model.bin").write_bytes(change)
    with pytest.raises(SetupError, match=r"model\.bin can't be used.*auricle models pull ours:m"):
        find_pulled(tmp_path, "ours", "m")
    with pytest.raises(SetupError):
        verify(directory, LOCK)


def test_a_changed_file_is_found_by_its_digest(directory: Path, tmp_path: Path) -> None:
    (directory / "model.bin").write_bytes(b"WEIGHTS")
    assert find_pulled(tmp_path, "ours", "m") is not None
    with pytest.raises(SetupError, match="its SHA-256 is"):
        verify(directory, LOCK)


def test_a_directory_in_place_of_a_file_is_reported(directory: Path) -> None:
    (directory / "model.bin").unlink()
    (directory / "model.bin").mkdir()
    size_bytes = (directory / "model.bin").stat().st_size
    file = replace(LOCK.files[0], size_bytes=size_bytes)
    with pytest.raises(SetupError, match="Is a directory"):
        verify(directory, replace(LOCK, files=(file,)))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"files": []},
        {"files": [{"name": "../../etc/passwd", "size_bytes": 1, "sha256": "0"}]},
        {"files": [{"name": "model.bin"}]},
        {"files": None},
        {"unknown": 1},
    ],
)
def test_a_damaged_lock_file_is_reported(directory: Path, changes: dict[str, object]) -> None:
    content = json.loads((directory / LOCK_NAME).read_bytes()) | changes
    (directory / LOCK_NAME).write_text(json.dumps(content))
    with pytest.raises(SetupError, match="is damaged. Remove"):
        read_lock(directory)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b"\xff\xfe"])
def test_what_is_no_lock_file_is_reported(directory: Path, content: bytes) -> None:
    (directory / LOCK_NAME).write_bytes(content)
    with pytest.raises(SetupError, match="is damaged"):
        read_lock(directory)


def test_an_unreadable_lock_file_is_reported(directory: Path) -> None:
    (directory / LOCK_NAME).unlink()
    (directory / LOCK_NAME).mkdir()
    with pytest.raises(SetupError, match="can't be read"):
        read_lock(directory)


def test_a_model_is_removed(directory: Path, tmp_path: Path) -> None:
    remove(directory)
    assert os.listdir(tmp_path / "models" / "ours") == []
    with pytest.raises(SetupError, match="can't be removed"):
        remove(directory)


@pytest.mark.parametrize("name", ["a", "a.b", "a/b.c", "a b", "é"])
def test_names_that_stay_in_a_folder(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["", "/", "/a", "..", "a/../b", "./a", "a/.", "a\\b", "C:a", "a\0", "-x"]
)
def test_names_that_may_not(name: str) -> None:
    assert not is_plain_name(name)
