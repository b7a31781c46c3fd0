"""Uploads on disk: a directory for the life of one server, a file for the life of one request.

The directory is locked (flock) as long as its server runs, however that ends. It gets its name only
once it is locked, so a directory of that name without a lock was left by a server that was killed,
and the next server removes it. A directory whose lock can't be tried (no ``fcntl``, some network
file systems, another user's) is never removed. The lock also keeps systemd-tmpfiles away.

Whoever removes the directory while the server runs stops no more than the uploads of that moment:
it is made again. As long as nothing can be stored, the log, ``/health`` and the metrics say so.
"""

import contextlib
import errno
import importlib
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import structlog
from anyio import to_thread

from auricle.errors import Overloaded, SetupError

BUFFER_BYTES = 2**20
"""Written to disk at once: in a thread, so that a slow disk stops nobody else."""

DISK_FULL_RETRY_S = 30

CHECK_EVERY_S = 5.0
CHECK_PREFIX = "check-"
CHECK_BYTES = 4096
"""Written to find out whether uploads can be stored."""

_PREFIX = "auricle-spool-"
_UNLOCKED_PREFIX = ".auricle-new-"
"""What a directory is called before it is locked."""

_log = structlog.get_logger("auricle.server")


class SpoolFile:
    """One upload; made by :meth:`SpoolDirectory.file`, which also removes it."""

    def __init__(self, path: Path, file: BinaryIO, note: Callable[[OSError], None]) -> None:
        """Take a file; ``note`` is called when it can't be written to."""
        self.path = path
        self._note = note
        self.size_bytes = 0
        self._file = file
        self._buffer = bytearray()

    @property
    def readable_path(self) -> str:
        """Where this process can open the file, even if its name has been removed meanwhile."""
        opened = Path(f"/proc/self/fd/{self._file.fileno()}")
        is_named = self.path.exists() or not opened.exists()
        return str(self.path if is_named else opened)

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
            self._note(error)
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

    def __init__(self, path: Path) -> None:
        """Make the directory.

        Raises:
            OSError: It can't be made, or no file can be written there.
        """
        self.path = path
        self.is_failing = False
        """Whether the latest attempt to store something failed."""
        self._making = threading.Lock()
        self._lock: int | None = None
        self._check()

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
            return cls(parent / f"{_PREFIX}{secrets.token_hex(8)}")
        except OSError as error:
            raise SetupError(
                f"Uploads can't be stored in {parent}: {error.strerror}. Set AURICLE_SPOOL_DIR to "
                "a directory that can be written to."
            ) from error

    @contextlib.asynccontextmanager
    async def file(self) -> AsyncIterator[SpoolFile]:
        """Give an empty file that is removed at the end, however that comes.

        Raises:
            Overloaded: Nothing can be stored.
        """
        try:
            path, file = await to_thread.run_sync(self._new_file)
        except OSError as error:
            self._note(error)
            raise _spool_error(error) from error
        try:
            yield SpoolFile(path, file, self._note)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(_discard, path, file)

    async def watch(self) -> None:
        """Try regularly whether uploads can be stored, and make the directory again if need be."""
        while True:
            await anyio.sleep(CHECK_EVERY_S)
            try:
                await to_thread.run_sync(self._check)
            except OSError as error:
                self._note(error)
            else:
                self._note(None)

    def close(self) -> None:
        """Remove the directory and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _note(self, error: OSError | None) -> None:
        """Log when storing begins to fail, and when it works again."""
        if error is not None and not self.is_failing:
            name = errno.errorcode.get(error.errno or 0, "unknown")
            _log.error("uploads_not_stored", path=str(self.path), error=name)
        elif error is None and self.is_failing:
            _log.info("uploads_stored_again", path=str(self.path))
        self.is_failing = error is not None

    def _new_file(self, prefix: str = "") -> tuple[Path, BinaryIO]:
        self._make_if_missing()
        number, name = tempfile.mkstemp(prefix=prefix, dir=self.path)
        return Path(name), os.fdopen(number, "r+b", buffering=0)

    def _check(self) -> None:
        """Store something.

        Raises:
            OSError: It can't be stored.
        """
        path, file = self._new_file(CHECK_PREFIX)
        try:
            _write_all(file, bytearray(CHECK_BYTES))
        finally:
            _discard(path, file)

    def _make_if_missing(self) -> None:
        with self._making:
            if self._is_there():
                return
            if self._lock is not None:
                _log.warning("spool_directory_made_again", path=str(self.path))
            self._unlock()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX, dir=self.path.parent))
            self._lock = _locked(unlocked)
            try:
                unlocked.rename(self.path)
            except OSError:
                self._unlock()
                unlocked.rmdir()
                raise

    def _is_there(self) -> bool:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return False
        if self._lock is not None and not os.path.samestat(found, os.fstat(self._lock)):
            self._unlock()
            self._lock = _locked(self.path)  # somebody made it again
        return True

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _discard(path: Path, file: BinaryIO) -> None:
    file.close()
    path.unlink(missing_ok=True)


def _locked(directory: Path) -> int | None:
    """Lock a directory and return what holds the lock; ``None`` if that can't be done here."""
    try:
        fcntl = importlib.import_module("fcntl")
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ModuleNotFoundError, OSError):  # Windows, or another user's
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        if (lock := _locked(path)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)
