"""Feeds that the next server continues, in a real database."""

from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.apis.readers.feed import MAX_FINALS, SessionFeed
from auricle.apis.readers.feeds import Feeds
from auricle.apis.readers.log import LedgerFeedLog
from auricle.apis.readers.stored_feeds import StoredFeeds
from auricle.ledger.databases.database import T, Transaction
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.live import background_writer
from auricle.values.errors import LedgerUnavailable
from auricle.values.events import FinalSpeakers, SpeakerRevision
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, Speaker
from tests.apis.readers.test_feed import (
    LONG,
    OTHER_SPEAKERS,
    SAID,
    Shown,
    final,
    partial,
    read,
    shown_words,
)
from tests.support.poll import poll_until

pytestmark = pytest.mark.anyio

ALICE = ClientId("alice")
TOKEN = "tok2.1800007200.s1.abc"


class Unreliable:
    """A database that can be away, or refuse one change."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.error: Exception | None = None

    def wait_for_work(self, timeout_s: float) -> bool:
        return self._database.wait_for_work(timeout_s)

    def close(self) -> None:
        self._database.close()

    def read(self, work: Callable[[Transaction], T]) -> T:
        return self._database.read(work)

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        if isinstance(self.error, LedgerUnavailable):
            raise self.error
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return self._database.write(name, work)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Unreliable]:
    opened = Unreliable(SqliteDatabase.open(tmp_path))
    yield opened
    opened.close()


@asynccontextmanager
async def running(database: Any) -> Any:
    """Run a log; what waits is stored at the end."""
    log = LedgerFeedLog(StoredFeeds(database), "")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log.run, list[str])
        yield log
        tasks.cancel_scope.cancel()


async def stored(log: LedgerFeedLog) -> None:
    """Wait until all is stored: on a busy machine, longer than readers wait for it."""
    await poll_until(lambda: log._done == log._added, "the storage")


def new_feed() -> SessionFeed:
    return SessionFeed("s1", ALICE, "native", 1_700_000_000.0, can_return=True)


def restored_all(database: Any) -> list[SessionFeed]:
    return LedgerFeedLog(StoredFeeds(database), "").restored(0)


def restored(database: Any) -> SessionFeed:
    [feed] = restored_all(database)
    return feed


async def test_a_final_is_shown_once_it_is_stored(database: Unreliable) -> None:
    feed, shown = new_feed(), Shown()
    feed.publish(final(1))
    async with running(database) as log:
        feed.keep_in(log)
        cursor = feed.cursor(shown, 0)
        assert read(cursor) == ["F1"]  # was shown before
        feed.publish(final(2))
        feed.publish(partial(3))
        assert read(cursor) == []
        assert [each.id for each in feed.finals] == [1]
        await log.until_stored()
        assert read(cursor) == ["F2", "so"]


async def test_the_next_server_continues_a_feed(database: Unreliable) -> None:
    feed, shown = new_feed(), Shown()
    async with running(database) as log:
        for number in (1, 2):
            feed.publish(final(number))
        feed.keep_in(log)
        feed.publish(final(3))
        feed.publish(SpeakerRevision((FinalSpeakers(2, 1, ()),)))
        feed.withdraw(TOKEN)
        feed.finals_until(13 * SAMPLE_RATE_HZ)
        feed.publish(partial(4))
        await stored(log)
        last, segments = feed.last_number, feed.segments
        old = [feed.segment(number) for number in segments]
    again = restored(database)
    assert again.is_withdrawn(TOKEN)
    assert [each.id for each in again.finals] == [1, 2, 3]
    assert [each.speaker for each in again.finals] == [None, 1, None]
    assert (again.segments, [again.segment(number) for number in segments]) == (segments, old)
    assert again.playlist("") == feed.playlist("")
    assert read(again.cursor(shown, last)) == ["SpeakerAway"]
    assert read(again.cursor(shown, 1)) == ["F2", "F3", "SpeakerAway"]
    again.continue_session()
    again.publish(replace(final(1), start_sample=4 * SAMPLE_RATE_HZ, end_sample=80_000))
    assert [each.id for each in again.finals] == [1, 2, 3]  # it waits for the log
    again.drop_log()
    assert [each.id for each in again.finals] == [1, 2, 3, 4]
    assert read(again.cursor(shown, last)) == ["SpeakerAway", "SpeakerBack", "F4"]


async def test_a_name_is_changed_in_what_is_stored(database: Unreliable) -> None:
    feed = new_feed()
    ann = Speaker(0, "Hildegard")
    async with running(database) as log:
        feed.keep_in(log)
        feed.publish(replace(final(1), speaker=0, speakers=(ann,)))
        feed.publish(replace(final(2), speaker=0, speakers=(ann, Speaker(1, "Bob"))))
        feed.finals_until(10 * SAMPLE_RATE_HZ)
        await stored(log)
        assert b"Hildegard" in feed.segment(0)  # a player has it
        feed.publish(SpeakerRevision((FinalSpeakers(2, 0, (), ()),)))
        await stored(log)
        feed.rename_known("Hildegard", None)
        await stored(log)
        rows = database.read(lambda t: t.execute("SELECT final FROM feed_finals"))
    assert len(rows) == 2
    assert not any(b"Hildegard" in bytes(stored) for (stored,) in rows)
    again = restored(database)
    assert [each.speakers for each in again.finals] == [(), ()]
    captioned = again.captioned(2)
    assert captioned is not None
    assert captioned.speakers == (Speaker(1, "Bob"),)


async def test_the_next_server_shows_a_sentence_to_players_as_the_last_one(
    database: Unreliable,
) -> None:
    feed = new_feed()
    async with running(database) as log:
        feed.keep_in(log)
        feed.publish(LONG)
        feed.finals_until(18 * SAMPLE_RATE_HZ)
        await stored(log)
        segments = [feed.segment(0)]
        feed.publish(OTHER_SPEAKERS)
        await stored(log)
    again = restored(database)
    segments += [again.segment(1), again.segment(2)]
    assert shown_words(segments) == sorted(SAID)
    assert next(again.finals).segments is not None  # the speakers are known to others


async def test_a_restart_without_a_final_gives_no_number_twice(database: Unreliable) -> None:
    feed, shown = new_feed(), Shown()
    async with running(database) as log:
        feed.publish(final(1))
        feed.keep_in(log)
        await stored(log)
    last = feed.last_number
    for _ in range(3):
        feed = restored(database)
        for _ in range(20):
            feed.publish(partial(2))
        assert read(feed.cursor(shown, last)) == ["SpeakerAway", "so"]
        last = feed.last_number


async def test_old_finals_leave_the_database_and_an_ended_feed_does(database: Unreliable) -> None:
    feed = new_feed()
    async with running(database) as log:
        feed.keep_in(log)
        for number in range(1, MAX_FINALS + 11):
            feed.publish(final(number))
        await stored(log)
        assert [each.id for each in restored(database).finals] == list(range(11, MAX_FINALS + 11))
        feed.end("closed")
        await stored(log)
    assert LedgerFeedLog(StoredFeeds(database), "").restored(0) == []


async def test_finals_are_shown_although_the_database_does_not_answer(database: Unreliable) -> None:
    feed, shown = new_feed(), Shown()
    async with running(database) as log:
        feed.keep_in(log)
        database.error = LedgerUnavailable("away", 1)
        feed.publish(final(1))
        cursor = feed.cursor(shown, 0)
        assert read(cursor) == []
        await poll_until(lambda: read(cursor) == ["F1"], "the final")
        database.error = None
        await stored(log)
    assert [each.id for each in restored(database).finals] == [1]


async def test_a_feed_that_the_database_refuses_ends_with_the_server(
    database: Unreliable, logged: LogCapture
) -> None:
    feed, shown = new_feed(), Shown()
    async with running(database) as log:
        feed.keep_in(log)
        await stored(log)
        database.error = ValueError("secret words")
        feed.publish(final(1))
        await poll_until(lambda: not feed.is_logged, "the end of the log")
        assert read(feed.cursor(shown, 0)) == ["F1"]
        assert not feed.can_return
    assert LedgerFeedLog(StoredFeeds(database), "").restored(0) == []
    assert "secret" not in str(logged.entries)


async def test_a_feed_is_given_up_when_too_much_waits(
    database: Unreliable, monkeypatch: pytest.MonkeyPatch, logged: LogCapture
) -> None:
    monkeypatch.setattr(background_writer, "MAX_PENDING", 10)
    feed, shown = new_feed(), Shown()
    database.error = LedgerUnavailable("away", 1)
    async with running(database) as log:
        feed.keep_in(log)
        for number in range(1, 21):
            feed.publish(final(number))
        assert not feed.is_logged
        assert len(read(feed.cursor(shown, 0))) == 20
        assert len(log._writer.pending) == 11
        database.error = None
    assert LedgerFeedLog(StoredFeeds(database), "").restored(0) == []


async def test_however_many_tokens_are_withdrawn_one_change_waits(database: Unreliable) -> None:
    feed, other, shown = new_feed(), SessionFeed("s2", ALICE, "native", 1.0), Shown()
    tokens = [f"{TOKEN}{number}" for number in range(200)]
    async with running(database) as log:
        feed.keep_in(log)
        other.keep_in(log)
        await stored(log)
        database.error = LedgerUnavailable("away", 1)
        feed.withdraw(TOKEN)
        await poll_until(lambda: not log._saves, "the first withdrawal's write")
        for token in tokens * 2:
            feed.withdraw(token)
        other.publish(final(1))
        assert len(log._writer.pending) == 3  # the first, the others together, and the final
        database.error = None
        await stored(log)
        assert read(other.cursor(shown, 0)) == ["F1"]
    [again] = [each for each in restored_all(database) if each.id == "s1"]
    assert all(map(again.is_withdrawn, [TOKEN, *tokens]))


async def test_a_feed_waits_for_its_speaker_for_a_limited_time(database: Unreliable) -> None:
    feed = new_feed()
    async with running(database) as log:
        feed.publish(final(1))
        feed.keep_in(log)
        await stored(log)
    feeds = Feeds(10)
    feeds.restore([restored(database)], until=100.0)
    assert feeds.is_waiting(ALICE, "s1")
    assert not feeds.is_waiting(ClientId("bob"), "s1")
    feeds.tick(99.0)
    waiting = feeds.find(ALICE, "s1")
    assert not waiting.is_ended
    feeds.tick(100.0)
    assert waiting.is_ended
    assert not feeds.is_waiting(ALICE, "s1")
    assert read(waiting.cursor(Shown(), 1)) == ["SpeakerAway", "Ended"]


async def test_streams_end_without_an_end_when_the_next_server_continues(
    database: Unreliable,
) -> None:
    feed, shown = new_feed(), Shown()
    async with running(database) as log:
        feed.keep_in(log)
        feed.publish(final(1))
        feed.suspend()
        cursor = feed.cursor(shown, 0)
        assert (read(cursor), cursor.is_done) == ([], False)
        await stored(log)
        assert (read(cursor), cursor.is_done, feed.is_ended) == (["F1"], True, False)
