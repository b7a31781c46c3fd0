"""Writes to the file system that survive a power failure."""

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Make renames and deletions in a directory durable."""
    if os.name == "nt":  # directories can't be opened; NTFS journals renames itself
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
