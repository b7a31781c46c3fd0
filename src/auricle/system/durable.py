"""Writes to the file system that survive a power failure, and locks that end with a process."""

import importlib
import os
from pathlib import Path
from typing import BinaryIO


def try_lock(path: Path) -> BinaryIO | None:
    """Return the locked file, which is created if necessary; ``None`` if a process has locked it.

    Raises:
        OSError: It can't be opened.
    """
    file = os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab")
    try:
        try:
            fcntl = importlib.import_module("fcntl")
        except ModuleNotFoundError:  # Windows
            msvcrt = importlib.import_module("msvcrt")
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def sync_directory(path: Path) -> None:
    """Make renames and deletions in a directory durable."""
    if os.name == "nt":  # directories can't be opened; NTFS journals renames itself
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
