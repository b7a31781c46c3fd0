"""Files of the model: found without importing their package, and checked before use."""

import os
import sys
import tomllib
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from auricle.engines.catalogue import PinnedFile
from auricle.engines.moonshine import model_files
from auricle.engines.moonshine.model_files import (
    NAME,
    PACKAGE,
    REQUIREMENT,
    check_file,
    find_directory,
)
from auricle.values.errors import SetupError
from tests.support.command import ROOT

pytestmark = pytest.mark.unit

NO_CACHE = Path("/no/such/directory")
CONTENT = {name: name.encode() * 100 for name in ("encoder", "decoder", "tokenizer")}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> tuple[PinnedFile, ...]:
    """Expect small files instead of the model's."""
    small = tuple(
        PinnedFile(name, len(content), sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )
    monkeypatch.setattr(model_files, "FILES", small)
    return small


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "tiny-en"
    directory.mkdir()
    for name, content in CONTENT.items():
        (directory / name).write_bytes(content)
    return directory


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package of the same name that must not be imported; return its directory."""
    package = tmp_path / "site" / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(package.parent))
    return package


@pytest.mark.usefixtures("files")
def test_a_directory_with_the_files_is_a_model(directory: Path) -> None:
    assert find_directory(str(directory), NO_CACHE) == directory


@pytest.mark.usefixtures("files")
def test_a_relative_path_becomes_absolute(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory.parent)
    assert find_directory("./tiny-en", NO_CACHE) == directory


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("model", [None, NAME, "tiny-en"])
def test_the_package_is_found_but_not_imported(
    model: str | None, directory: Path, package: Path
) -> None:
    (package / "assets").mkdir()
    directory.rename(package / "assets" / "tiny-en")
    assert find_directory(model, NO_CACHE) == package / "assets" / "tiny-en"
    assert PACKAGE not in sys.modules


def test_without_the_package_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_files, "packaged_directory", lambda: None)
    with pytest.raises(
        SetupError,
        match=f"Run: auricle models pull moonshine:tiny-en, or: pip install {REQUIREMENT}",
    ):
        find_directory(None, NO_CACHE)


@pytest.mark.usefixtures("package")
def test_a_package_without_files_is_reported() -> None:
    with pytest.raises(SetupError, match="No such file.*--force-reinstall"):
        find_directory(None, NO_CACHE)


def test_an_unknown_name_is_reported() -> None:
    with pytest.raises(
        SetupError, match="no Moonshine model 'base-en'. Set AURICLE_MODEL to tiny-en"
    ):
        find_directory("base-en", NO_CACHE)


@pytest.mark.parametrize("name", CONTENT)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "bytes, not"),
        (b"short", "bytes, not"),
        (b"x", "SHA-256"),
    ],
    ids=["missing", "empty", "truncated", "changed"],
)
def test_other_files_are_rejected(
    name: str,
    content: bytes | None,
    reason: str,
    directory: Path,
    files: tuple[PinnedFile, ...],
) -> None:
    (directory / name).unlink()
    if content is not None:
        size = len(CONTENT[name]) if content == b"x" else 0
        (directory / name).write_bytes(content.ljust(size, b"x"))
    with pytest.raises(SetupError, match=rf"{name} .*{reason}.*auricle models pull"):
        find_directory(str(directory), NO_CACHE)


def test_a_pipe_is_not_opened(directory: Path, files: tuple[PinnedFile, ...]) -> None:
    (directory / "decoder").unlink()
    os.mkfifo(directory / "decoder")
    with pytest.raises(SetupError, match="bytes, not"):
        find_directory(str(directory), NO_CACHE)


def test_a_large_file_is_not_read(directory: Path, files: tuple[PinnedFile, ...]) -> None:
    with (directory / "decoder").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(SetupError, match="bytes, not"):
        find_directory(str(directory), NO_CACHE)


def test_a_directory_in_place_of_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    size = (tmp_path / "file").stat().st_size
    with pytest.raises(SetupError, match="Is a directory"):
        check_file(tmp_path, replace(model_files.VOCABULARY, name="file", size_bytes=size))


def test_the_message_names_the_package_that_the_extra_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["moonshine"] == [REQUIREMENT]
