"""Watch files that may change while the server runs: key file, certificates."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
from anyio import to_thread

CHECK_INTERVAL_S = 1.0
"""Interval between checks of the files, in seconds."""

_OTHERS = stat.S_IRWXO | stat.S_IWGRP


async def watch_files(
    paths: Sequence[Path],
    changed: Callable[[], None],
    *,
    check_interval_s: float = CHECK_INTERVAL_S,
) -> None:
    """Call a function now and whenever one of the files changes; runs until cancelled.

    Args:
        paths: The files; deletion counts as a change.
        changed: Reads the files; called in a thread.
        check_interval_s: Seconds between checks.
    """
    signatures: list[tuple[int, ...]] = []
    while True:
        # Take signatures before reading, so that the next check sees a change made meanwhile.
        current = await to_thread.run_sync(_signatures, paths, abandon_on_cancel=True)
        if current != signatures:
            signatures = current
            await to_thread.run_sync(changed, abandon_on_cancel=True)
        await anyio.sleep(check_interval_s)


def is_open_to_others(path: Path) -> bool:
    """Return whether others have any permission on a file, or its group may write it."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & _OTHERS)
    except OSError:  # deleted meanwhile; the next check reports it
        return False


def _signatures(paths: Sequence[Path]) -> list[tuple[int, ...]]:
    return [_signature(path) for path in paths]


def _signature(path: Path) -> tuple[int, ...]:
    """Return a value that differs once the file has changed."""
    try:
        status = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
