"""Voices of recent speakers: stored once their transcript is, and for a limited time."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.values.errors import LedgerUnavailable
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices import recent
from auricle.voices.live import NamedLabeller
from auricle.voices.recent import RecentVoices
from auricle.voices.stored import EnrolledVoices
from tests.support.made_up_voices import voice
from tests.support.poll import poll_until

pytestmark = pytest.mark.unit

KEY, OTHER = ClientId("alice"), ClientId("ben")
PRINTS = {0: VoicePrint("model", voice(1), 12.5), 1: VoicePrint("model", voice(2), 3.0)}


class Labeller:
    """Has the voices of a session."""

    def prints(self) -> dict[int, VoicePrint]:
        return PRINTS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase.open(tmp_path)
    yield opened
    opened.close()


def keep(database: SqliteDatabase, uid: str) -> None:
    transcript = KeptTranscript(uid, KEY, "native", "en", 1.8e9, 1.8e9 + 9)
    Transcripts(database).add(transcript, [KeptSegment(1, 0, 1, "So.", 0)])


@asynccontextmanager
async def running(voices: RecentVoices) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(voices.run)
        yield
        group.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "WRITE_S", 0.01)
    monkeypatch.setattr(recent, "EXPIRY_S", 0.05)


def finder(voices: RecentVoices, owner: ClientId = KEY) -> Callable[[], bool]:
    return lambda: voices.find(owner, "session", 0) is not None


def noted(stored: EnrolledVoices, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return what will have an entry for each attempt to store voices."""
    store, tries = stored.keep_recent, list[object]()

    def keep_recent(*arguments: Any, **options: Any) -> bool:
        is_kept = store(*arguments, **options)
        tries.append(arguments)
        return is_kept

    monkeypatch.setattr(stored, "keep_recent", keep_recent)
    return tries


async def test_voices_of_a_session_wait_for_its_transcript(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = EnrolledVoices(database)
    voices, session = RecentVoices(stored, 3600), Labeller()
    labeller = cast(NamedLabeller, session)
    voices.follow(KEY, "session", labeller)
    assert finder(voices)()
    assert not finder(voices, OTHER)()
    tries = noted(stored, monkeypatch)
    async with running(voices):
        voices.end(KEY, "session")
        await poll_until(lambda: len(tries) >= 3)
        assert not finder(voices)()
        keep(database, "session")
        await poll_until(finder(voices))
    found = voices.find(KEY, "session", 0)
    assert found is not None
    assert (found.model, found.speech_s, found.vector.tolist()) == (
        "model",
        12.5,
        voice(1).tolist(),
    )
    assert not finder(voices, OTHER)()
    assert voices.find(KEY, "session", 2) is None


async def test_voices_expire(database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(database, "session")
    stored = EnrolledVoices(database)
    stored.keep_recent(KEY, "session", PRINTS, time.time() + 3600)
    voices = RecentVoices(stored, 3600)
    assert finder(voices)()

    def rows() -> Any:
        return database.read(lambda t: t.execute("SELECT count(*) FROM recent_voices"))[0][0]

    expire = stored.expire
    monkeypatch.setattr(stored, "expire", lambda now: expire(now + 3601))
    async with running(voices):
        await poll_until(lambda: rows() == 0)
    assert not finder(voices)()


async def test_without_a_time_nothing_is_kept(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database, "session")
    stored = EnrolledVoices(database)
    voices, session = RecentVoices(stored, 0), Labeller()
    expire, rounds = stored.expire, list[float]()

    def expire_and_count(now: float) -> None:
        expire(now)
        rounds.append(now)

    monkeypatch.setattr(stored, "expire", expire_and_count)
    voices.follow(KEY, "session", cast(NamedLabeller, session))
    assert not finder(voices)()
    async with running(voices):
        voices.end(KEY, "session")
        voices.end_job(KEY, "session", PRINTS)
        rounds.clear()
        await poll_until(lambda: len(rounds) >= 2)
    assert not finder(voices)()


async def test_voices_wait_for_the_database(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database, "session")
    stored = EnrolledVoices(database)
    voices, session = RecentVoices(stored, 3600), Labeller()
    failures = [LedgerUnavailable("No answer.", 1)] * 3
    store = stored.keep_recent

    def keep_recent(*arguments: Any, **options: Any) -> bool:
        if failures:
            raise failures.pop()
        return store(*arguments, **options)

    monkeypatch.setattr(stored, "keep_recent", keep_recent)
    voices.follow(KEY, "session", cast(NamedLabeller, session))
    async with running(voices):
        voices.end(KEY, "session")
        await poll_until(finder(voices))
    assert not failures


async def test_voices_that_wait_are_not_stored_after_a_deletion(database: SqliteDatabase) -> None:
    voices, session = RecentVoices(EnrolledVoices(database), 3600), Labeller()
    for uid in ("session", "later"):
        voices.follow(KEY, uid, cast(NamedLabeller, session))
    voices.end(KEY, "session")
    voices.note_deleted(KEY, PRINTS[0])
    voices.note_deleted(OTHER, PRINTS[1])
    voices.end(KEY, "later")
    for uid in ("session", "later"):
        keep(database, uid)
    async with running(voices):
        await poll_until(lambda: voices.find(KEY, "later", 1) is not None)
    for uid in ("session", "later"):
        assert voices.find(KEY, uid, 0) is None
        assert voices.find(KEY, uid, 1) is not None


async def test_a_deletion_while_voices_are_stored_removes_them(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database, "session")
    stored = EnrolledVoices(database)
    voices = RecentVoices(stored, 3600)
    store, calls = stored.keep_recent, []

    def keep_recent(*arguments: Any, **options: Any) -> bool:
        calls.append(arguments)
        if len(calls) == 1:
            voices.note_deleted(KEY, PRINTS[0])
        return store(*arguments, **options)

    monkeypatch.setattr(stored, "keep_recent", keep_recent)
    session = Labeller()
    voices.follow(KEY, "session", cast(NamedLabeller, session))
    voices.end(KEY, "session")
    async with running(voices):
        await poll_until(lambda: len(calls) == 2 and voices.find(KEY, "session", 1) is not None)
    assert voices.find(KEY, "session", 0) is None
