"""Jobs and databases for tests of the ledger."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.databases.database import (
    Checkpoint,
    Database,
    T,
    Transaction,
    Value,
    no_checkpoint,
)
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.events import Event
from auricle.ledger.jobs.job import Job, JobSpec, JobState, Outcome
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import LedgerUnavailable
from auricle.values.types import ClientId
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import Delivery, DeliveryState

POISONED = Outcome(JobState.FAILED, keep_s=60)


def a_spec(
    job_id: str = "job-1",
    owner: str = "key",
    *,
    digest: str = "digest",
    audio: str = "audio-1",
    audio_bytes: int = 1000,
    callback_url: str | None = None,
    keep_audio_s: float = 0.0,
) -> JobSpec:
    """Return a submission."""
    return JobSpec(
        owner=ClientId(owner),
        job_id=job_id,
        uid=f"uid-{owner}-{job_id}",
        trace_id=f"trace-{job_id}",
        digest=digest,
        request=b"{}",
        api="native",
        answer=b"",
        audio=audio,
        audio_bytes=audio_bytes,
        callback_url=callback_url,
        keep_audio_s=keep_audio_s,
    )


def a_job(number: int = 1, now: float = 0.0, spec: JobSpec | None = None) -> Job:
    """Return a job that was just accepted."""
    return Job(number, spec or a_spec(), accepted_at=now, ready_at=now)


def damage(path: Path) -> None:
    """Overwrite the heads of most pages of a SQLite file, which may be open."""
    with path.open("r+b") as file:
        for position in range(4096 * 4, path.stat().st_size - 4096, 4096):
            file.seek(position)
            file.write(b"\xff" * 64)


def open_at(location: str, checkpoint: Checkpoint = no_checkpoint) -> Database:
    """Open the database in a directory, or at a connection string of PostgreSQL."""
    if "host=" not in location:
        return SqliteDatabase.open(Path(location), checkpoint=checkpoint)
    from auricle.ledger.databases.postgres.database import (
        PostgresDatabase,  # psycopg may be missing
    )

    return PostgresDatabase.open(location, checkpoint=checkpoint)


def open_audio_at(location: str, checkpoint: Checkpoint = no_checkpoint) -> AudioStore:
    """Open the store of audio in a directory, or at ``s3://`` at ``AWS_ENDPOINT_URL_S3``."""
    if not location.startswith("s3://"):
        return AudioDirectory(Path(location), checkpoint)
    from auricle.ledger.audio.s3.bucket import AudioBucket  # botocore may be missing

    return AudioBucket(location, Path(tempfile.gettempdir()))


class DatabaseAway:
    """Passes transactions on, but not while it is away.

    Args:
        database: The database.
        error: Raised while it is away; by default as if it did not answer.
    """

    def __init__(self, database: Database, error: Exception | None = None) -> None:
        self._database = database
        self.error = error or LedgerUnavailable("away", 1)
        self.is_away = False
        self.refusals = 0

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run a transaction, or refuse it."""
        self._check()
        return self._database.write(name, work)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Read, or refuse to."""
        self._check()
        return self._database.read(work)

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait as the database does."""
        return self._database.wait_for_work(timeout_s)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _check(self) -> None:
        if self.is_away:
            self.refusals += 1
            raise self.error


def earlier_webhook(database: Database) -> None:
    """Store a job that has failed, and its webhook, as version 12 of the schema did."""
    job: dict[str, Value] = {
        **{"owner": "key", "job_id": "job-1", "uid": "uid-1", "trace_id": "t", "digest": "d"},
        **{"request": b"{}", "audio": "a", "audio_bytes": 1, "callback_url": "https://a.example"},
        **{"accepted_at": 1.0, "ready_at": 1.0, "state": "failed", "fence": 1, "lease_until": 0.0},
        **{"losses": 0, "has_audio": 0, "progress": 0.5, "text": ""},
    }
    webhook: dict[str, Value] = {
        **{"event_id": "uid-1.failed", "job_number": 1, "owner": "key"},
        **{"url": "https://a.example/hook", "receiver": "a.example", "created_at": 1.0},
        **{"next_at": 2.0, "state": "pending", "attempts": 3, "status": 500},
    }
    for table, row in (("jobs", job), ("deliveries", webhook)):
        marks = ", ".join("?" for _ in row)
        statement = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"
        database.write("row", partial(_execute, statement, list(row.values())))


def _execute(statement: str, values: Sequence[Value], transaction: Transaction) -> None:
    transaction.execute(statement, *values)


def assert_webhook_was_migrated(database: Database) -> None:
    """Check that the webhook is an event of its job, and ends as if nothing had happened."""
    events, ledger = StoredEvents(database), Ledger(database, "gateway", POISONED)
    event = Event("uid-1.failed", "job.failed", "jobs/uid-1", "key")
    url, pending = "https://a.example/hook", DeliveryState.PENDING
    assert events.of("jobs/uid-1") == [Delivery(event, url, "a.example", 1.0, 2.0, pending, 3, 500)]
    job = ledger.accepted("uid-1")
    assert job is not None
    assert (job.spec.api, job.spec.answer) == ("native", b"")
    attempt = events.next_delivery(2.0)
    assert attempt is not None
    assert events.end_attempt(attempt, 200, 2.0) is not None
