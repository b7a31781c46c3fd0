"""Chooses the database of a server: PostgreSQL if there is a URL, otherwise SQLite."""

from pathlib import Path

from auricle.errors import SetupError
from auricle.ledger.database import Database
from auricle.ledger.sqlite import SqliteDatabase


def open_database(state_dir: Path, url: str | None) -> Database:
    """Open the database, and create or migrate its tables; blocks.

    Args:
        state_dir: Directory of the SQLite file.
        url: Connection string of PostgreSQL.

    Raises:
        SetupError: The database can't be used; the message says why.
    """
    if url is None:
        return SqliteDatabase.open(state_dir)
    try:
        from auricle.ledger.postgres import PostgresDatabase
    except ModuleNotFoundError as error:
        raise SetupError(
            "AURICLE_DATABASE_URL requires psycopg. Run: pip install 'psycopg[binary,pool]>=3.2'"
        ) from error
    return PostgresDatabase.open(url)
