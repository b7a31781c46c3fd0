"""Voices of live sessions in both databases."""

import pytest

from auricle.ledger.databases.database import Database
from auricle.ledger.voices import DatabaseVoices
from auricle.values.speakers import NO_SPEAKERS
from auricle.values.voice_keeper import StoredVoices

NOW = 1.8e9


@pytest.fixture
def stored(database: Database) -> DatabaseVoices:
    return DatabaseVoices(database, "")


def of(session: str, voices: bytes = b"voices") -> StoredVoices:
    return StoredVoices(session, "alice", voices)


def test_the_next_server_gets_the_newest_voices(stored: DatabaseVoices) -> None:
    for _ in range(2):  # a transaction may be repeated
        stored.write([], [of("s1"), of("s2", voices=b"\x00\xff")], NOW)
    stored.write([], [of("s1", voices=b"more voices")], NOW + 1)
    expected = [of("s1", voices=b"more voices"), of("s2", voices=b"\x00\xff")]
    assert stored.take_over(NOW - 1, 10) == expected
    assert stored.take_over(NOW - 1, 10) == expected  # it may be killed before they return


def test_an_ended_session_is_forgotten(stored: DatabaseVoices) -> None:
    stored.write([], [of("s1"), of("s2")], NOW)
    stored.write(["s1", "s3"], [of("s4")], NOW)
    assert {each.session for each in stored.take_over(NOW - 1, 10)} == {"s2", "s4"}
    stored.write(["s2"], [of("s2", voices=b"new")], NOW)  # another session with the same id
    assert of("s2", voices=b"new") in stored.take_over(NOW - 1, 10)


def test_a_gateway_takes_its_own_voices_only(database: Database) -> None:
    gateways = {name: DatabaseVoices(database, name) for name in ("a", "b")}
    for name, stored in gateways.items():
        stored.write([], [of(f"{name}-1")], NOW)
    for name, stored in gateways.items():
        assert stored.take_over(NOW - 1, 10) == [of(f"{name}-1")]


def test_expired_voices_are_deleted_also_those_of_a_gateway_that_is_gone(
    database: Database,
) -> None:
    a, b = (DatabaseVoices(database, name) for name in ("a", "b"))
    for later, number in ((0, 1), (2, 2)):
        a.write([], [of(f"a-{number}")], NOW + later)
        b.write([], [of(f"b-{number}")], NOW + later)
    assert a.take_over(NOW, 10) == [of("a-2")]
    assert b.take_over(NOW - 1, 10) == [of("b-2")]


def test_no_more_sessions_than_wanted_are_kept(stored: DatabaseVoices) -> None:
    for number in range(5):
        stored.write([], [of(f"s{number}")], NOW + number)
    assert stored.take_over(NOW - 1, 2) == [of("s4"), of("s3")]
    assert stored.take_over(NOW - 1, 10) == [of("s4"), of("s3")]


def test_a_server_without_speakers_deletes_its_own_voices(database: Database) -> None:
    own, other = (DatabaseVoices(database, name) for name in ("a", "b"))
    own.write([], [of("a-1"), of("a-2")], NOW)
    other.write([], [of("b-1")], NOW)
    NO_SPEAKERS.keep_voices(own).restore(NOW - 1, NOW + 600)
    assert own.take_over(NOW - 1, 10) == []
    assert other.take_over(NOW - 1, 10) == [of("b-1")]
