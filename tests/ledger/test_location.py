from pathlib import Path

from auricle.ledger.location import open_database
from auricle.ledger.sqlite import FILE_NAME, SqliteDatabase
from tests.support.postgres import PostgresServer


def test_without_a_url_the_database_is_a_file_in_the_state_directory(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state", None)
    database.close()

    assert isinstance(database, SqliteDatabase)
    assert (tmp_path / "state" / FILE_NAME).exists()


def test_with_a_url_the_database_is_postgresql(postgres: PostgresServer, tmp_path: Path) -> None:
    postgres.empty()
    database = open_database(tmp_path / "state", postgres.conninfo)
    database.close()

    assert not isinstance(database, SqliteDatabase)
    assert not (tmp_path / "state").exists()
