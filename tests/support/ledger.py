"""Jobs and databases for tests of the ledger."""

from pathlib import Path

from auricle.ledger.database import Checkpoint, Database, no_checkpoint
from auricle.ledger.job import Job, JobSpec
from auricle.ledger.sqlite import SqliteDatabase
from auricle.types import ClientId


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
        audio=audio,
        audio_bytes=audio_bytes,
        callback_url=callback_url,
        keep_audio_s=keep_audio_s,
    )


def a_job(number: int = 1, now: float = 0.0, spec: JobSpec | None = None) -> Job:
    """Return a job that was just accepted."""
    return Job(number, spec or a_spec(), accepted_at=now, ready_at=now)


def open_at(location: str, checkpoint: Checkpoint = no_checkpoint) -> Database:
    """Open the database in a directory, or at a connection string of PostgreSQL."""
    if "host=" not in location:
        return SqliteDatabase.open(Path(location), checkpoint=checkpoint)
    from auricle.ledger.postgres import PostgresDatabase  # psycopg may be missing

    return PostgresDatabase.open(location, checkpoint=checkpoint)
