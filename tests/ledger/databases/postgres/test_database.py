"""What only a PostgreSQL server can do wrong."""

import contextlib
import os
import subprocess
import threading
from pathlib import Path

import pytest

from auricle.ledger.databases.postgres.schema import POSTGRES_MIGRATIONS
from auricle.ledger.databases.postgres.spec import SPEC
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import (
    LedgerCorrupt,
    LedgerFailed,
    LedgerForeign,
    LedgerNewer,
    LedgerUnavailable,
    LedgerUnusable,
)
from tests.support.ledger import a_spec, assert_webhook_was_migrated, earlier_webhook
from tests.support.poll import wait_until
from tests.support.postgres import PostgresServer

postgres_module = pytest.importorskip(
    "auricle.ledger.databases.postgres.database",
    reason="psycopg is missing: pip install 'psycopg[binary,pool]'",
)
psycopg = pytest.importorskip("psycopg")
PostgresDatabase = postgres_module.PostgresDatabase

POISONED = Outcome(JobState.FAILED, keep_s=60)
QUOTA = Quota(max_jobs=1000, max_ended_jobs=1000, max_audio_bytes=10**9)
NOW = 1.8e9


@pytest.fixture
def conninfo(postgres: PostgresServer) -> str:
    postgres.empty()
    return postgres.conninfo


def test_a_server_that_is_not_there_is_a_setup_error_without_the_password() -> None:
    with pytest.raises(LedgerUnusable) as error:
        PostgresDatabase.open("host=/nonexistent user=auricle password=secret", wait_s=1)

    assert "secret" not in str(error.value)


@pytest.mark.wall_clock
@pytest.mark.parametrize(
    ("conninfo", "reason"),
    [
        ("postgresql://auricle:secret@127.0.0.1:1/jobs", "(Connection refused)"),
        ("host=/nonexistent user=secret", "(No such file or directory)"),
        ("postgresql://auricle:top@secret.invalid/jobs", "("),  # a part of a password as a host
    ],
)
def test_a_server_that_is_away_is_reported_with_the_reason_and_without_names(
    conninfo: str, reason: str
) -> None:
    with pytest.raises(LedgerUnusable) as error:
        PostgresDatabase.open(conninfo, wait_s=1)

    assert reason in str(error.value)
    assert "AURICLE_DATABASE_URL" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.wall_clock
def test_a_database_that_is_not_there_is_reported_without_its_name(conninfo: str) -> None:
    with pytest.raises(LedgerUnusable, match="does not exist") as error:
        PostgresDatabase.open(f"{conninfo} dbname=secret", wait_s=1)

    assert "secret" not in str(error.value)


def test_tables_that_are_missing_are_reported(conninfo: str) -> None:
    PostgresDatabase.open(conninfo).close()
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE auricle_schema SET version = 2")
        connection.execute("DROP TABLE deliveries, jobs CASCADE")

    with pytest.raises(LedgerCorrupt):
        PostgresDatabase.open(conninfo)


def test_a_malformed_url_is_a_setup_error_and_its_password_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(LedgerUnusable, match="not a PostgreSQL URL"):
        PostgresDatabase.open("postgres//auricle:secret@db/auricle", wait_s=1)

    assert "secret" not in caplog.text


