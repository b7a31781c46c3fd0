"""Opens the feeds of a server: those of its last run continue."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import structlog
from anyio import to_thread
from prometheus_client import Gauge

from auricle.apis.readers.feed import SessionFeed
from auricle.apis.readers.feeds import Feeds
from auricle.apis.readers.log import TOUCH_S, LedgerFeedLog
from auricle.apis.readers.settings import ReadersSettings
from auricle.apis.readers.stored_feeds import StoredFeeds
from auricle.ledger.databases.database import REFUSALS
from auricle.server.live.followers import FollowerContext
from auricle.server.live.session_secrets import RETURN_S

_log = structlog.get_logger("auricle.server")


@asynccontextmanager
async def open_feeds(context: FollowerContext) -> AsyncIterator[Feeds]:
    """Open the feeds, and store them in the background until the context is left.

    On gateways without names in one database, readers lose their sessions with the server.
    """
    max_readers = context.settings.section(ReadersSettings).max_readers
    gauge = Gauge(
        "auricle_live_readers", "Connected readers of live sessions.", registry=context.metrics
    )
    if context.gateway is None:
        feeds = Feeds(max_readers)
        gauge.set_function(lambda: feeds.readers)
        yield feeds
        return
    log = LedgerFeedLog(StoredFeeds(context.database), context.gateway)
    feeds = Feeds(max_readers, log)
    gauge.set_function(lambda: feeds.readers)
    restored = await to_thread.run_sync(_restored, log)
    feeds.restore(restored, time.monotonic() + RETURN_S)
    async with anyio.create_task_group() as background:
        background.start_soon(log.run, feeds.logged)
        yield feeds
        background.cancel_scope.cancel()


def _restored(log: LedgerFeedLog) -> list[SessionFeed]:
    """Return the feeds of the last run, or none if the database does not answer."""
    try:
        return log.restored(time.time() - RETURN_S - TOUCH_S)
    except REFUSALS as error:
        _log.warning("feeds_not_restored", code=error.code)
        return []
