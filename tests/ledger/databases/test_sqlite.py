"""What only the SQLite file can do wrong."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.database import Transaction
from auricle.ledger.databases.schema import SQLITE_MIGRATIONS
from auricle.ledger.databases.sqlite import FILE_NAME, LOCK_NAME, SqliteDatabase
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import (
    LedgerCorrupt,
    LedgerFailed,
    LedgerForeign,
    LedgerFull,
    LedgerInUse,
    LedgerNewer,
    LedgerReadOnly,
    LedgerUnavailable,
    LedgerUnusable,
    SetupError,
)
from auricle.values.types import ClientId
from tests.support.ledger import a_spec, assert_webhook_was_migrated, damage, earlier_webhook

POISONED = Outcome(JobState.FAILED, keep_s=60)
QUOTA = Quota(max_jobs=10**6, max_ended_jobs=10**6, max_audio_bytes=10**12)
NOW = 1.8e9


def fill(directory: Path, jobs: int) -> None:
    database = SqliteDatabase.open(directory)
    ledger = Ledger(database, "gateway", POISONED)
    for index in range(jobs):
        ledger.accept(a_spec(str(index)), QUOTA, NOW)
    database.close()


def accept_until_refused(ledger: Ledger) -> int:
    for accepted in range(10_000):
        try:
            ledger.accept(a_spec(str(accepted)), QUOTA, NOW)
        except LedgerFull:
            return accepted
    raise AssertionError("no job was refused")


def test_closing_ends_the_wait_for_work(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    waited: list[bool] = []
    waiter = threading.Thread(
        target=lambda: waited.append(database.wait_for_work(3600)), daemon=True
    )
    waiter.start()
    database.close()
    waiter.join(120)
    assert waited == [False]


def test_commits_are_durable_and_the_file_is_private(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    pragmas = database.read(
        lambda t: [t.execute(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous")]
    )
    database.close()

    assert pragmas == ["wal", 2]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0


def test_deleted_text_is_overwritten(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec("1"), QUOTA, NOW)
    job = ledger.lease(NOW)
    assert job is not None
    secret = b"4111 1111 1111 1111 " * 1000
    ledger.add_chunk(claim_of(job), "key", secret, NOW)
    ledger.delete(job.spec.owner, "1")
    database.close()
    assert secret[:20] not in (tmp_path / FILE_NAME).read_bytes()


def test_words_of_deleted_transcripts_leave_the_search_index(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts, owner = Transcripts(database), ClientId("key")
    for uid, ended_at in (("kept", NOW), ("deleted", NOW), ("expired", NOW - 2)):
        transcript = KeptTranscript(uid, owner, "native", "en", NOW - 9, ended_at)
        for position in range(30):
            transcripts.add(transcript, [KeptSegment(position, 0, 1, f"{uid}secret{position}")])
    assert transcripts.delete(owner, "deleted")
    assert transcripts.expire(NOW - 1) == 1
    assert len(transcripts.search(owner, "keptsecret7")) == 1
    database.close()
    content = (tmp_path / FILE_NAME).read_bytes()
    assert b"keptsecret" in content
    assert b"deletedsecret" not in content
    assert b"expiredsecret" not in content


def test_a_second_server_is_refused_in_words(tmp_path: Path) -> None:
    first = SqliteDatabase.open(tmp_path)
    program = (
        "import sys, pathlib\n"
        "from auricle.ledger.databases.sqlite import SqliteDatabase\n"
        "SqliteDatabase.open(pathlib.Path(sys.argv[1]))\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    with pytest.raises(LedgerInUse, match="Another server uses"):
        SqliteDatabase.open(tmp_path)
    first.close()

    assert "LedgerInUse: Another server uses" in child.stderr
    SqliteDatabase.open(tmp_path).close()


@pytest.mark.parametrize("content", [b"", b"This is not a database, but a text." * 100])
def test_a_file_that_is_no_database_is_reported_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)

    with pytest.raises(LedgerCorrupt) as error:
        SqliteDatabase.open(tmp_path)
    assert error.value.code == "ledger_corrupt"
    assert path.read_bytes() == content


def test_a_database_that_was_removed_is_not_silently_replaced(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path).close()
    SqliteDatabase.open(tmp_path).close()
    (tmp_path / FILE_NAME).unlink()

    with pytest.raises(LedgerCorrupt, match="vanished"):
        SqliteDatabase.open(tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
    (tmp_path / LOCK_NAME).unlink()
    SqliteDatabase.open(tmp_path).close()


def test_damaged_jobs_are_reported_and_kept(tmp_path: Path) -> None:
    fill(tmp_path, 300)
    path = tmp_path / FILE_NAME
    damage(path)
    content = path.read_bytes()

    with pytest.raises(LedgerCorrupt):
        SqliteDatabase.open(tmp_path)
    assert path.read_bytes() == content


def test_damage_that_is_found_later_is_reported_without_the_path(tmp_path: Path) -> None:
    fill(tmp_path, 300)
    database = SqliteDatabase.open(tmp_path)
    damage(tmp_path / FILE_NAME)

    with pytest.raises(LedgerFailed) as error:
        database.read(lambda t: t.execute("SELECT request FROM jobs"))
    assert str(tmp_path) not in str(error.value)
    database.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_was_removed_while_it_is_open_takes_no_more_jobs(
    tmp_path: Path, is_replaced: bool
) -> None:
    database = SqliteDatabase.open(tmp_path)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(a_spec("1"), QUOTA, NOW)
    path, backup = tmp_path / FILE_NAME, tmp_path / "backup"
    path.rename(backup)
    if is_replaced:
        path.write_bytes(backup.read_bytes())
    with pytest.raises(LedgerFailed):
        ledger.accept(a_spec("2"), QUOTA, NOW)
    with pytest.raises(LedgerFailed):
        ledger.find(a_spec("1").owner, "1")

    path.unlink(missing_ok=True)
    backup.rename(path)
    assert ledger.accept(a_spec("2"), QUOTA, NOW)[1]
    database.close()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("CREATE TABLE jobs (id)")

    with pytest.raises(LedgerForeign) as error:
        SqliteDatabase.open(tmp_path)
    assert error.value.code == "ledger_foreign"


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("PRAGMA user_version = 1000")

    with pytest.raises(LedgerNewer, match="schema version 1000"):
        SqliteDatabase.open(tmp_path)


def test_an_older_version_is_migrated_and_keeps_its_jobs(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    migrations = [*SQLITE_MIGRATIONS, ["CREATE TABLE further (name TEXT)"]]
    SqliteDatabase.open(tmp_path, migrations=migrations).close()
    database = SqliteDatabase.open(tmp_path, migrations=migrations)

    assert database.read(lambda t: t.execute("SELECT COUNT(*) FROM jobs")) == [(1,)]
    assert database.read(lambda t: t.execute("SELECT COUNT(*) FROM further")) == [(0,)]
    database.close()


def test_webhooks_of_an_earlier_version_are_events(tmp_path: Path) -> None:
    before = SqliteDatabase.open(tmp_path, migrations=SQLITE_MIGRATIONS[:12])
    earlier_webhook(before)
    before.close()
    database = SqliteDatabase.open(tmp_path)
    assert_webhook_was_migrated(database)
    database.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path).close()
    broken = [*SQLITE_MIGRATIONS, ["CREATE TABLE further (name TEXT)", "CREATE TABLE jobs (id)"]]
    with pytest.raises(sqlite3.OperationalError):
        SqliteDatabase.open(tmp_path, migrations=broken)
    database = SqliteDatabase.open(tmp_path)

    assert (
        database.read(lambda t: t.execute("SELECT name FROM sqlite_master")).count(("further",))
        == 0
    )
    database.close()


def test_a_directory_that_cannot_be_made_is_a_setup_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LedgerReadOnly) as error:
        SqliteDatabase.open(tmp_path / "file" / "state")
    assert isinstance(error.value, SetupError)


def test_a_file_that_can_only_be_read_is_a_setup_error() -> None:
    with TemporaryDirectory() as name:  # pytest's are closed to other users
        folder = Path(name)
        SqliteDatabase.open(folder).close()
        (folder / FILE_NAME).chmod(0o444)
        (folder / LOCK_NAME).chmod(0o666)
        folder.chmod(0o777)
        with unprivileged(), pytest.raises(LedgerReadOnly, match="Check its permissions"):
            SqliteDatabase.open(folder)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be a user to whom permissions apply."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_without_its_tables_is_reported(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        connection.execute("DROP TABLE deliveries")
        connection.commit()
    with pytest.raises(LedgerCorrupt):
        SqliteDatabase.open(tmp_path)


def test_a_file_locked_by_another_program_is_a_passing_error(
    tmp_path: Path,
) -> None:
    database = SqliteDatabase.open(tmp_path, wait_s=0.1)
    ledger = Ledger(database, "gateway", POISONED)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable) as error:
            ledger.accept(a_spec(), QUOTA, NOW)
        other.execute("ROLLBACK")
    assert (error.value.code, error.value.http_status) == ("ledger_unavailable", 503)
    ledger.accept(a_spec(), QUOTA, NOW)
    database.close()


def test_a_file_locked_by_another_program_during_a_migration_is_reported(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path, migrations=SQLITE_MIGRATIONS[:1]).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnusable, match="locked by another program"):
            SqliteDatabase.open(tmp_path, wait_s=0.1)
    SqliteDatabase.open(tmp_path).close()


def test_a_disk_that_is_full_at_the_first_start_is_reported(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "from auricle.values.errors import SetupError\n"
        "from auricle.ledger.databases.sqlite import SqliteDatabase\n"
        "try: SqliteDatabase.open(Path(sys.argv[1]))\n"
        "except SetupError as error: print(error)"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    output = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)

    assert output.stdout.startswith(str(tmp_path))


def test_a_full_disk_refuses_jobs_and_loses_none(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    ledger = Ledger(database, "gateway", POISONED)
    database.write("limit", lambda t: t.execute("PRAGMA max_page_count = 60"))
    accepted = accept_until_refused(ledger)
    assert ledger.backlog().queued == accepted > 0
    database.write("limit", lambda t: t.execute("PRAGMA max_page_count = 1000000"))
    ledger.accept(a_spec("again"), QUOTA, NOW)
    database.close()


def test_a_write_that_the_system_refuses_is_a_passing_error(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    program = (
        "import sys, pathlib, resource, signal\n"
        "from auricle.values.errors import Overloaded\n"
        "from tests.ledger.databases.test_sqlite import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "database = SqliteDatabase.open(pathlib.Path(sys.argv[1]))\n"
        "ledger = Ledger(database, 'gateway', POISONED)\n"
        "limits = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limits[1]))\n"
        "accepted = 0\n"
        "try:\n"
        "    while True:\n"
        "        ledger.accept(a_spec(f'more-{accepted}'), QUOTA, NOW)\n"
        "        accepted += 1\n"
        "except Overloaded as error:\n"
        "    print(error.code)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
        "assert ledger.backlog().queued == accepted + 1\n"
        "ledger.accept(a_spec('again'), QUOTA, NOW)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )

    assert child.returncode == 0, child.stderr
    assert child.stdout.strip() in ("ledger_unavailable", "ledger_full")


def test_a_read_that_sqlite_rolled_back_is_a_passing_error(tmp_path: Path) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.execute("ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    database = SqliteDatabase.open(tmp_path)
    with pytest.raises(LedgerUnavailable):
        database.read(fail)
    assert database.read(lambda t: t.execute("SELECT 1")) == [(1,)]
    database.close()


def test_a_read_without_end_is_ended(tmp_path: Path) -> None:
    endless = (
        "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT MAX(x) FROM n"
    )
    database = SqliteDatabase.open(tmp_path, wait_s=0.1)
    with pytest.raises(LedgerUnavailable, match="in time"):
        database.read(lambda t: t.execute(endless))
    assert database.read(lambda t: t.execute("SELECT 1")) == [(1,)]
    database.close()


def test_ten_thousand_queued_jobs_cost_no_memory_at_start(tmp_path: Path) -> None:
    SqliteDatabase.open(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        ledger_of_one = a_spec()
        connection.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            "WHERE n < 10000) INSERT INTO jobs (owner, job_id, uid, trace_id, digest, request, "
            "audio, audio_bytes, accepted_at, ready_at, state, fence, lease_until, losses, "
            "has_audio, progress, text) SELECT 'key', n, n, n, n, ?, n, 1000, 0, 0, 'queued', 0, "
            "0, 0, 1, 0, '' FROM numbers",
            (ledger_of_one.request,),
        )
        connection.commit()
    tracemalloc.start()
    database = SqliteDatabase.open(tmp_path)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.requeue_all(NOW)
    job = ledger.lease(NOW)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    database.close()

    assert job is not None
    assert peak_bytes < 500_000
