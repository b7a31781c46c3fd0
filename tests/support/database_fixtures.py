"""Fixtures for tests that run against both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.ledger.databases.database import Database
from tests.support.ledger import open_at
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.postgres_fixtures import required_programs


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
