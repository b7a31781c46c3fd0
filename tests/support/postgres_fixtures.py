"""Fixtures for tests that need PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer, postgres_server, programs


def required_programs() -> Path:
    """Return the directory of PostgreSQL's programs; skip the test if anything is missing."""
    pytest.importorskip("psycopg", reason="psycopg is missing: make setup")
    pytest.importorskip("psycopg_pool", reason="psycopg_pool is missing: make setup")
    binaries = programs()
    if binaries is None:
        pytest.skip("PostgreSQL is missing (Debian: apt-get install postgresql)")
    return binaries


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server for one test, which may kill it."""
    with postgres_server(required_programs()) as server:
        yield server
