"""Feeds of live sessions in both databases."""

from dataclasses import replace

import pytest

from auricle.apis.readers.stored_feeds import (
    RESTART_NUMBERS,
    FeedChange,
    FeedEnd,
    FeedFinal,
    FeedProgress,
    StoredFeed,
    StoredFeeds,
)
from auricle.ledger.databases.database import Database

NOW = 1.8e9


@pytest.fixture
def feeds(database: Database) -> StoredFeeds:
    return StoredFeeds(database)


def a_feed(session: str = "s1", gateway: str = "") -> StoredFeed:
    return StoredFeed(
        session=session,
        gateway=gateway,
        owner="alice",
        source="native",
        request_id="r1",
        started_at=NOW,
        start_ms=0,
        final_ms=0,
        withdrawn="[{},-1]",
        number=0,
    )


def finals(*numbers: int, session: str = "s1", first_number: int = 0) -> list[FeedFinal]:
    return [FeedFinal(session, each, b"final %d" % each, first_number) for each in numbers]


def test_the_next_server_gets_what_readers_have(feeds: StoredFeeds) -> None:
    changes: list[FeedChange] = [a_feed(), *finals(3, 8), FeedProgress("s1", 12_000), *finals(8, 9)]
    for _ in range(2):  # a transaction may be repeated
        feeds.write(changes, NOW)
    feeds.write([replace(a_feed(), withdrawn="[{},7]")], NOW)
    [(feed, kept)] = feeds.take_over("", NOW - 1, 10)
    expected = replace(a_feed(), final_ms=12_000, withdrawn="[{},7]", number=9 + RESTART_NUMBERS)
    assert feed == expected
    assert kept == [(3, b"final 3"), (8, b"final 8"), (9, b"final 9")]


def test_no_number_is_given_twice_if_a_run_stores_no_final(feeds: StoredFeeds) -> None:
    feeds.write([a_feed(), *finals(5)], NOW)
    numbers = [feeds.take_over("", NOW - 1, 10)[0][0].number for _ in range(3)]
    assert numbers == [5 + run * RESTART_NUMBERS for run in (1, 2, 3)]


def test_old_finals_are_deleted(feeds: StoredFeeds) -> None:
    feeds.write([a_feed(), *finals(1, 2, 3), *finals(4, first_number=3)], NOW)
    [(_, kept)] = feeds.take_over("", NOW - 1, 10)
    assert [number for number, _ in kept] == [3, 4]


def test_an_ended_session_is_forgotten(feeds: StoredFeeds) -> None:
    feeds.write([a_feed(), *finals(1), FeedEnd("s1"), FeedEnd("s1")], NOW)
    assert feeds.take_over("", NOW - 1, 10) == []
    feeds.write([a_feed()], NOW)  # none of its finals is left
    [(_, kept)] = feeds.take_over("", NOW - 1, 10)
    assert kept == []


def test_a_gateway_takes_its_own_feeds_only(feeds: StoredFeeds) -> None:
    for session, gateway in (("a-1", "a"), ("b-1", "b")):
        feeds.write([a_feed(session, gateway), *finals(1, session=session)], NOW)
    assert [feed.session for feed, _ in feeds.take_over("a", NOW - 1, 10)] == ["a-1"]
    assert [feed.session for feed, _ in feeds.take_over("b", NOW - 1, 10)] == ["b-1"]


def test_old_feeds_and_those_beyond_the_limit_are_deleted(feeds: StoredFeeds) -> None:
    for number in range(4):
        feeds.write([a_feed(f"s{number}")], NOW + number)
    feeds.touch(["s0", "unknown"], NOW + 10)
    assert [feed.session for feed, _ in feeds.take_over("", NOW + 1, 2)] == ["s0", "s3"]
    assert [feed.session for feed, _ in feeds.take_over("", 0, 10)] == ["s0", "s3"]


def test_the_feeds_of_a_removed_key_go_that_no_server_has(feeds: StoredFeeds) -> None:
    for session, seen_at in (("s1", NOW), ("s2", NOW + 9)):
        feeds.write([a_feed(session), *finals(1, session=session)], seen_at)
    feeds.write([replace(a_feed("s3"), owner="bob")], NOW)
    assert feeds.forget("alice", NOW + 1) == 1
    assert feeds.forget("alice", NOW + 1) == 0
    left = feeds.take_over("", NOW - 1, 10)
    assert {(feed.session, len(kept)) for feed, kept in left} == {("s2", 1), ("s3", 0)}
