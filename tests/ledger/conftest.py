"""Databases and audio stores for tests of the ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.databases.database import Database
from tests.support.ledger import open_at
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.postgres_fixtures import required_programs
from tests.support.s3_fixtures import OpenBucket, bucket_settings, open_bucket, s3

__all__ = ["bucket_settings", "open_bucket", "s3"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for all tests."""
    with postgres_server(required_programs()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a new database is: a directory, or a connection string."""
    if request.param == "sqlite":
        return str(tmp_path / "state")
    server: PostgresServer = request.getfixturevalue("postgres")
    server.empty()
    return server.conninfo


@pytest.fixture
def database(location: str) -> Iterator[Database]:
    """Return an open database, once for each kind."""
    database = open_at(location)
    yield database
    database.close()


@pytest.fixture(params=["directory", "bucket"])
def audio(request: pytest.FixtureRequest, tmp_path: Path) -> AudioStore:
    """Return an empty store of audio, once for each kind."""
    if request.param == "directory":
        return AudioDirectory(tmp_path / "audio")
    open_bucket: OpenBucket = request.getfixturevalue("open_bucket")
    return open_bucket()
