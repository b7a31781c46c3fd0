"""A real server with kept transcripts."""

import time
from collections.abc import Iterator

import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.values.types import ClientId
from tests.support.command import serving
from tests.support.job_server_fixtures import server

__all__ = ["server"]

KEY = "anna-schlüssel"
NOON = (time.time() // 86_400 - 1) * 86_400 + 43_200
"""Of yesterday, in UTC: what is older than 30 days is deleted."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a server whose database has three transcripts of anna."""
    folder = tmp_path_factory.mktemp("api")
    database = SqliteDatabase.open(folder / "state")
    transcripts = Transcripts(database)
    for uid, language, started_at in (
        ("async", "fr", NOON - 7200),
        ("older", "de", NOON - 3600),
        ("talk", "en", NOON),
    ):
        transcripts.add(
            KeptTranscript(uid, ClientId("anna"), "native", language, started_at, started_at + 9),
            [
                KeptSegment(0, 0, 900, "The report is late.", 0),
                KeptSegment(1, 1000, 1900, "Nobody read it.", 1),
                KeptSegment(2, 2000, 2900, "I did.", 2),
            ],
        )
    database.close()
    settings = {"state_dir": folder / "state", "keep_transcripts": 1, "api_keys": f"anna:{KEY}"}
    with serving(folder, **settings) as (_, address):
        yield address
