"""The ledger in PostgreSQL: for several gateways.

Each transaction uses a connection of a pool. Every wait has a deadline: for a connection, a lock, a
statement, and for the network to acknowledge data. A broken connection is replaced, and the
transaction runs again until the deadline. Only a server that accepts writes is used, so that a
connection string with several hosts follows a failover.

``LISTEN`` and ``NOTIFY`` shorten the wait for work; they may be lost, so callers poll as well.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
import psycopg.conninfo
import psycopg_pool

from auricle.ledger.databases.database import (
    DAMAGED,
    FAILED_RETRY_S,
    READ_ONLY,
    Checkpoint,
    Row,
    SearchDialect,
    Transaction,
    Value,
    no_checkpoint,
)
from auricle.ledger.databases.postgres.schema import POSTGRES_MIGRATIONS
from auricle.ledger.databases.schema import Migrations
from auricle.values.errors import (
    AuricleError,
    LedgerCorrupt,
    LedgerFailed,
    LedgerForeign,
    LedgerFull,
    LedgerNewer,
    LedgerReadOnly,
    LedgerUnavailable,
    LedgerUnusable,
)

T = TypeVar("T")

CHANNEL = "auricle_ledger"
MIGRATION_LOCK = 0x41757269
"""Key of the advisory lock that one migrating process holds."""

WAIT_S = 10.0
"""Maximum time for a transaction, with all its repetitions."""
RETRY_S = 5
RETRY_PAUSE_S = 0.1
FIRST_PAUSE_S = 1.0
"""Pause between attempts to connect at start; each may be a failed login in the server's log."""
MAX_CONNECTIONS = 8
MAX_WAITING = 1000
"""Maximum number of threads that wait for a connection."""

_REPEATABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.ReadOnlySqlTransaction,
)
"""A broken connection, a deadlock, or a failover."""
_DAMAGED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.DataCorrupted,
    psycopg.errors.IndexCorrupted,
)
_NAME = re.compile(r""" ?(["']).*?\1""")


