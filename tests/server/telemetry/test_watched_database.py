"""A database that is watched: when it counts as failing, and what is logged."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import LogCapture

from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.telemetry.watched_database import DAMAGE_S, WatchedDatabase
from auricle.values.errors import LedgerFailed, LedgerUnavailable
from tests.support.ledger import DatabaseAway

pytestmark = pytest.mark.unit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[DatabaseAway]:
    database = DatabaseAway(SqliteDatabase.open(tmp_path))
    yield database
    database.close()


@pytest.fixture
def database(away: DatabaseAway, clock: Clock) -> WatchedDatabase:
    return WatchedDatabase(away, clock)


def read(database: WatchedDatabase) -> None:
    assert database.read(lambda t: t.execute("SELECT 1")) == [(1,)]


def events(logged: LogCapture) -> list[tuple[str, str]]:
    return [(entry["event"], entry["log_level"]) for entry in logged.entries]


def write(database: WatchedDatabase) -> None:
    database.write("nothing", lambda t: None)


def test_it_fails_until_a_write_is_answered(
    away: DatabaseAway, database: WatchedDatabase, logged: LogCapture
) -> None:
    write(database)
    away.is_away = True
    for _ in range(3):
        with pytest.raises(LedgerUnavailable):
            write(database)
    assert database.is_failing
    away.is_away = False
    read(database)
    assert database.is_failing
    write(database)
    assert not database.is_failing
    assert events(logged) == [("database_failing", "error"), ("database_works_again", "info")]


def test_damage_counts_for_a_while_although_other_transactions_succeed(
    away: DatabaseAway, database: WatchedDatabase, clock: Clock, logged: LogCapture
) -> None:
    away.error = LedgerFailed("damaged", 60)
    away.is_away = True
    with pytest.raises(LedgerFailed):
        read(database)
    away.is_away = False
    read(database)
    assert database.is_failing
    clock.now += DAMAGE_S
    assert not database.is_failing
    read(database)
    assert events(logged) == [("database_failing", "error"), ("database_works_again", "info")]


def test_a_search_that_takes_too_long_says_nothing_about_the_database(
    away: DatabaseAway, database: WatchedDatabase, logged: LogCapture
) -> None:
    away.is_away = True
    with pytest.raises(LedgerUnavailable):
        read(database)
    assert not database.is_failing
    assert events(logged) == []


def test_other_errors_say_nothing_about_the_database(
    away: DatabaseAway, database: WatchedDatabase, logged: LogCapture
) -> None:
    away.error = ValueError("a bug")
    away.is_away = True
    with pytest.raises(ValueError, match="a bug"):
        read(database)
    assert not database.is_failing
    assert events(logged) == []
