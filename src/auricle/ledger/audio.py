"""Audio of accepted jobs, until the jobs end.

A job's row names its audio. The audio is stored durably before the row is committed, and deleted
after the row no longer needs it. A process that dies in between leaves an orphan, never a row
without audio; :func:`sweep` deletes orphans.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from auricle.errors import AudioMissing, LedgerFull, LedgerReadOnly, LedgerUnavailable
from auricle.ledger.database import Checkpoint, no_checkpoint
from auricle.ledger.durable import sync_directory

RETRY_S = 30
COPY_BYTES = 2**20
SWEEP_BATCH = 500
"""Names looked up in one transaction."""

NAME = re.compile(r"[0-9a-f]{32}")
_PARTIAL = ".part"


class AudioStore(Protocol):
    """Keeps audio under names that it chooses. All calls block; any thread may call."""

    def check(self) -> None:
        """Check that the store can be used; changes nothing.

        Raises:
            SetupError: The settings, the credentials or the permissions are wrong.
            LedgerUnavailable: It can't be used now.
        """
        ...

    def put(self, source: Path) -> str:
        """Store a file durably and return its name; the file is not changed afterwards.

        Raises:
            TooLarge: The store can't hold a file of this size.
            LedgerFull: The store is full.
            LedgerUnavailable: It can't be stored now.
        """
        ...

    def fetch(
        self, name: str, size_bytes: int, check_cancelled: Callable[[], None] = lambda: None
    ) -> Path:
        """Return a local file with the audio; its caller does not change it, and releases it.

        Args:
            name: Name of the audio.
            size_bytes: Its size; no more is read.
            check_cancelled: Called during a download at least once per MB; ends it by raising.

        Raises:
            AudioMissing: There is no such audio, or it has another size.
            LedgerUnavailable: It can't be read now.
        """
        ...

    def release(self, path: Path) -> None:
        """Delete the local file of a fetch, if it is a copy."""
        ...

    def delete(self, name: str) -> None:
        """Delete audio, if it exists.

        Raises:
            LedgerUnavailable: It can't be deleted now.
        """
        ...

    def names(self, older_than: float) -> Iterator[str]:
        """Iterate over the names of audio stored before a time (Unix time in seconds).

        Raises:
            LedgerUnavailable: The names can't be read now.
        """
        ...


def sweep(store: AudioStore, needed: Callable[[Sequence[str]], set[str]], older_than: float) -> int:
    """Delete audio that no job needs, and return the number of deleted files.

    Args:
        store: The audio.
        needed: Returns which of some names are needed, such as :meth:`.Ledger.needed_audio`.
        older_than: Audio stored later may belong to a job that is being accepted.
    """
    deleted = 0
    for names in _batches(store.names(older_than), SWEEP_BATCH):
        for name in set(names) - needed(names):
            store.delete(name)
            deleted += 1
    return deleted


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


def missing_audio() -> AudioMissing:
    """Return the error for audio that is not in a store, or was changed there."""
    return AudioMissing("The stored audio of this job is missing or damaged; submit the job again.")


def unavailable_audio(action: str) -> LedgerUnavailable:
    """Return the error for a store that can't do something now, such as ``store``."""
    return LedgerUnavailable(f"The server can't {action} the audio; try again later.", RETRY_S)


def _is_older(entry: os.DirEntry[str], older_than: float) -> bool:
    try:
        return entry.stat().st_mtime < older_than
    except FileNotFoundError:  # another gateway has just deleted it
        return False


def _link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name if both are on one file system, as that costs no time."""
    try:
        target.hardlink_to(source)
        os.utime(target)
    except OSError:  # another file system, or the source has lost its name
        with source.open("rb") as reader, target.open("xb") as writer:
            shutil.copyfileobj(reader, writer, COPY_BYTES)


def _storage_error(error: OSError) -> LedgerFull | LedgerUnavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return LedgerFull("The server's disk is full; try again later.", RETRY_S)
    return unavailable_audio("store")


def _batches(names: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(names, size)):
        yield batch
