"""The ledger in a SQLite file: the default, for one server.

Commits are durable (WAL with ``synchronous=FULL``). One connection writes, one transaction at a
time; another reads, so that searches don't delay commits. A lock file, held until the process ends,
refuses a second server: leases left in the file are then known to be those of dead processes.

A new file is created under another name and renamed, so that a file that exists is either complete
or damaged. A damaged file is reported and never replaced. The same applies to one that has
vanished: the contents of the lock file distinguish that from a first start. SQLite would continue
with a file that was removed or replaced while it is open, so each transaction checks that.
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

from auricle.ledger.databases.database import (
    DAMAGED,
    FAILED_RETRY_S,
    READ_ONLY,
    REMOVED,
    Checkpoint,
    Row,
    SearchDialect,
    Transaction,
    Value,
    no_checkpoint,
)
from auricle.ledger.databases.schema import SQLITE_MIGRATIONS, Migrations
from auricle.system.durable import sync_directory, try_lock
from auricle.values.errors import (
    AuricleError,
    LedgerCorrupt,
    LedgerFailed,
    LedgerForeign,
    LedgerFull,
    LedgerInUse,
    LedgerNewer,
    LedgerReadOnly,
    LedgerUnavailable,
    LedgerUnusable,
)

T = TypeVar("T")

FILE_NAME = "ledger.sqlite3"
LOCK_NAME = "ledger.lock"
APPLICATION_ID = 0x41757269  # "Auri"; SQLite's magic number for the kind of the file

WAIT_S = 10.0
"""Maximum wait for another transaction, for another program's lock, or for what is read."""
RETRY_S = 5
PAGE_CACHE_KIB = 8192
STEPS_PER_CHECK = 10_000
"""Steps of SQLite's virtual machine, a fraction of a millisecond, per check of the deadline."""
PURGED_PAGES = 100
"""Pages of the search index that a deletion merges, 0.4 MB.

Until then, they have the words of deleted segments (FTS5, "The 'merge' Command")."""

_CHECKED_TABLES = ("jobs", "chunks", "deliveries")
"""Tables checked at start; transcripts may be large."""


