"""Chooses where jobs are kept: in PostgreSQL or SQLite, their audio in a bucket or a directory."""

from pathlib import Path

import structlog

from auricle.config.settings import LedgerSettings
from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.database import Database
from auricle.ledger.sqlite import SqliteDatabase
from auricle.values.errors import LedgerUnavailable, SetupError

AUDIO_DIRECTORY = "audio"
"""Name of the directory of audio in the state directory."""

_log = structlog.get_logger("auricle.ledger")


def open_database(state_dir: Path, url: str | None) -> Database:
    """Open the database, and create or migrate its tables; blocks.

    Args:
        state_dir: Directory of the SQLite file.
        url: Connection string of PostgreSQL.

    Raises:
        SetupError: The database can't be used; the message says why.
    """
    if url is None:
        return SqliteDatabase.open(state_dir)
    try:
        from auricle.ledger.postgres import PostgresDatabase
    except ModuleNotFoundError as error:
        raise SetupError(
            "AURICLE_DATABASE_URL requires psycopg. Run: pip install 'psycopg[binary,pool]>=3.2'"
        ) from error
    return PostgresDatabase.open(url)


def open_audio(settings: LedgerSettings, copies: Path) -> AudioStore:
    """Open the store of audio; blocks. A service that does not answer is no error.

    Args:
        settings: Where the audio is.
        copies: Directory for local copies of audio that is elsewhere.

    Raises:
        SetupError: The store can't be used; the message says why.
    """
    if settings.audio_url is None:
        return AudioDirectory(settings.directory / AUDIO_DIRECTORY)
    bucket = open_bucket(settings.audio_url, settings, copies)
    try:
        bucket.check()
    except LedgerUnavailable as error:  # live speech needs no jobs
        _log.warning("audio_store_failed", action="check", error=type(error.__cause__).__name__)
    return bucket


def open_bucket(url: str, settings: LedgerSettings, copies: Path) -> AudioStore:
    """Return the bucket of a URL; connects to nothing.

    Raises:
        SetupError: The client is missing, or the settings can't be used.
    """
    try:
        from auricle.ledger.audio.s3 import AudioBucket
    except ModuleNotFoundError as error:
        raise SetupError(
            "AURICLE_AUDIO_URL requires botocore. Run: pip install 'botocore>=1.36'"
        ) from error
    return AudioBucket(url, copies, endpoint=settings.audio_endpoint, region=settings.audio_region)
