"""Uploads on disk: one directory per server process, one file per request.

The server holds a lock (flock) on its directory, which the kernel releases however the server ends.
The directory gets its final name only once it is locked. So an unlocked directory of that name was
left by a server that was killed, and the next server removes it. A directory whose lock can't be
tested (no ``fcntl``, some network file systems, another user's) is never removed. The lock also
keeps systemd-tmpfiles from cleaning it up.

If the directory is deleted while the server runs, only uploads in progress fail: it is created
again. While uploads can't be stored, the log, ``/health`` and the metrics report it.
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

from auricle.values.errors import LedgerFull, Overloaded, SetupError

BUFFER_BYTES = 2**20
"""Bytes per write, which is made in a thread so that a slow disk doesn't block other requests."""

DISK_FULL_RETRY_S = 30

CHECK_EVERY_S = 5.0
CHECK_PREFIX = "check-"
CHECK_BYTES = 4096
"""Bytes written to test whether uploads can be stored."""

_PREFIX = "auricle-spool-"
_UNLOCKED_PREFIX = ".auricle-new-"
"""Name prefix of a directory before it is locked."""

_log = structlog.get_logger("auricle.server")


class SpoolFile:
    """The file of one upload; created and removed by :meth:`SpoolDirectory.file`."""

    def __init__(self, path: Path, file: BinaryIO, note: Callable[[OSError], None]) -> None:
        """Wrap an open file; ``note`` is called with errors of writes."""
        self.path = path
        self._note = note
        self.size_bytes = 0
        self._file = file
        self._buffer = bytearray()

    @property
    def readable_path(self) -> str:
        """Path by which this process can open the file, even if it has been unlinked."""
        opened = Path(f"/proc/self/fd/{self._file.fileno()}")
        is_named = self.path.exists() or not opened.exists()
        return str(self.path if is_named else opened)

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            LedgerFull: The disk is full.
            Overloaded: The file can't be written.
        """
        self._buffer += chunk
        self.size_bytes += len(chunk)
        if len(self._buffer) >= BUFFER_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Write buffered bytes to the file, so that other processes see them.

        Raises:
            LedgerFull: The disk is full.
            Overloaded: The file can't be written.
        """
        buffer, self._buffer = self._buffer, bytearray()
        try:
            await to_thread.run_sync(_write_all, self._file, buffer)
        except OSError as error:
            self._note(error)
            raise _spool_error(error) from error

    async def read(self, max_bytes: int = -1) -> bytes:
        """Return the first ``max_bytes`` of the flushed data, or all of it.

        The open descriptor is reused, as there may be none left.
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
        return LedgerFull("The server's disk is full; try again later.", DISK_FULL_RETRY_S)
    return Overloaded("The server can't store the upload; try again later.", DISK_FULL_RETRY_S)


class SpoolDirectory:
    """The directory for one server's uploads, readable by the server's user only."""

    def __init__(self, path: Path) -> None:
        """Create the directory.

        Raises:
            OSError: It can't be created, or no file can be written there.
        """
        self.path = path
        self.is_failing = False
        """Whether the latest write failed."""
        self._making = threading.Lock()
        self._lock: int | None = None
        self._check()

    @classmethod
    def open(cls, parent: Path) -> "SpoolDirectory":
        """Create a directory below ``parent``, and remove those left by killed servers.

        Raises:
            SetupError: No file can be written there.
        """
        try:
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _remove_abandoned(parent)
            return cls(parent / f"{_PREFIX}{secrets.token_hex(8)}")
        except OSError as error:
            raise SetupError(
                f"Uploads can't be stored in {parent}: {error.strerror}. Set AURICLE_SPOOL_DIR to "
                "a writable directory."
            ) from error

    @contextlib.asynccontextmanager
    async def file(self) -> AsyncIterator[SpoolFile]:
        """Create an empty file, removed when the context exits.

        Raises:
            LedgerFull: The disk is full.
            Overloaded: The file can't be created.
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
        """Test periodically that uploads can be stored; create the directory again if necessary."""
        while True:
            await anyio.sleep(CHECK_EVERY_S)
            try:
                await to_thread.run_sync(self._check)
            except OSError as error:
                self._note(error)
            else:
                self._note(None)

    def close(self) -> None:
        """Remove the directory and its contents."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._unlock()

    def _note(self, error: OSError | None) -> None:
        """Log when writes start to fail, and when they succeed again."""
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
        """Write and remove a test file.

        Raises:
            OSError: The file can't be written.
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
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
            status = self.path.stat()
        except FileNotFoundError:
            return False
        if self._lock is not None and not os.path.samestat(status, os.fstat(self._lock)):
            self._unlock()
            self._lock = _locked(self.path)  # created again by another process
        return True

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _discard(path: Path, file: BinaryIO) -> None:
    file.close()
    path.unlink(missing_ok=True)


def _locked(directory: Path) -> int | None:
    """Lock a directory and return the locked descriptor; ``None`` if it can't be locked."""
    try:
        fcntl = importlib.import_module("fcntl")
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ModuleNotFoundError, OSError):  # Windows, or another user's directory
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
