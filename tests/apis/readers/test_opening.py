from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from auricle.apis.readers.opening import open_feeds
from auricle.apis.readers.settings import ReadersSettings
from auricle.config.settings import Settings
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.live.followers import FollowerContext
from auricle.server.webhooks import Webhooks
from auricle.values.errors import NotFound
from auricle.values.types import ClientId
from tests.apis.readers.test_feed import final
from tests.support.models import models_of
from tests.support.scripted_engine import SPEC
from tests.support.transcriber import FakeTranscriber

pytestmark = pytest.mark.anyio

ALICE = ClientId("alice")
SETTINGS = Settings(optional={ReadersSettings: ReadersSettings(max_readers=4)})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase.open(tmp_path)
    yield opened
    opened.close()


def context(database: SqliteDatabase, gateway: str | None) -> FollowerContext:
    models, registry = models_of(SPEC), CollectorRegistry()
    transcriber, checks = FakeTranscriber(), Webhooks().check_url
    return FollowerContext(SETTINGS, database, gateway, registry, transcriber, models, checks)


async def test_a_feed_that_is_read_continues_on_the_next_server(database: SqliteDatabase) -> None:
    async with open_feeds(context(database, "")) as feeds:
        feed = feeds.open("s1", ALICE, "native", can_return=True)
        await feeds.keep(feed)
        feed.publish(final(1))
    async with open_feeds(context(database, "")) as feeds:
        assert feeds.is_waiting(ALICE, "s1")
        assert [each.id for each in feeds.find(ALICE, "s1").finals] == [1]
    async with open_feeds(context(database, "other")) as feeds:
        with pytest.raises(NotFound):
            feeds.find(ALICE, "s1")


async def test_without_a_name_of_the_server_a_feed_ends_with_it(database: SqliteDatabase) -> None:
    async with open_feeds(context(database, None)) as feeds:
        feed = feeds.open("s1", ALICE, "native", can_return=True)
        await feeds.keep(feed)
        assert not feed.is_logged


async def test_readers_are_counted_in_the_metrics(database: SqliteDatabase) -> None:
    opened = context(database, None)
    async with open_feeds(opened) as feeds:
        with feeds.reading(feeds.open("s1", ALICE, "native")):
            assert opened.metrics.get_sample_value("auricle_live_readers") == 1
        assert opened.metrics.get_sample_value("auricle_live_readers") == 0
