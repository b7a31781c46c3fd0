"""Checks the free space before a download, and explains a full disk."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from auricle.values.errors import SetupError

OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SPARE_BYTES = 50 * 10**6
"""Left free on the disk."""


def check_room(directory: Path, needed_bytes: int) -> None:
    """Check that a download fits.

    Raises:
        SetupError: It does not; the message states both sizes.
    """
    free_bytes = shutil.disk_usage(directory).free
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise _full(directory, needed_bytes + SPARE_BYTES, free_bytes)


@contextlib.contextmanager
def writing(path: Path, needed_bytes: int | None) -> Iterator[None]:
    """Turn the errors of writes to a file into messages for the operator.

    Raises:
        SetupError: The disk is full or the file can't be written.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in OUT_OF_SPACE:
            free_bytes = shutil.disk_usage(path.parent).free
            raise _full(path.parent, needed_bytes, free_bytes, exc.errno) from exc
        raise SetupError(
            f"{path} can't be written: {exc.strerror or exc}. "
            "Set AURICLE_CACHE_DIR to a writable directory."
        ) from exc


def _full(
    directory: Path, needed_bytes: int | None, free_bytes: int, reason: int = errno.ENOSPC
) -> SetupError:
    needed = "" if needed_bytes is None else f"{needed_bytes / 1e6:.0f} MB more are needed and "
    limit = {
        errno.EDQUOT: "The disk quota is used up",
        errno.EFBIG: "The file is larger than this process or file system allows",
    }.get(reason, "The disk is full")
    return SetupError(
        f"{limit}: {needed}{free_bytes / 1e6:.0f} MB are free in {directory}. Free some space, or "
        "set AURICLE_CACHE_DIR to a directory on another disk. A new pull continues where this one "
        "stopped."
    )
