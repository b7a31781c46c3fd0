"""What runs while transcripts are kept."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from auricle.apis.transcripts.opening import open_keeper
from auricle.apis.transcripts.settings import TranscriptsSettings
from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.settings import Settings
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.live.followers import FollowerContext
from auricle.server.webhooks import Webhooks
from auricle.values.errors import SetupError
from auricle.values.types import ClientId
from tests.apis.transcripts.test_keeper import FINAL
from tests.support.models import models_of
from tests.support.scripted_engine import SPEC
from tests.support.service import opened
from tests.support.transcriber import FakeTranscriber
from tests.support.webhooks import sending

pytestmark = pytest.mark.server

KEY = ClientId("key")


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://127.0.0.1/"])
async def test_the_operators_receiver_is_checked_at_the_start(tmp_path: Path, url: str) -> None:
    sends = sending(tmp_path, allow_private=False)
    settings: dict[str, Any] = {"keep_transcripts": True, "transcript_webhook_url": url}
    with pytest.raises(SetupError, match="AURICLE_TRANSCRIPT_WEBHOOK_URL must"):
        async with opened(tmp_path / "spool", **sends, **settings):
            pass


@pytest.mark.parametrize("keeps", [True, False])
async def test_what_waits_is_stored_before_the_context_ends(tmp_path: Path, keeps: bool) -> None:
    own = TranscriptsSettings(keep_transcripts=keeps)
    settings = Settings(
        ledger=LedgerSettings(state_dir=tmp_path), optional={TranscriptsSettings: own}
    )
    with closing(SqliteDatabase.open(tmp_path)) as database:
        context = FollowerContext(
            settings,
            database,
            "",
            CollectorRegistry(),
            FakeTranscriber(),
            models_of(SPEC),
            Webhooks().check_url,
        )
        async with open_keeper(context) as keeper:
            follower = keeper.open("session", KEY, "native")
            assert follower.keeps_finals == keeps
            follower.publish(FINAL)
            assert not keeper.open("another", None, "native").keeps_finals
        assert (Transcripts(database).find(KEY, "session") is not None) == keeps