class SqliteDatabase:
    """A SQLite file in a directory; create with :meth:`open`."""

    def __init__(
        self,
        lock: BinaryIO,
        path: Path,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        wait_s: float,
        checkpoint: Checkpoint,
    ) -> None:
        """Take over open connections and the lock."""
        self._lock = lock
        self._path = path
        self._file_id = _file_id(path)
        self._writer = writer
        self._reader = reader
        self._wait_s = wait_s
        self._checkpoint = checkpoint
        self._write_turn = threading.Lock()
        self._read_turn = threading.Lock()
        self._changed = threading.Condition()
        self._announcements = self._seen = 0
        self._is_closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        wait_s: float = WAIT_S,
        checkpoint: Checkpoint = no_checkpoint,
        migrations: Migrations = SQLITE_MIGRATIONS,
    ) -> "SqliteDatabase":
        """Open the database in a directory, and create both if they don't exist.

        Raises:
            LedgerInUse: Another server uses it.
            LedgerCorrupt: The file is damaged.
            LedgerForeign: The file belongs to another program.
            LedgerNewer: The file was written by a newer version.
            LedgerReadOnly: The file or directory can't be written.
            LedgerUnusable: The disk is full, or another program has locked the file.
        """
        path = directory / FILE_NAME
        with contextlib.ExitStack() as opened:
            try:
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = opened.enter_context(lock_directory(directory))
                with translated(path):
                    _create_once(path, lock, checkpoint)
            except OSError as error:
                raise LedgerReadOnly(
                    f"Jobs can't be stored in {directory}: {error.strerror}. Set AURICLE_STATE_DIR "
                    "to a writable directory."
                ) from error
            with translated(path):
                writer = opened.enter_context(contextlib.closing(_connect(path, wait_s)))
                check_file(writer, path, len(migrations))
                _migrate(writer, migrations)
                _check_writable(writer, len(migrations))
                reader = opened.enter_context(contextlib.closing(_connect(path, wait_s)))
                reader.execute("PRAGMA query_only = ON")
            database = cls(lock, path, writer, reader, wait_s, checkpoint)
            opened.pop_all()
            return database

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction; see :class:`.Database`."""
        with self._turn(self._write_turn), translated():
            transaction = _SqliteTransaction(self._writer, name, self._checkpoint)
            transaction.execute("BEGIN IMMEDIATE")
            try:
                result = work(transaction)
                self._checkpoint(f"{name}: before commit")
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # SQLite itself rolls back when the disk is full
                    self._writer.execute("ROLLBACK")
                raise
            self._checkpoint(f"{name}: after commit")
        if transaction.has_announced:
            with self._changed:
                self._announcements += 1
                self._changed.notify_all()
        return result

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` on a snapshot; see :class:`.Database`."""
        with self._turn(self._read_turn), translated():
            ends_at = time.monotonic() + self._wait_s
            self._reader.set_progress_handler(lambda: time.monotonic() >= ends_at, STEPS_PER_CHECK)
            self._reader.execute("BEGIN")
            try:
                return work(_SqliteTransaction(self._reader, "read", no_checkpoint))
            finally:
                if self._reader.in_transaction:  # SQLite itself rolls back on an I/O error
                    self._reader.execute("ROLLBACK")

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait for an announcement that no call has returned yet."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_closed or self._announcements != self._seen, timeout_s
            )
            is_new, self._seen = self._announcements != self._seen, self._announcements
            return is_new

    def close(self) -> None:
        """Close the file, release the lock, and end waits: no process ends before its threads."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        with self._write_turn, self._read_turn:
            self._reader.close()
            self._writer.close()
            self._lock.close()

    @contextlib.contextmanager
    def _turn(self, lock: threading.Lock) -> Iterator[None]:
        if not lock.acquire(timeout=self._wait_s):
            raise LedgerUnavailable("The job database is busy; try again later.", RETRY_S)
        try:
            if _file_id(self._path) != self._file_id:
                raise LedgerFailed(REMOVED, FAILED_RETRY_S)
            yield
        finally:
            lock.release()


def _file_id(path: Path) -> tuple[int, int] | None:
    """Return the identity of a file, ``None`` if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _fts5_query(scope: str, words: Sequence[str]) -> str:
    quoted = " ".join('"' + word.replace('"', '""') + '"' for word in words)
    return f"scope : {scope} AND text : ({quoted})"


class _SqliteTransaction:
    search = SearchDialect(
        source="segments_search JOIN segments ON segments.number = segments_search.rowid",
        condition="segments_search MATCH ?",
        order="segments_search.rowid",
        query=_fts5_query,
        purge="INSERT INTO segments_search (segments_search, rank) "
        f"VALUES ('merge', -{PURGED_PAGES})",
    )
    for_update = ""  # the whole file is locked
    skip_locked = ""

    def __init__(self, connection: sqlite3.Connection, name: str, checkpoint: Checkpoint) -> None:
        self._connection = connection
        self._name = name
        self._checkpoint = checkpoint
        self.has_announced = False

    def execute(self, statement: str, *values: Value) -> list[Row]:
        rows = self._connection.execute(statement, values).fetchall()
        self._checkpoint(f"{self._name}: statement")
        return rows

    def announce_work(self) -> None:
        self.has_announced = True


