"""A PostgreSQL server for benchmarks, and what a ledger contains."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.postgres import PostgresServer, postgres_server, programs


@contextmanager
def postgres_running(*, syncs: bool = False) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server, or end the program if it is not installed.

    Args:
        syncs: Whether it waits for the disk at each commit.
    """
    binaries = programs()
    if binaries is None:
        raise SystemExit("PostgreSQL is missing (Debian: apt-get install postgresql)")
    with postgres_server(binaries, syncs=syncs) as server:
        yield server


def stored_chunks(database: Path | PostgresServer) -> int:
    """Return the number of chunks of unfinished jobs that a ledger contains.

    Args:
        database: A state directory, or a server.
    """
    query = "SELECT COUNT(*) FROM chunks"
    if isinstance(database, Path):
        uri = f"file:{database / 'ledger.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return int(connection.execute(query).fetchone()[0])
    import psycopg  # may be missing

    with psycopg.connect(database.conninfo) as connection:
        [(number,)] = connection.execute(query).fetchall()
    return int(number)
