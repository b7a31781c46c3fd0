"""Databases and audio stores for tests of the ledger."""

from pathlib import Path

import pytest

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.audio.store import AudioStore
from tests.support.database_fixtures import database, location, postgres
from tests.support.s3_fixtures import OpenBucket, bucket_settings, open_bucket, s3

__all__ = ["bucket_settings", "database", "location", "open_bucket", "postgres", "s3"]


@pytest.fixture(params=["directory", "bucket"])
def audio(request: pytest.FixtureRequest, tmp_path: Path) -> AudioStore:
    """Return an empty store of audio, once for each kind."""
    if request.param == "directory":
        return AudioDirectory(tmp_path / "audio")
    open_bucket: OpenBucket = request.getfixturevalue("open_bucket")
    return open_bucket()