def _connect(path: Path, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=wait_s, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # the default of some builds only
        connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def _create_once(path: Path, lock: BinaryIO, checkpoint: Checkpoint) -> None:
    """Create the database if this is the first start in its directory.

    Raises:
        LedgerCorrupt: The database was removed.
    """
    has_been_created = os.fstat(lock.fileno()).st_size > 0
    if not path.exists():
        if has_been_created:
            raise LedgerCorrupt(
                f"{path} has vanished. Restore it from a backup (`auricle restore FOLDER`), or "
                f"delete {LOCK_NAME} as well to start without the jobs in it."
            )
        _create(path, checkpoint)
    if not has_been_created:
        lock.write(b"The database was created.\n")
        lock.flush()
        os.fsync(lock.fileno())


def _create(path: Path, checkpoint: Checkpoint) -> None:
    """Create an empty database under another name, and rename it when it is on the disk."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    new.chmod(0o600)
    with new.open("rb+") as file:
        os.fsync(file.fileno())
    checkpoint("create: before rename")
    new.rename(path)
    checkpoint("create: after rename")
    sync_directory(path.parent)


def check_file(connection: sqlite3.Connection, path: Path, newest: int) -> None:
    """Check that a file is the database of this version or an earlier one.

    Args:
        connection: A connection to the file.
        path: The file, for messages.
        newest: The newest version of the schema.

    Raises:
        LedgerCorrupt: It is damaged.
        LedgerForeign: It belongs to another program.
        LedgerNewer: A newer version of Auricle has written it.
    """
    if path.stat().st_size == 0:
        raise _corrupt(path)
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise LedgerForeign(
            f"{path} is another program's database. Set AURICLE_STATE_DIR to another directory."
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise LedgerNewer(
            f"{path} has schema version {version}; this version of Auricle supports {newest}. "
            "Start the newer version of Auricle, or use another AURICLE_STATE_DIR."
        )
    if version:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not tables.issuperset(_CHECKED_TABLES):
            raise _corrupt(path)
        for table in _CHECKED_TABLES:
            if connection.execute(f"PRAGMA quick_check({table})").fetchone() != ("ok",):
                raise _corrupt(path)


def _migrate(connection: sqlite3.Connection, migrations: Migrations) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(migrations[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _check_writable(connection: sqlite3.Connection, version: int) -> None:
    """Check that the file can be written: one that can only be read opens as well.

    Raises:
        sqlite3.Error: It can't.
    """
    connection.execute("BEGIN IMMEDIATE")  # becomes BEGIN if the file can only be read
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("ROLLBACK")


def lock_directory(directory: Path) -> BinaryIO:
    """Return the locked file of a directory, which belongs to one process.

    Raises:
        LedgerInUse: Another process has locked it.
        OSError: It can't be opened.
    """
    lock = try_lock(directory / LOCK_NAME)
    if lock is None:
        raise LedgerInUse(
            f"Another server uses {directory}. Set AURICLE_STATE_DIR to a directory for each "
            "server, or AURICLE_DATABASE_URL to a database that they share."
        )
    return lock


def _corrupt(path: Path) -> LedgerCorrupt:
    return LedgerCorrupt(
        f"{path} is damaged or is not a database. Restore it from a backup (`auricle restore "
        "FOLDER`), or move it away to start without the jobs in it."
    )


@contextlib.contextmanager
def translated(path: Path | None = None) -> Iterator[None]:
    """Raise our errors for SQLite's; ``path`` is the file while it is opened or copied."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
        translated = _runtime_error(code) if path is None else _open_error(code, path)
        if translated is None:
            raise
        raise translated from error


def _open_error(code: int, path: Path) -> LedgerUnusable | None:
    """Return our error for SQLite's result code at start; ``None`` for a bug of ours."""
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LedgerUnusable(f"{path} is locked by another program. End that program.")
        case sqlite3.SQLITE_FULL:
            return LedgerUnusable(f"The disk with {path} is full. Free disk space.")
        case sqlite3.SQLITE_IOERR:
            return LedgerUnusable(f"{path} can't be read or written. Check the disk.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _corrupt(path)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return LedgerReadOnly(f"{path} can't be opened for writing. Check its permissions.")
    return None


def _runtime_error(code: int) -> AuricleError | None:
    """Return our error for SQLite's result code; ``None`` for a bug of ours."""
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LedgerUnavailable(
                "The job database is locked by another program; try again later.", RETRY_S
            )
        case sqlite3.SQLITE_INTERRUPT:
            return LedgerUnavailable(
                "The job database did not answer in time; try again later.", RETRY_S
            )
        case sqlite3.SQLITE_FULL:
            return LedgerFull("The server's disk is full; try again later.", RETRY_S)
        case sqlite3.SQLITE_IOERR:
            return LedgerUnavailable("The job database can't be written; try again later.", RETRY_S)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return LedgerFailed(DAMAGED, FAILED_RETRY_S)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return LedgerFailed(READ_ONLY, FAILED_RETRY_S)
    return None
