"""Jobs and databases for tests of the ledger."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.database import Checkpoint, Database, T, Transaction, no_checkpoint
from auricle.ledger.job import Job, JobSpec
from auricle.ledger.sqlite import SqliteDatabase
from auricle.values.errors import LedgerUnavailable
from auricle.values.types import ClientId


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
    from auricle.ledger.postgres import PostgresDatabase  # psycopg may be missing

    return PostgresDatabase.open(location, checkpoint=checkpoint)


def open_audio_at(location: str, checkpoint: Checkpoint = no_checkpoint) -> AudioStore:
    """Open the store of audio in a directory, or at ``s3://`` at ``AWS_ENDPOINT_URL_S3``."""
    if not location.startswith("s3://"):
        return AudioDirectory(Path(location), checkpoint)
    from auricle.ledger.audio.s3 import AudioBucket  # botocore may be missing

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
