"""Uploads on disk: a directory for the life of one server, a file for the life of one request.

A server that was killed leaves its directory behind. The next one removes it: each holds a lock on
a file in its own directory, which ends with the process however that ends. (Where there is no
``fcntl`` nothing is removed.)
"""

import contextlib
import errno
import importlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import anyio
from anyio import to_thread

from auricle.errors import Overloaded, SetupError

BUFFER_BYTES = 2**20
"""Written to disk at once: in a thread, so that a slow disk stops nobody else."""

DISK_FULL_RETRY_S = 30

_PREFIX = "auricle-spool-"
_LOCK = "lock"


class SpoolFile:
    """One upload; made by :meth:`SpoolDirectory.file`, which also removes it."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = file
        self._buffer = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append some bytes.

        Raises:
            Overloaded: The disk is full.
        """
        self._buffer += chunk
        self.size_bytes += len(chunk)
        if len(self._buffer) >= BUFFER_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Hand all that was written to the system, so that others see it.

        Raises:
            Overloaded: The disk is full.
        """
        buffer, self._buffer = self._buffer, bytearray()
        try:
            await to_thread.run_sync(_write_all, self._file, buffer)
        except OSError as error:
            raise _spool_error(error) from error

    async def read(self, max_bytes: int = -1) -> bytes:
        """Return the first bytes of what was flushed, or all of it.

        The file isn't opened once more: there may be no descriptor left.
        """
        return await to_thread.run_sync(_read_start, self._file, max_bytes)


def _write_all(file: BinaryIO, buffer: bytearray) -> None:
    view = memoryview(buffer)
    while view:
        view = view[file.write(view) :]


def _read_start(file: BinaryIO, max_bytes: int) -> bytes:
    file.seek(0)
    try:
        return file.read(max_bytes)
    finally:
        file.seek(0, os.SEEK_END)


def _spool_error(error: OSError) -> Overloaded:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Overloaded("The server's disk is full; try again later.", DISK_FULL_RETRY_S)
    return Overloaded("The server can't store the upload; try again later.", DISK_FULL_RETRY_S)


class SpoolDirectory:
    """Where one server keeps its uploads, readable by its own user only."""

    def __init__(self, path: Path, lock: BinaryIO) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, parent: Path | None) -> "SpoolDirectory":
        """Make a directory, and remove those of servers that were killed.

        Raises:
            SetupError: No file can be written there.
        """
        parent = parent or Path(tempfile.gettempdir())
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(parent)
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            lock = (path / _LOCK).open("wb", buffering=0)
            _try_lock(lock)
        except OSError as error:
            raise SetupError(
                f"Uploads can't be stored in {parent}: {error.strerror}. Set AURICLE_SPOOL_DIR to "
                "a directory that can be written to."
            ) from error
        return cls(path, lock)

    @contextlib.asynccontextmanager
    async def file(self) -> AsyncIterator[SpoolFile]:
        """Give an empty file that is removed at the end, however that comes.

        Raises:
            Overloaded: The disk is full.
        """
        try:
            path, file = await to_thread.run_sync(_new_file, self.path)
        except OSError as error:
            raise _spool_error(error) from error
        try:
            yield SpoolFile(path, file)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(_discard, path, file)

    def close(self) -> None:
        """Remove the directory and all in it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _new_file(directory: Path) -> tuple[Path, BinaryIO]:
    number, name = tempfile.mkstemp(dir=directory)
    return Path(name), os.fdopen(number, "r+b", buffering=0)


def _discard(path: Path, file: BinaryIO) -> None:
    file.close()
    path.unlink(missing_ok=True)


def _try_lock(file: BinaryIO) -> bool | None:
    """Return whether the lock was free and is ours now; ``None`` where there are no locks."""
    try:
        fcntl = importlib.import_module("fcntl")
    except ModuleNotFoundError:  # Windows
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (path / _LOCK).open("r+b", buffering=0) as lock:
            if _try_lock(lock):
                shutil.rmtree(path, ignore_errors=True)