class PostgresDatabase:
    """A PostgreSQL database; create with :meth:`open`."""

    def __init__(
        self,
        conninfo: str,
        pool: psycopg_pool.ConnectionPool,
        wait_s: float,
        checkpoint: Checkpoint,
    ) -> None:
        """Take over an open pool."""
        self._conninfo = conninfo
        self._pool = pool
        self._wait_s = wait_s
        self._checkpoint = checkpoint
        self._listener: psycopg.Connection | None = None
        self._listening = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def open(
        cls,
        conninfo: str,
        *,
        wait_s: float = WAIT_S,
        checkpoint: Checkpoint = no_checkpoint,
        migrations: Migrations = POSTGRES_MIGRATIONS,
    ) -> "PostgresDatabase":
        """Connect, and create or migrate the tables.

        Args:
            conninfo: A libpq connection string or URI.
            wait_s: Maximum time for a transaction, in seconds.
            checkpoint: Called at each statement and commit.
            migrations: The schema.

        Raises:
            LedgerUnusable: The database can't be reached, or can't store every character.
            LedgerCorrupt: Tables are missing or damaged.
            LedgerForeign: The schema has tables of another program.
            LedgerNewer: A newer version has written the database.
            LedgerReadOnly: The role may not create tables.
        """
        try:
            psycopg.conninfo.conninfo_to_dict(conninfo)
        except psycopg.ProgrammingError:  # quotes the text, which may contain a password
            raise LedgerUnusable(
                "AURICLE_DATABASE_URL is not a PostgreSQL URL or connection string."
            ) from None
        try:
            with _first_connection(conninfo, wait_s) as connection:
                _migrate(connection, migrations)
        except psycopg.Error as error:
            raise _unusable(error) from error
        pool = psycopg_pool.ConnectionPool(
            conninfo,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            kwargs=_options(wait_s),
            timeout=wait_s,
            max_waiting=MAX_WAITING,
            reconnect_timeout=wait_s,
            check=psycopg_pool.ConnectionPool.check_connection,
            open=False,
            name="auricle-ledger",
        )
        try:
            pool.open(wait=True, timeout=wait_s)
        except psycopg.Error as error:
            pool.close()
            raise _unusable(error) from error
        return cls(conninfo, pool, wait_s, checkpoint)

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction; see :class:`.Database`."""
        return self._run(name, work, self._checkpoint)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a transaction that is read only; see :class:`.Database`."""

        def read(transaction: Transaction) -> T:
            transaction.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return work(transaction)

        return self._run("read", read, no_checkpoint)

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait for a notification; a connection that fails counts as none."""
        with self._listening:
            if self._closed.is_set():
                return False
            try:
                connection = self._listener or self._listen()
                left_s = 0.0 if self._closed.is_set() else timeout_s
                return any(True for _ in connection.notifies(timeout=left_s, stop_after=1))
            except psycopg.Error:
                self._stop_listening()
        time.sleep(min(timeout_s, RETRY_PAUSE_S))
        return False

    def close(self) -> None:
        """Close all connections, and end waits: no process ends before its threads."""
        self._closed.set()
        if (listener := self._listener) is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                _hang_up(listener)
        with self._listening:
            self._stop_listening()
        self._pool.close()

    def _run(self, name: str, work: Callable[[Transaction], T], checkpoint: Checkpoint) -> T:
        ends_at = time.monotonic() + self._wait_s
        while True:
            left_s = ends_at - time.monotonic()
            try:
                return self._try(name, work, checkpoint, max(left_s, 0.0))
            except psycopg.Error as error:
                if (translated := _translate(error)) is not None:
                    raise translated from error
                if not isinstance(error, _REPEATABLE):
                    raise
                if time.monotonic() + RETRY_PAUSE_S >= ends_at:
                    raise _no_answer() from error
                time.sleep(RETRY_PAUSE_S)

    def _try(
        self,
        name: str,
        work: Callable[[Transaction], T],
        checkpoint: Checkpoint,
        timeout_s: float,
    ) -> T:
        with self._pool.connection(timeout=timeout_s) as connection:
            try:
                result = work(_PostgresTransaction(connection, name, checkpoint))
            except psycopg.errors.ReadOnlySqlTransaction:
                connection.close()  # the server was demoted: the pool connects to its successor
                raise
            checkpoint(f"{name}: before commit")
            connection.commit()
            checkpoint(f"{name}: after commit")
        return result

    def _listen(self) -> psycopg.Connection:
        connection = psycopg.connect(self._conninfo, autocommit=True, **_options(self._wait_s))
        self._listener = connection
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(psycopg.Error):
                listener.close()


class _PostgresTransaction:
    search = SearchDialect(
        source="segments",
        condition="segments.search @@ plainto_tsquery('simple', ?)",
        order="segments.number",
        query=lambda scope, words: " ".join([scope, *words]),
    )
    for_update = " FOR UPDATE"
    skip_locked = " FOR UPDATE SKIP LOCKED"

    def __init__(
        self, connection: psycopg.Connection[Any], name: str, checkpoint: Checkpoint
    ) -> None:
        self._connection = connection
        self._name = name
        self._checkpoint = checkpoint

    def execute(self, statement: str, *values: Value) -> list[Row]:
        query = statement.replace("?", "%s").encode()
        cursor = self._connection.execute(query, values or None)
        rows = cursor.fetchall() if cursor.description is not None else []
        self._checkpoint(f"{self._name}: statement")
        return rows

    def announce_work(self) -> None:
        self.execute(f"NOTIFY {CHANNEL}")


def _hang_up(connection: psycopg.Connection) -> None:
    """End a connection that another thread waits for, which finds it broken."""
    with socket.socket(fileno=os.dup(connection.fileno())) as ours:
        ours.shutdown(socket.SHUT_RDWR)


def _options(wait_s: float) -> dict[str, Any]:
    """Return connection parameters with a deadline for each step of a transaction."""
    wait_ms = int(wait_s * 1000)
    return {
        "connect_timeout": max(2, int(wait_s / 2)),  # libpq treats 1 as 2
        "tcp_user_timeout": wait_ms,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 2,
        "target_session_attrs": "read-write",
        "application_name": "auricle",
        "options": (
            f"-c lock_timeout={wait_ms // 2} -c statement_timeout={wait_ms * 4 // 5} "
            f"-c idle_in_transaction_session_timeout={wait_ms} -c client_encoding=UTF8"
        ),
    }


def _migrate(connection: psycopg.Connection[Any], migrations: Migrations) -> None:
    execute = _PostgresTransaction(connection, "migrate", no_checkpoint).execute
    ((encoding,),) = execute("SHOW server_encoding")
    if encoding != "UTF8":
        raise LedgerUnusable(
            f"The PostgreSQL database has the encoding {encoding}. Create one with ENCODING 'UTF8'."
        )
    execute("SELECT pg_advisory_xact_lock(?)", MIGRATION_LOCK)
    if not execute("SELECT 1 WHERE to_regclass('auricle_schema') IS NOT NULL"):
        if execute("SELECT 1 WHERE to_regclass('jobs') IS NOT NULL"):
            raise LedgerForeign(
                "The database has a table `jobs` of another program. Create a database for Auricle."
            )
        execute("CREATE TABLE auricle_schema (version INTEGER NOT NULL)")
        execute("INSERT INTO auricle_schema VALUES (0)")
    ((version,),) = execute("SELECT version FROM auricle_schema")
    if version > len(migrations):
        raise LedgerNewer(
            f"The job database has schema version {version}; this version of Auricle supports "
            f"{len(migrations)}. Start the newer version of Auricle, or use another database."
        )
    for statements in migrations[version:]:
        for statement in statements:
            execute(statement)
    execute("UPDATE auricle_schema SET version = ?", len(migrations))


def _first_connection(conninfo: str, wait_s: float) -> psycopg.Connection[Any]:
    """Connect, again and again for a while: the database may start at the same time as the server.

    Raises:
        psycopg.Error: There is no connection in time.
    """
    ends_at = time.monotonic() + wait_s
    while True:
        try:
            return psycopg.connect(conninfo, **_options(wait_s))
        except psycopg.OperationalError:
            if time.monotonic() + FIRST_PAUSE_S >= ends_at:
                raise
        time.sleep(FIRST_PAUSE_S)


def _unusable(error: psycopg.Error) -> Exception:
    """Return our error for PostgreSQL's at start; the same for a bug of ours."""
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return LedgerReadOnly(
                "The PostgreSQL role may not create tables. Grant it CREATE on the schema."
            )
        case psycopg.errors.DiskFull():
            return LedgerUnusable("PostgreSQL's disk is full. Free disk space.")
    if isinstance(error, _DAMAGED):
        return LedgerCorrupt(
            "The tables in PostgreSQL are damaged or incomplete. Restore them from a backup, or "
            "use another database."
        )
    if isinstance(error, _REPEATABLE):
        return LedgerUnusable(
            f"PostgreSQL can't be reached for writing ({_reason(error)}). Check "
            "AURICLE_DATABASE_URL and the server."
        )
    return error


def _reason(error: psycopg.Error) -> str:
    """Return the reason without names: with ``@`` in a password, a part of it is the host's."""
    line = str(error).partition("\n")[0]
    return _NAME.sub("", line.rpartition("failed: ")[2]).removeprefix("FATAL:").strip()


def _translate(error: psycopg.Error) -> AuricleError | None:
    """Return our error for PostgreSQL's; ``None`` for a bug of ours."""
    match error:
        case psycopg.errors.DiskFull():
            return LedgerFull("The database's disk is full; try again later.", RETRY_S)
        case psycopg.errors.QueryCanceled():
            return _no_answer()
        case psycopg.errors.InsufficientPrivilege():
            return LedgerFailed(READ_ONLY, FAILED_RETRY_S)
    if isinstance(error, _DAMAGED):
        return LedgerFailed(DAMAGED, FAILED_RETRY_S)
    return None


def _no_answer() -> LedgerUnavailable:
    return LedgerUnavailable("The job database does not answer; try again later.", RETRY_S)
