"""The feeds of all live sessions, and how many read them.

They are the :class:`.SessionFollowers` of the server.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from anyio import from_thread

from auricle.apis.readers.feed import NO_FEED_LOG, FeedLog, SessionFeed
from auricle.apis.readers.wire.events import KeepAlive
from auricle.ledger.databases.database import Transaction
from auricle.server.live.followers import (
    SessionFollowers,
    UnfinishedAudioOf,
    no_unfinished_audio,
)
from auricle.values.errors import NotFound, Overloaded
from auricle.values.types import ANONYMOUS, ClientId

KEEP_ALIVE_S = 15.0
"""Longest silence of a feed, in seconds; proxies time out after 60 s."""
ENDED_S = 60.0
"""Time for which the feed of an ended session is kept, in seconds: players of HLS are half a minute
behind, and browsers reconnect."""
MAX_ENDED = 256
"""Ended feeds of all keys; beyond that, those of the key with most of them are dropped."""
RETRY_S = 10
FEED_SHARE = 0.5
"""Maximum share of all readers for one feed, so that a reading link can't exclude other feeds."""
OWNER_SHARE = 0.75
"""Maximum share of all readers for the feeds of one key."""


class Feeds(SessionFollowers):
    """The feeds of one server, by the id of their session.

    Args:
        max_readers: Maximum readers that are connected at once.
        log: Keeps feeds over a restart of the server.
    """

    def __init__(self, max_readers: int, log: FeedLog = NO_FEED_LOG) -> None:
        self._max_readers = max_readers
        self._log = log
        self._feeds: dict[str, SessionFeed] = {}
        self._ended_at: dict[str, float] = {}
        self._changed_at: dict[str, tuple[int, float]] = {}
        self._waits_until: dict[str, float] = {}
        self.readers = 0

    def open(
        self,
        session_id: str,
        owner: ClientId | None,
        source: str,
        start_sample: int = 0,
        request_id: str = "",
        *,
        can_return: bool = False,
        end_before: object = None,
        unfinished_audio: UnfinishedAudioOf = no_unfinished_audio,
    ) -> SessionFeed:
        """Open the feed of a new session, or continue the one that waits for its speaker.

        See :meth:`.SessionFollowers.open` for the arguments.
        """
        if self._waits_until.pop(session_id, None) is not None:
            feed = self._feeds[session_id]
            feed.continue_session()
            return feed
        feed = SessionFeed(
            session_id,
            owner,
            source,
            time.time(),
            start_sample,
            request_id,
            can_return=can_return and self._log is not NO_FEED_LOG,
        )
        self._feeds[session_id] = feed
        return feed

    # Feeds that survive a restart.

    async def keep(self, feed: SessionFeed) -> None:
        """Keep a feed that is read over a restart, if its speaker can return.

        It waits until that is stored, for a limited time.
        """
        if not feed.can_return or feed.is_logged or feed.is_ended:
            return
        feed.keep_in(self._log)
        await self._log.until_stored()

    def restore(self, feeds: Iterable[SessionFeed], until: float) -> None:
        """Take restored feeds, which wait for their speakers until a monotonic time."""
        for feed in feeds:
            self._feeds[feed.id] = feed
            self._waits_until[feed.id] = until

    def suspend(self, session_id: str) -> None:
        """End the streams of a feed that the next server continues."""
        self._feeds[session_id].suspend()

    def suspend_waiting(self) -> None:
        """End the streams of all feeds whose speakers have not returned."""
        for id in self._waits_until:
            self.suspend(id)

    def await_speaker(self, session_id: str, until: float) -> None:
        """Keep a feed for another session of its speaker; no-op if it would not survive one."""
        feed = self._feeds.get(session_id)
        if feed is not None and feed.is_logged:
            self._waits_until[session_id] = until

    def is_waiting(self, client: ClientId, session_id: str) -> bool:
        """Return whether a client's feed waits for its speaker."""
        return session_id in self._waits_until and self._feeds[session_id].owner == client

    def is_logged(self, session_id: str) -> bool:
        """Return whether a feed survives a restart."""
        feed = self._feeds.get(session_id)
        return feed is not None and feed.is_logged

    def set_away(self, session_id: str, *, is_away: bool) -> None:
        """Note whether a speaker has no connection; no-op if the feed is forgotten."""
        if (feed := self._feeds.get(session_id)) is not None:
            feed.set_away(is_away)

    def logged(self) -> list[str]:
        """Ids of the sessions whose feeds survive a restart."""
        return [id for id, feed in self._feeds.items() if feed.is_logged]

    def complete(self, session_id: str, sample: int) -> None:
        """Note that all speech before a position is in finals; no-op if the feed is forgotten."""
        if (feed := self._feeds.get(session_id)) is not None:
            feed.finals_until(sample)

    def end(self, session_id: str, reason: str, sample: int, now: float) -> None:
        """End a feed, which can be read for a while longer; no-op if it has ended before.

        Args:
            session_id: The session's id.
            reason: See :class:`.Ended`.
            sample: Position of the session's end.
            now: Monotonic seconds.
        """
        feed = self._feeds.get(session_id)
        if feed is None or session_id in self._ended_at:
            return
        self._waits_until.pop(session_id, None)
        feed.finals_until(sample)
        feed.end(reason)
        self._ended_at[session_id] = now
        if len(self._ended_at) > MAX_ENDED:
            self._forget_one()

    def rename_known(
        self, transaction: Transaction, owner: ClientId, name: str, new: str | None
    ) -> None:
        """Change a name in the feeds of an owner; called in a thread of the event loop."""
        from_thread.run_sync(self._rename_known, owner, name, new)

    def _rename_known(self, owner: ClientId, name: str, new: str | None) -> None:
        for feed in self._feeds.values():
            if feed.owner == owner:
                feed.rename_known(name, new)

    def find(self, client: ClientId, session_id: str) -> SessionFeed:
        """Return the feed of a client's session.

        Raises:
            NotFound: There is no such session, or it is of another key.
        """
        feed = self._feeds.get(session_id)
        if feed is None or feed.owner != client:
            raise NotFound("Unknown session. It has ended, or belongs to another key or server.")
        return feed

    def of(self, client: ClientId) -> list[SessionFeed]:
        """Return the feeds of a client's sessions that have not ended, the oldest first."""
        return [feed for feed in self._feeds.values() if feed.owner == client and not feed.is_ended]

    @contextmanager
    def reading(self, feed: SessionFeed) -> Iterator[None]:
        """Count a reader.

        Raises:
            Overloaded: There are too many, of the feed, of its owner or of all feeds.
        """
        if feed.readers >= self._max_readers * FEED_SHARE:
            raise Overloaded("This session has too many readers; try again later.", RETRY_S)
        owned = sum(each.readers for each in self._feeds.values() if each.owner == feed.owner)
        if feed.owner != ANONYMOUS and owned >= self._max_readers * OWNER_SHARE:
            raise Overloaded("This key has too many readers; try again later.", RETRY_S)
        if self.readers >= self._max_readers:
            raise Overloaded("The server's limit of readers is reached; try again later.", RETRY_S)
        self.readers += 1
        feed.readers += 1
        try:
            yield
        finally:
            self.readers -= 1
            feed.readers -= 1

    def tick(self, now: float) -> None:
        """Keep silent connections alive, and forget sessions that have ended a while ago."""
        for id, feed in self._feeds.items():
            number, changed_at = self._changed_at.get(id, (-1, now))
            if feed.last_number != number:
                self._changed_at[id] = feed.last_number, now
            elif now - changed_at >= KEEP_ALIVE_S and feed.readers and not feed.is_ended:
                feed.publish(KeepAlive())
        for id in [id for id, until in self._waits_until.items() if now >= until]:
            self.end(id, "speaker_left", 0, now)
        for id in [id for id, at in self._ended_at.items() if now - at >= ENDED_S]:
            self._forget(id)

    def _forget_one(self) -> None:
        """Forget the oldest ended feed of the key that has most of them."""
        owners = Counter(self._feeds[id].owner for id in self._ended_at)
        owner = max(owners, key=owners.__getitem__)
        self._forget(next(id for id in self._ended_at if self._feeds[id].owner == owner))

    def _forget(self, session_id: str) -> None:
        for kept in (self._feeds, self._ended_at, self._changed_at):
            kept.pop(session_id, None)