def test_another_programs_tables_are_refused(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE jobs (id INTEGER)")

    with pytest.raises(LedgerForeign):
        PostgresDatabase.open(conninfo)


def test_webhooks_of_an_earlier_version_are_events(conninfo: str) -> None:
    before = PostgresDatabase.open(conninfo, migrations=POSTGRES_MIGRATIONS[:12])
    earlier_webhook(before)
    before.close()
    database = PostgresDatabase.open(conninfo)
    assert_webhook_was_migrated(database)
    database.close()


def test_a_newer_version_is_refused(conninfo: str) -> None:
    PostgresDatabase.open(conninfo).close()
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE auricle_schema SET version = 1000")

    with pytest.raises(LedgerNewer, match="schema version 1000"):
        PostgresDatabase.open(conninfo)


def test_a_database_that_cannot_store_every_character_is_refused(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )

    with pytest.raises(LedgerUnusable, match="LATIN1"):
        PostgresDatabase.open(f"{conninfo} dbname=latin")


def test_gateways_that_start_at_once_create_the_tables_once(conninfo: str) -> None:
    opened: list[object] = []
    threads = [
        threading.Thread(target=lambda: opened.append(PostgresDatabase.open(conninfo)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(opened) == 3
    for database in opened:
        database.close()  # type: ignore[attr-defined]


def test_closing_ends_the_wait_for_work(conninfo: str) -> None:
    database = PostgresDatabase.open(conninfo)
    waited: list[bool] = []
    waiter = threading.Thread(
        target=lambda: waited.append(database.wait_for_work(3600)), daemon=True
    )
    waiter.start()
    wait_until(lambda: database._listener, "the thread listens")
    database.close()
    waiter.join(120)
    assert waited == [False]
    assert not database.wait_for_work(3600)
    assert database._listener is None


def test_connections_that_were_cut_are_replaced(conninfo: str) -> None:
    database = PostgresDatabase.open(conninfo)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.wait_for_work(0.01)
    for index in range(3):
        ledger.accept(a_spec(str(index)), QUOTA, NOW)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'auricle'"
            )
    ledger.wait_for_work(0.01)

    assert ledger.backlog().queued == 3
    database.close()


def test_a_connection_cut_in_mid_transaction_repeats_it_once_in_effect(conninfo: str) -> None:
    cuts: list[str] = []

    def cut(step: str) -> None:
        if step == "accept: before commit" and not cuts:
            cuts.append(step)
            with psycopg.connect(conninfo, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE application_name = 'auricle'"
                )

    database = PostgresDatabase.open(conninfo, checkpoint=cut)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec(), QUOTA, NOW)

    assert cuts
    assert ledger.backlog().queued == 1
    database.close()


@pytest.mark.wall_clock
def test_while_the_server_is_away_jobs_are_refused_and_later_accepted(
    postgres: PostgresServer, conninfo: str
) -> None:
    database = PostgresDatabase.open(conninfo, wait_s=3)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec("1"), QUOTA, NOW)
    postgres.stop()
    try:
        with pytest.raises(LedgerUnavailable) as error:
            ledger.accept(a_spec("2"), QUOTA, NOW)
        assert ledger.wait_for_work(0.01) is False
    finally:
        postgres.start()
    for _ in range(20):  # the pool connects again in its own time
        with contextlib.suppress(LedgerUnavailable):
            ledger.accept(a_spec("2"), QUOTA, NOW)
            break

    assert error.value.http_status == 503
    assert ledger.backlog().queued == 2
    database.close()


@pytest.mark.wall_clock
def test_a_lock_that_is_not_released_is_a_passing_error(conninfo: str) -> None:
    database = PostgresDatabase.open(conninfo, wait_s=2)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec(), QUOTA, NOW)
    with psycopg.connect(conninfo) as other:
        other.execute("SELECT * FROM jobs FOR UPDATE")
        assert ledger.lease(NOW) is None  # others' rows are left out
        with pytest.raises(LedgerUnavailable):
            ledger.cancel(a_spec().owner, "job-1", 60, NOW)
    assert ledger.lease(NOW) is not None
    database.close()


def test_tables_that_were_removed_are_reported(conninfo: str) -> None:
    database = PostgresDatabase.open(conninfo)
    with psycopg.connect(conninfo) as connection:
        connection.execute("DROP TABLE jobs CASCADE")
    with pytest.raises(LedgerFailed):
        Ledger(database, "gateway", POISONED).backlog()
    database.close()


def test_the_commands_of_auricle_backup_lead_back_to_the_version_before(
    conninfo: str, tmp_path: Path
) -> None:
    earlier = POSTGRES_MIGRATIONS[:-1]
    database = PostgresDatabase.open(conninfo, migrations=earlier)
    Ledger(database, "gateway", POISONED).accept(a_spec("kept"), QUOTA, NOW)
    database.close()

    def run(command: str, url: str) -> None:
        environ = os.environ | {"AURICLE_DATABASE_URL": url}
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, env=environ)

    run(SPEC.backup, conninfo)
    database = PostgresDatabase.open(conninfo)
    Ledger(database, "gateway", POISONED).accept(a_spec("later"), QUOTA, NOW)
    database.close()
    with pytest.raises(LedgerNewer):
        PostgresDatabase.open(conninfo, migrations=earlier)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    restored = conninfo.replace("dbname=postgres", "dbname=restored")
    run(SPEC.restore, restored)

    database = PostgresDatabase.open(restored, migrations=earlier)
    assert database.read(lambda t: t.execute("SELECT job_id FROM jobs")) == [("kept",)]
    database.close()
