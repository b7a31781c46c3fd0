from contextlib import ExitStack

import pytest
from anyio import to_thread

from auricle.apis.readers.feed import SessionFeed
from auricle.apis.readers.feeds import ENDED_S, KEEP_ALIVE_S, MAX_ENDED, Feeds
from auricle.ledger.databases.database import Database
from auricle.values.errors import NotFound, Overloaded
from auricle.values.events import Final
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, Speaker

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")


def test_a_session_is_found_by_its_key_only() -> None:
    feeds = Feeds(1)
    feed = feeds.open("s1", ALICE, "native")
    assert feeds.find(ALICE, "s1") is feed
    assert (feeds.of(ALICE), feeds.of(BOB)) == ([feed], [])
    feeds.open("s3", None, "phone")  # on a server with keys, a speaker without one
    for client, id in ((BOB, "s1"), (ALICE, "s2"), (ALICE, "s3")):
        with pytest.raises(NotFound):
            feeds.find(client, id)


def read(feeds: Feeds, feed: SessionFeed, readers: int) -> ExitStack:
    """Connect a number of readers."""
    stack = ExitStack()
    for _ in range(readers):
        stack.enter_context(feeds.reading(feed))
    return stack


def test_readers_are_counted_and_limited() -> None:
    feeds = Feeds(2)
    first, second, third = (feeds.open(id, ANONYMOUS, "native") for id in ("s1", "s2", "s3"))
    with feeds.reading(first), feeds.reading(second):
        assert (feeds.readers, first.readers) == (2, 1)
        with pytest.raises(Overloaded, match="limit of readers"), feeds.reading(third):
            pass
    assert (feeds.readers, first.readers, second.readers) == (0, 0, 0)
    with feeds.reading(first):
        pass


def test_readers_of_one_session_leave_places_to_other_sessions_of_its_key() -> None:
    feeds = Feeds(8)
    first, second = (feeds.open(id, ALICE, "native") for id in ("s1", "s2"))
    with read(feeds, first, 4):
        with pytest.raises(Overloaded, match="This session"), feeds.reading(first):
            pass
        with feeds.reading(second):
            assert feeds.readers == 5


def test_readers_of_one_key_leave_places_to_other_keys() -> None:
    feeds = Feeds(8)
    own = [feeds.open(id, ALICE, "native") for id in ("s1", "s2")]
    other = feeds.open("s3", BOB, "native")
    with read(feeds, own[0], 4), read(feeds, own[1], 2):
        with pytest.raises(Overloaded, match="This key"), feeds.reading(own[1]):
            pass
        with read(feeds, other, 2):
            assert feeds.readers == 8
    with read(feeds, own[1], 4):
        assert own[0].readers == 0


def test_an_ended_session_can_be_read_for_a_while_and_is_not_listed() -> None:
    feeds = Feeds(1)
    feed = feeds.open("s1", ALICE, "native")
    feeds.end("s1", "closed", 7 * SAMPLE_RATE_HZ, now=10.0)
    feeds.end("s1", "speaker_left", 0, now=40.0)
    assert feed.is_ended
    assert list(feed.segments) == [0, 1]
    assert feeds.of(ALICE) == []
    feeds.tick(10.0 + ENDED_S - 1)
    assert feeds.find(ALICE, "s1") is feed
    feeds.tick(10.0 + ENDED_S)
    with pytest.raises(NotFound):
        feeds.find(ALICE, "s1")
    feeds.complete("s1", 0)  # its session may still be kept, while the server drains
    feeds.end("s1", "draining", 0, now=100.0)


def test_few_ended_sessions_are_kept() -> None:
    feeds = Feeds(1)
    for number in range(MAX_ENDED + 1):
        feeds.open(str(number), ALICE, "native")
        feeds.end(str(number), "closed", 0, now=0.0)
    with pytest.raises(NotFound):
        feeds.find(ALICE, "0")
    assert feeds.find(ALICE, "1").is_ended


def test_many_ended_sessions_of_one_key_do_not_push_out_those_of_another() -> None:
    feeds = Feeds(1)
    for number in range(3):
        feeds.open(f"bob {number}", BOB, "native")
        feeds.end(f"bob {number}", "closed", 0, now=0.0)
    for number in range(2 * MAX_ENDED):
        feeds.open(str(number), ALICE, "native")
        feeds.end(str(number), "closed", 0, now=0.0)
    assert all(feeds.find(BOB, f"bob {number}").is_ended for number in range(3))
    assert feeds.find(ALICE, str(2 * MAX_ENDED - 1)).is_ended
    with pytest.raises(NotFound):
        feeds.find(ALICE, str(MAX_ENDED))
    assert len(feeds._ended_at) == MAX_ENDED


def test_silent_connections_are_kept_alive_while_there_are_any() -> None:
    feeds = Feeds(1)
    feed = feeds.open("s1", ALICE, "native")
    for now in (0.0, KEEP_ALIVE_S, 2 * KEEP_ALIVE_S):
        feeds.tick(now)
    assert feed.last_number == 0
    with feeds.reading(feed):
        feeds.tick(40.0)
        assert feed.last_number == 1
        for now in (40.5, 40.5 + KEEP_ALIVE_S - 1):
            feeds.tick(now)
        assert feed.last_number == 1
        feeds.tick(40.5 + KEEP_ALIVE_S)
        assert feed.last_number == 2


@pytest.mark.anyio
async def test_a_name_is_changed_in_the_feeds_of_its_owner(database: Database) -> None:
    feeds = Feeds(1)
    for id, owner in (("s1", ALICE), ("s2", ALICE), ("s3", BOB)):
        final = Final(1, 1, "So.", 0, 8000, "en", None, 1.0, False, speakers=(Speaker(0, "Ann"),))
        feeds.open(id, owner, "native").publish(final)
    feeds.end("s2", "closed", 0, 0.0)

    def change() -> None:
        database.write("names", lambda t: feeds.rename_known(t, ALICE, "Ann", None))

    await to_thread.run_sync(change)
    left = {
        id: next(feeds.find(owner, id).finals).speakers
        for id, owner in (("s1", ALICE), ("s2", ALICE), ("s3", BOB))
    }
    assert left == {"s1": (), "s2": (), "s3": (Speaker(0, "Ann"),)}
