"""Directories are synchronised, and a missing one is an error."""

from pathlib import Path

import pytest

from auricle.system.durable import sync_directory

pytestmark = pytest.mark.unit


def test_a_directory_is_synchronised(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "old").rename(tmp_path / "new")
    sync_directory(tmp_path)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "missing")
