"""Voices of live sessions in both databases."""

import pytest

from auricle.ledger.databases.database import Database
from auricle.ledger.voices import SessionVoices, StoredVoices

NOW = 1.8e9


@pytest.fixture
def stored(database: Database) -> StoredVoices:
    return StoredVoices(database)


def of(session: str, gateway: str = "", voices: bytes = b"voices") -> SessionVoices:
    return SessionVoices(session, gateway, "alice", voices)


def test_the_next_server_gets_the_newest_voices(stored: StoredVoices) -> None:
    for _ in range(2):  # a transaction may be repeated
        stored.write([], [of("s1"), of("s2", voices=b"\x00\xff")], NOW)
    stored.write([], [of("s1", voices=b"more voices")], NOW + 1)
    expected = [of("s1", voices=b"more voices"), of("s2", voices=b"\x00\xff")]
    assert stored.take_over("", NOW - 1, 10) == expected
    assert stored.take_over("", NOW - 1, 10) == expected  # it may be killed before they return


def test_an_ended_session_is_forgotten(stored: StoredVoices) -> None:
    stored.write([], [of("s1"), of("s2")], NOW)
    stored.write(["s1", "s3"], [of("s4")], NOW)
    assert {each.session for each in stored.take_over("", NOW - 1, 10)} == {"s2", "s4"}
    stored.write(["s2"], [of("s2", voices=b"new")], NOW)  # another session with the same id
    assert of("s2", voices=b"new") in stored.take_over("", NOW - 1, 10)


def test_a_gateway_takes_its_own_voices_only(stored: StoredVoices) -> None:
    stored.write([], [of("a-1", "a"), of("b-1", "b")], NOW)
    assert stored.take_over("a", NOW - 1, 10) == [of("a-1", "a")]
    assert stored.take_over("b", NOW - 1, 10) == [of("b-1", "b")]


def test_expired_voices_are_deleted_also_those_of_a_gateway_that_is_gone(
    stored: StoredVoices,
) -> None:
    stored.write([], [of("a-1", "a"), of("b-1", "b")], NOW)
    stored.write([], [of("a-2", "a"), of("b-2", "b")], NOW + 2)
    assert stored.take_over("a", NOW, 10) == [of("a-2", "a")]
    assert stored.take_over("b", NOW - 1, 10) == [of("b-2", "b")]


def test_no_more_sessions_than_wanted_are_kept(stored: StoredVoices) -> None:
    for number in range(5):
        stored.write([], [of(f"s{number}")], NOW + number)
    assert stored.take_over("", NOW - 1, 2) == [of("s4"), of("s3")]
    assert stored.take_over("", NOW - 1, 10) == [of("s4"), of("s3")]
