"""The migrations of both databases have the same statements, in each one's types."""

import re
import sqlite3
from collections.abc import Sequence

import pytest

from auricle.ledger.databases.postgres.schema import POSTGRES_MIGRATIONS
from auricle.ledger.databases.schema import SQLITE_MIGRATIONS

pytestmark = pytest.mark.unit


def test_both_databases_have_the_same_tables_after_the_same_migrations() -> None:
    assert len(SQLITE_MIGRATIONS) == len(POSTGRES_MIGRATIONS)
    for sqlite, postgres in zip(SQLITE_MIGRATIONS, POSTGRES_MIGRATIONS, strict=True):
        assert created(sqlite) == created(postgres)


def created(statements: Sequence[str]) -> set[str]:
    return {name for each in statements for name in re.findall(r"CREATE TABLE (\w+)", each)}


def test_no_type_is_left_open() -> None:
    for migrations in (SQLITE_MIGRATIONS, POSTGRES_MIGRATIONS):
        assert not any("{" in statement for part in migrations for statement in part)


def test_sqlite_accepts_the_migrations_in_order() -> None:
    database = sqlite3.connect(":memory:")
    for statements in SQLITE_MIGRATIONS:
        for statement in statements:
            database.execute(statement)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert {"jobs", "chunks", "deliveries"} <= {name for (name,) in tables}
    database.close()
