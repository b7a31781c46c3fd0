"""Files that may change while the server runs: keys, certificates."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
from anyio import to_thread

CHECK_INTERVAL_S = 1.0
"""How often files are looked at."""

_OTHERS = stat.S_IRWXO | stat.S_IWGRP


async def watch_files(
    paths: Sequence[Path],
    changed: Callable[[], None],
    *,
    check_interval_s: float = CHECK_INTERVAL_S,
) -> None:
    """Call something now, and whenever one of some files is another; runs until it is cancelled.

    Args:
        paths: The files; one that is gone is another, too.
        changed: Reads them; called in a thread.
        check_interval_s: Seconds between two looks.
    """
    seen: list[tuple[int, ...]] = []
    while True:
        # Before they are read: what changes meanwhile is seen at the next look.
        now = await to_thread.run_sync(_signatures, paths, abandon_on_cancel=True)
        if now != seen:
            seen = now
            await to_thread.run_sync(changed, abandon_on_cancel=True)
        await anyio.sleep(check_interval_s)


def is_open_to_others(path: Path) -> bool:
    """Return whether others may do anything with a file, or its group may write it."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)
    except OSError:  # gone meanwhile: the next look tells
        return False


def _signatures(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    return [_signature(path) for path in paths]


def _signature(path: Path) -> tuple[int, ...]:
    """Return what is another once the file is."""
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_mode, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
