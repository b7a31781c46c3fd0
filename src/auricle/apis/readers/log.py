"""Keeps the feeds of sessions in the database, in order and without delaying the sessions.

Readers get a final once it is stored, but it waits for a second at most, as does the speaker's
connection. If the database does not answer, changes wait in memory. When too many wait, or the
database refuses one, the feed is given up: it is deleted and ends with the server.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import anyio
import msgspec
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.apis.readers.feed import SessionFeed
from auricle.apis.readers.stored_feeds import (
    FeedChange,
    FeedEnd,
    FeedFinal,
    FeedProgress,
    StoredFeed,
    StoredFeeds,
)
from auricle.server.live.background_writer import BackgroundWriter
from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.types import SAMPLES_PER_MS, ClientId

SHOW_LIMIT_S = 1.0
"""Longest time that a final waits for its storage before readers and speaker get it."""
CHECK_S = 0.25
TOUCH_S = 60.0
"""Interval of noting which sessions this server still has, in seconds."""
MAX_RESTORED = 1000
"""Feeds that a restarted server restores."""

_log = structlog.get_logger("auricle.server")


class _Withdrawals(msgspec.Struct, array_like=True):
    tokens: dict[str, int]
    refused_until: int


class _StoredFinal(msgspec.Struct, array_like=True):
    """A final, and as players of HLS have it, if its speakers were revised since."""

    final: Final
    captioned: Final | None


@dataclass(slots=True)
class _Pending:
    """A change that waits; ``is_shown``: readers have it, stored or not."""

    feed: SessionFeed
    change: FeedChange
    at: float
    is_shown: bool = False

    def show(self) -> None:
        if self.is_shown:
            return
        self.is_shown = True
        match self.change:
            case FeedFinal(number=number):
                self.feed.note_stored(number)
            case FeedProgress(final_ms=final_ms):
                self.feed.note_progress(final_ms)


class LedgerFeedLog:
    """Stores feeds in the background; see the module.

    Args:
        stored: Where they are stored.
        gateway: The name of this server.
    """

    def __init__(self, stored: StoredFeeds, gateway: str) -> None:
        self._stored = stored
        self._gateway = gateway
        self._added = self._done = 0
        self._saves: dict[SessionFeed, _Pending] = {}
        """The feeds that no batch has yet. Each waits once, however often it changes: a client that
        withdraws many tokens must not delay what is said in other sessions."""
        self._threads = CapacityLimiter(1)
        self._writer = BackgroundWriter[_Pending](
            write=self._write,
            done=self._show,
            give_up=self._refuse,
            wait=self._note_wait,
            threads=self._threads,
            parts=self._taken,
        )

    # Called by a feed.

    def save(self, feed: SessionFeed) -> None:
        """Store the feed without its finals, or its withdrawn tokens if it is stored."""
        assert feed.owner is not None, "a feed without an owner has no readers"
        withdrawn = msgspec.json.encode(_Withdrawals(*feed.withdrawals)).decode()
        waiting = self._saves.get(feed)
        if waiting is not None and isinstance(waiting.change, StoredFeed):
            waiting.change = replace(waiting.change, withdrawn=withdrawn)
            return
        record = StoredFeed(
            session=feed.id,
            gateway=self._gateway,
            owner=feed.owner,
            source=feed.source,
            request_id=feed.request_id,
            started_at=feed.started_at,
            start_ms=feed.start_ms,
            final_ms=feed.final_ms,
            withdrawn=withdrawn,
            number=0,
        )
        self._put(feed, record)

    def add(self, feed: SessionFeed, number: int, final: Final, first_number: int) -> None:
        """Store a final, and delete those before ``first_number``."""
        stored = msgspec.json.encode(_StoredFinal(final, feed.captioned(final.id)))
        self._put(feed, FeedFinal(feed.id, number, stored, first_number))

    def progress(self, feed: SessionFeed, final_ms: int) -> None:
        """Store the position up to which captions are final."""
        self._put(feed, FeedProgress(feed.id, final_ms))

    def remove(self, feed: SessionFeed) -> None:
        """Delete the feed, whose session has ended."""
        self._append(feed, FeedEnd(feed.id))

    def _put(self, feed: SessionFeed, change: FeedChange) -> None:
        if self._writer.is_full:
            self._give_up(feed)
        else:
            self._append(feed, change)

    def _append(self, feed: SessionFeed, change: FeedChange) -> None:
        self._added += 1
        pending = _Pending(feed, change, time.monotonic())
        if isinstance(change, StoredFeed):
            self._saves[feed] = pending
        self._writer.put(pending)

    def _give_up(self, feed: SessionFeed) -> None:
        if feed.is_logged:
            _log.error("feed_not_kept", session=feed.id)
            feed.drop_log()
            self.remove(feed)

    # Background work.

    async def until_stored(self) -> None:
        """Wait until all changes so far are stored, for a limited time."""
        added = self._added
        with anyio.move_on_after(SHOW_LIMIT_S):
            while self._done < added:
                await self._writer.progress()

    async def run(self, sessions: Callable[[], Sequence[str]]) -> None:
        """Store changes until cancelled; then store what is left.

        Args:
            sessions: Returns the ids of the sessions whose feeds are stored.
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._show_late)
                group.start_soon(self._touch, sessions)
                await self._writer.run()
        finally:
            if changes := len(self._writer.pending):
                _log.error("feeds_not_kept", changes=changes)

    def _taken(self, batch: Sequence[_Pending]) -> Iterable[Sequence[_Pending]]:
        """Note that a batch is written as it is now."""
        for each in batch:
            if self._saves.get(each.feed) is each:
                del self._saves[each.feed]
        return (batch,)

    def _write(self, batch: Sequence[_Pending]) -> None:
        self._stored.write([each.change for each in batch], time.time())

    def _show(self, batch: Sequence[_Pending]) -> None:
        self._done += len(batch)
        for each in batch:
            each.show()

    def _refuse(self, batch: Sequence[_Pending], error: Exception) -> None:
        log_unexpected(error)
        for each in batch:
            self._give_up(each.feed)

    def _note_wait(self, error: AuricleError) -> None:
        _log.warning("feeds_wait", changes=len(self._writer.pending), code=error.code)

    async def _show_late(self) -> None:
        while True:
            await anyio.sleep(CHECK_S)
            late_at = time.monotonic() - SHOW_LIMIT_S
            for each in self._writer.pending:
                if each.at > late_at:
                    break
                each.show()

    async def _touch(self, sessions: Callable[[], Sequence[str]]) -> None:
        while True:
            await anyio.sleep(TOUCH_S)
            try:
                await to_thread.run_sync(
                    self._stored.touch,
                    sessions(),
                    time.time(),
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
            except AuricleError as error:
                self._note_wait(error)
            except Exception as error:
                log_unexpected(error)

    # At the start.

    def restored(self, seen_after: float) -> list[SessionFeed]:
        """Return the feeds of this server's last run, and delete those of earlier ones; blocks.

        Args:
            seen_after: Unix time in seconds; feeds that were written earlier are deleted.

        Raises:
            LedgerUnavailable: The database does not answer.
            LedgerFull: The disk is full.
        """
        found = self._stored.take_over(self._gateway, seen_after, MAX_RESTORED)
        feeds: list[SessionFeed] = []
        for record, finals in found:
            try:
                feeds.append(self._restored(record, finals))
            except msgspec.MsgspecError:  # of another version
                _log.warning("feed_unreadable", session=record.session)
                self._stored.write([FeedEnd(record.session)], record.started_at)
        return feeds

    def _restored(self, record: StoredFeed, finals: Sequence[tuple[int, bytes]]) -> SessionFeed:
        withdrawals = msgspec.json.decode(record.withdrawn, type=_Withdrawals)
        feed = SessionFeed(
            record.session,
            ClientId(record.owner),
            record.source,
            record.started_at,
            record.start_ms * SAMPLES_PER_MS,
            record.request_id,
            can_return=True,
        )
        stored = [(each, msgspec.json.decode(final, type=_StoredFinal)) for each, final in finals]
        feed.restore(
            [(number, each.final, each.captioned) for number, each in stored],
            record.number,
            record.final_ms,
            (withdrawals.tokens, withdrawals.refused_until),
            self,
        )
        return feed
