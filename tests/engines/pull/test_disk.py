"""A full disk is reported before a download, and while it is written."""

import errno
import os
from pathlib import Path

import pytest

from auricle.engines.pull.disk import check_room, writing
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_what_fits_is_accepted(tmp_path: Path) -> None:
    check_room(tmp_path, 1)


def test_what_does_not_fit_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(
        SetupError, match=r"disk is full: 1000000050 MB more .* MB are free .*AURICLE_CACHE_DIR"
    ):
        check_room(tmp_path, 10**15)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "The disk is full: 5 MB more"),
        (errno.EDQUOT, "The disk quota is used up: 5 MB more"),
        (errno.EFBIG, "The file is larger than"),
        (errno.EROFS, "can't be written: Read-only file system"),
    ],
)
def test_errors_of_writes_say_what_to_do(tmp_path: Path, number: int, text: str) -> None:
    error = pytest.raises(SetupError, match=f"{text}.*AURICLE_CACHE_DIR")
    with error, writing(tmp_path / "file", 5_000_000):
        raise OSError(number, os.strerror(number))
