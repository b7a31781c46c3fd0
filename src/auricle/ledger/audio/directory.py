"""Audio of accepted jobs as files in a directory."""

import errno
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from auricle.ledger.audio.store import COPY_BYTES, NAME, RETRY_S, missing_audio, unavailable_audio
from auricle.ledger.databases.database import Checkpoint, no_checkpoint
from auricle.system.durable import sync_directory
from auricle.values.errors import LedgerFull, LedgerReadOnly, LedgerUnavailable

_PARTIAL = ".part"


class AudioDirectory:
    """Audio as files in a directory, for one server or a shared file system."""

    def __init__(self, path: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        """Create the directory.

        Raises:
            LedgerReadOnly: It can't be created.
        """
        self._path = path
        self._checkpoint = checkpoint
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LedgerReadOnly(
                f"Audio of jobs can't be stored in {path}: {error.strerror}. Set AURICLE_STATE_DIR "
                "to a writable directory."
            ) from error

    def check(self) -> None:
        """Check that the directory can be written; see :class:`AudioStore`."""
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise LedgerReadOnly(f"Audio of jobs can't be stored in {self._path}.")

    def put(self, source: Path) -> str:
        """Store a file; see :class:`AudioStore`."""
        name = secrets.token_hex(16)
        partial = self._path / f"{name}{_PARTIAL}"
        try:
            _link_or_copy(source, partial)
            with partial.open("r+b") as file:
                os.fsync(file.fileno())
            self._checkpoint("audio: before rename")
            partial.rename(self._path / name)
            self._checkpoint("audio: after rename")
            sync_directory(self._path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _storage_error(error) from error
        return name

    def fetch(
        self, name: str, size_bytes: int, check_cancelled: Callable[[], None] = lambda: None
    ) -> Path:
        """Return the file of a name; see :class:`AudioStore`."""
        path = self._path / name
        try:
            stored_bytes = path.stat().st_size
        except FileNotFoundError as error:
            raise missing_audio() from error
        except OSError as error:
            raise unavailable_audio("read") from error
        if stored_bytes != size_bytes:
            raise missing_audio()
        return path

    def release(self, path: Path) -> None:
        """Keep the file, which is no copy; see :class:`AudioStore`."""

    def delete(self, name: str) -> None:
        """Delete a file; see :class:`AudioStore`."""
        try:
            (self._path / name).unlink(missing_ok=True)
        except OSError as error:
            raise unavailable_audio("delete") from error

    def names(self, older_than: float) -> Iterator[str]:
        """Iterate over old files, and delete those that a killed process did not complete."""
        try:
            with os.scandir(self._path) as entries:
                for entry in entries:
                    name = entry.name.removesuffix(_PARTIAL)
                    if not NAME.fullmatch(name) or not _is_older(entry, older_than):
                        continue
                    if name == entry.name:
                        yield name
                    else:
                        Path(entry.path).unlink(missing_ok=True)
        except OSError as error:
            raise unavailable_audio("read") from error


def _is_older(entry: os.DirEntry[str], older_than: float) -> bool:
    try:
        return entry.stat().st_mtime < older_than
    except FileNotFoundError:  # another gateway has just deleted it
        return False


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name if both are on one file system, as that costs no time."""
    try:
        if sys.platform == "win32":
            raise OSError("a name of a file that is open, as the source is, can't be changed")
        target.hardlink_to(source)
        os.utime(target)
    except OSError:  # another file system, or the source has lost its name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with source.open("rb") as reader, os.fdopen(os.open(target, flags, 0o600), "wb") as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)


def _storage_error(error: OSError) -> LedgerFull | LedgerUnavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return LedgerFull("The server's disk is full; try again later.", RETRY_S)
    return unavailable_audio("store")
