"""Copies of the jobs of one server: its SQLite file, and the audio that jobs need.

A backup is a directory with the names of the state directory. SQLite's online backup reads one
snapshot of the database while a server writes it, so no server has to stop. Audio that was accepted
before and after this snapshot is copied in two passes: each file is written once and has its own
name, so a copy is never out of date. A job whose audio is missing in a backup has ended since.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auricle.ledger.audio.store import NAME
from auricle.ledger.databases.schema import SQLITE_MIGRATIONS
from auricle.ledger.databases.sqlite import FILE_NAME, check_file, lock_directory, translated
from auricle.ledger.location import AUDIO_DIRECTORY
from auricle.system.atomic_file import replacing
from auricle.system.durable import sync_directory
from auricle.values.errors import LedgerCorrupt, LedgerInUse, SetupError

_LOGS = ("-wal", "-shm")
"""Suffixes of the files in which SQLite keeps recent commits."""
_FILE_MODE, _DIRECTORY_MODE = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup has, or what was restored.

    Attributes:
        jobs: Number of jobs.
        transcripts: Number of kept transcripts.
        database_bytes: Size of the database.
        recordings: Number of files of audio.
        audio_bytes: Their size.
    """

    jobs: int
    transcripts: int
    database_bytes: int
    recordings: int
    audio_bytes: int


def back_up(state_dir: Path, backup: Path, *, replaces: bool = False) -> Copied:
    """Copy the jobs of a server, which may run; blocks.

    Args:
        state_dir: The server's state directory.
        backup: Directory of the backup; created if it does not exist.
        replaces: Whether an earlier backup there is replaced.

    Raises:
        SetupError: There is no database, a backup exists, or the copy can't be written.
        LedgerCorrupt: The database is damaged; nothing was replaced.
    """
    source, target = state_dir / FILE_NAME, backup / FILE_NAME
    if not source.is_file():
        raise SetupError(f"There are no jobs in {state_dir}: set AURICLE_STATE_DIR.")
    if target.exists() and not replaces:
        raise SetupError(f"{target} exists; choose another folder, or replace it with --force.")
    with _written(backup):
        backup.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        if backup.samefile(state_dir):
            raise SetupError(f"{backup} is the state directory itself; choose another folder.")
        audio = state_dir / AUDIO_DIRECTORY
        copies = backup / AUDIO_DIRECTORY
        copies.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
        _copy(audio, copies, _names(audio))
        with tempfile.TemporaryDirectory(prefix=".new-", dir=backup) as name:
            new = Path(name) / FILE_NAME
            _copy_database(source, new)
            copied, needed = _checked(new, source)
            _copy(audio, copies, needed)
            _publish(new, target)
        for name in _names(copies) - needed:
            (copies / name).unlink()
    return _with_audio(copied, copies, needed)


def restore(backup: Path, state_dir: Path, *, replaces: bool = False) -> Copied:
    """Copy a backup into a state directory that no server uses; blocks.

    Args:
        backup: A directory of :func:`back_up`, or a copy of a state directory.
        state_dir: The server's state directory.
        replaces: Whether jobs there are replaced.

    Raises:
        LedgerInUse: A server uses the state directory.
        SetupError: There is no backup, there are jobs already, or the files can't be written.
        LedgerCorrupt: The backup is damaged; nothing was replaced.
    """
    source, target = backup / FILE_NAME, state_dir / FILE_NAME
    if not source.is_file():
        raise SetupError(f"There is no backup in {backup}: {FILE_NAME} is missing.")
    with _written(state_dir), contextlib.ExitStack() as locked:
        state_dir.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        try:
            locked.enter_context(lock_directory(state_dir))
        except LedgerInUse as exc:
            raise LedgerInUse(f"A server uses {state_dir}: stop it first.") from exc
        if target.exists() and not replaces:
            raise SetupError(f"{target} exists; replace its jobs with --force.")
        audio = state_dir / AUDIO_DIRECTORY
        audio.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=state_dir) as name:
            new = Path(name) / FILE_NAME
            for suffix in ("", *_LOGS[:1]):  # a copy of files may have a log
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{source}{suffix}", f"{new}{suffix}")
            copied, needed = _checked(new, source)
            _copy(backup / AUDIO_DIRECTORY, audio, needed)
            for suffix in _LOGS:  # of the old database: they would be applied to the new one
                Path(f"{target}{suffix}").unlink(missing_ok=True)
            _publish(new, target)
        _give_to_owner(state_dir)
    return _with_audio(copied, audio, needed)


def _copy_database(source: Path, target: Path) -> None:
    existing = f"{source.absolute().as_uri()}?mode=rw"
    with (
        translated(source),
        contextlib.closing(sqlite3.connect(existing, uri=True)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _checked(path: Path, source: Path) -> tuple[Copied, set[str]]:
    """Return what a copy of a database has, and the names of the audio that its jobs need.

    Raises:
        LedgerCorrupt: It fails SQLite's integrity check.
        LedgerUnusable: It is not a database of this version or an earlier one.
    """
    with translated(source), contextlib.closing(sqlite3.connect(path)) as connection:
        check_file(connection, source, len(SQLITE_MIGRATIONS))
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise LedgerCorrupt(f"{source} is damaged: its copy fails SQLite's integrity check.")
        jobs, transcripts = (
            connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("jobs", "transcripts")
        )
        rows = connection.execute("SELECT audio FROM jobs WHERE has_audio = 1")
        needed = {name for (name,) in rows if NAME.fullmatch(name)}
    return Copied(jobs, transcripts, path.stat().st_size, 0, 0), needed


def _names(directory: Path) -> set[str]:
    """Return the names of stored audio; files that are being written have others."""
    try:
        return {name for name in os.listdir(directory) if NAME.fullmatch(name)}
    except FileNotFoundError:
        return set()


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy files that are not there yet; those of jobs that have ended meanwhile are gone."""
    for name in names:
        if (target / name).exists():
            continue
        with (
            contextlib.suppress(FileNotFoundError),
            _opened(source / name) as reader,
            replacing(target / name, _FILE_MODE) as writer,
        ):
            shutil.copyfileobj(reader, writer)
    sync_directory(target)


def _opened(path: Path) -> BinaryIO:
    """Open a file to read; a link, with which the server could make root read another, fails."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags), "rb")


def _publish(new: Path, target: Path) -> None:
    """Move a complete database to its name."""
    new.chmod(_FILE_MODE)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    new.replace(target)
    sync_directory(target.parent)


def _give_to_owner(state_dir: Path) -> None:
    """Give what root has restored to the owner of the directory, as whom the server runs."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    status = state_dir.stat()
    for path in state_dir.rglob("*"):
        os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)


def _with_audio(copied: Copied, directory: Path, names: set[str]) -> Copied:
    sizes = [(directory / name).stat().st_size for name in names & _names(directory)]
    return Copied(copied.jobs, copied.transcripts, copied.database_bytes, len(sizes), sum(sizes))


@contextlib.contextmanager
def _written(directory: Path) -> Iterator[None]:
    """Raise a setup error for one of the file system."""
    try:
        yield
    except OSError as exc:
        where = exc.filename or directory
        raise SetupError(f"{where} can't be read or written: {exc.strerror or exc}.") from exc
