"""Voices of lost sessions: found by the next one, written, and deleted."""

import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import anyio
import numpy as np
import pytest
from structlog.testing import LogCapture

from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.voices import DatabaseVoices
from auricle.session.live import LiveSession
from auricle.values.commands import StreamParameters
from auricle.values.errors import LedgerUnavailable
from auricle.values.events import Wire
from auricle.values.types import ClientId
from auricle.values.voice_keeper import NO_VOICE_STORE, VoiceStore
from auricle.workers.kinds.speakers import kept_voices as module
from auricle.workers.kinds.speakers.kept_voices import KeptVoices
from auricle.workers.kinds.speakers.local import LiveLabelling
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from tests.support.clips import CLIPS
from tests.support.poll import poll_until
from tests.support.session import Rig, by_loudness, silence, spoken

pytestmark = pytest.mark.anyio

ALICE, BOB = ClientId("alice"), ClientId("bob")
SAID = np.concatenate([CLIPS["fellow.wav"].pcm[: 3 * 16_000], silence(0.7)])
MODEL = ""
NEVER = math.inf


def a_rig(name: str, known: bytes = b"", *, speakers: bool = True) -> Rig:
    return Rig(
        parameters=StreamParameters(format=Wire.PCM16, language="en", speakers=speakers),
        answer_with=lambda job: spoken("And so my fellow.", job),
        embed_with=by_loudness,
        name=name,
        known_voices=known,
    )


def say(rig: Rig) -> None:
    rig.speak_pcm(SAID, message_samples=1600)


def spoke(name: str = "A", known: bytes = b"") -> LiveSession:
    """Return a session with a voice."""
    rig = a_rig(name, known)
    say(rig)
    assert rig.session.speakers.labelled_finals == 1
    return rig.session


@pytest.fixture(autouse=True)
def interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL_S", 0.02)
    monkeypatch.setattr(module, "LAST_WRITES_S", 120.0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    opened = SqliteDatabase.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def stored(database: SqliteDatabase) -> DatabaseVoices:
    return DatabaseVoices(database, "")


def kept_in(store: VoiceStore = NO_VOICE_STORE, model: str = MODEL) -> KeptVoices:
    return LiveLabelling(model).keep_voices(store)


def keep(kept: KeptVoices, session: LiveSession, continues: str = "") -> None:
    """Keep the voices of a session of Alice."""
    kept.open(session.id, session.speakers, ALICE, continues)


def restored(stored: DatabaseVoices, model: str = MODEL) -> KeptVoices:
    """Return the voices as the next server has them."""
    kept = kept_in(stored, model)
    kept.restore(0.0, NEVER)
    return kept


def written(stored: DatabaseVoices) -> list[str]:
    return sorted(each.session for each in stored.take_over(0.0, 10))


@asynccontextmanager
async def running(kept: KeptVoices) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(kept.run)
        yield
        group.cancel_scope.cancel()


async def a_round(kept: KeptVoices, patch: pytest.MonkeyPatch) -> None:
    """Wait until all that is due has been written once more, from its beginning."""
    rounds = 0
    write_all = kept._write_all

    async def counting(now: float) -> None:
        nonlocal rounds
        await write_all(now)
        rounds += 1

    with patch.context() as patched:
        patched.setattr(kept, "_write_all", counting)
        await poll_until(lambda: rounds > 0, "a round")


async def until_written(stored: DatabaseVoices, *sessions: str) -> None:
    await poll_until(lambda: written(stored) == sorted(sessions), "what is written")


def test_a_lost_session_is_found_by_its_client_only() -> None:
    kept, session = kept_in(), spoke()
    keep(kept, session)
    kept.end("A", NEVER)
    found = KnownVoices.decoded(kept.find(ALICE, "A"), MODEL)
    assert found is not None
    assert found.numbers.tolist() == [0]
    assert [kept.find(BOB, "A"), kept.find(ALICE, "B"), kept.find(ALICE, "")] == [b""] * 3


def test_a_session_that_is_finishing_is_found() -> None:
    kept = kept_in()
    keep(kept, spoke())
    assert kept.find(ALICE, "A")
    assert not kept.find(BOB, "A")


def test_a_session_that_ended_for_good_is_not_found() -> None:
    kept = kept_in()
    keep(kept, spoke())
    kept.end("A", None)
    assert not kept.find(ALICE, "A")


async def test_a_lost_session_expires(
    stored: DatabaseVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.0, time=time.time)
    monkeypatch.setattr(module, "time", clock)
    kept = kept_in(stored)
    keep(kept, spoke())
    async with running(kept):
        await until_written(stored, "A")
        kept.end("A", 600.0)
        await a_round(kept, monkeypatch)
        assert kept.find(ALICE, "A")
        clock.monotonic = lambda: 600.0
        await poll_until(lambda: not kept.find(ALICE, "A"), "the end of its time")
        await until_written(stored)


def test_the_oldest_lost_sessions_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOST", 2)
    kept = kept_in()
    for name in ("A", "B", "C"):
        keep(kept, spoke(name))
        kept.end(name, NEVER)
    assert [not kept.find(ALICE, name) for name in ("A", "B", "C")] == [True, False, False]


async def test_the_next_server_has_the_newest_voices(stored: DatabaseVoices) -> None:
    kept, rig = kept_in(stored), a_rig("A")
    keep(kept, rig.session)
    async with running(kept):
        say(rig)
        await until_written(stored, "A")
        say(rig)
    assert restored(stored).find(ALICE, "A") == rig.session.speakers.voices()
    assert not restored(stored).find(BOB, "A")


async def test_voices_of_a_session_that_ends_with_the_server_are_written(
    stored: DatabaseVoices,
) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    async with running(kept):
        kept.end("A", NEVER)
    assert restored(stored).find(ALICE, "A")


async def test_voices_are_deleted_when_their_session_ends(stored: DatabaseVoices) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    async with running(kept):
        await until_written(stored, "A")
        kept.end("A", None)
        await until_written(stored)


async def test_sessions_without_speakers_write_nothing(
    stored: DatabaseVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, rig = kept_in(stored), a_rig("A", speakers=False)
    writes: list[object] = []
    monkeypatch.setattr(stored, "write", lambda *arguments: writes.append(arguments))
    keep(kept, rig.session)
    async with running(kept):
        say(rig)
        await a_round(kept, monkeypatch)
        kept.end("A", None)
        await a_round(kept, monkeypatch)
    assert not writes


async def test_a_session_is_forgotten_when_the_next_one_has_labelled_a_final(
    stored: DatabaseVoices,
) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    kept.end("A", NEVER)
    rig = a_rig("B", kept.find(ALICE, "A"))
    keep(kept, rig.session, "A")
    async with running(kept):
        await until_written(stored, "A", "B")  # its client may know either
        assert kept.find(ALICE, "A")
        say(rig)
        await until_written(stored, "B")
        assert not kept.find(ALICE, "A")


async def test_a_session_with_the_id_of_the_lost_one_keeps_its_voices(
    stored: DatabaseVoices,
) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    kept.end("A", NEVER)
    rig = a_rig("A", kept.find(ALICE, "A"))
    keep(kept, rig.session, "A")
    async with running(kept):
        await until_written(stored, "A")
        say(rig)
        await poll_until(lambda: not kept._lost, "the lost session forgotten")
    assert restored(stored).find(ALICE, "A") == rig.session.speakers.voices()


async def test_a_session_that_its_client_stops_unused_leaves_the_lost_one(
    stored: DatabaseVoices,
) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    kept.end("A", NEVER)
    for name in ("A", "B"):
        keep(kept, a_rig(name, kept.find(ALICE, "A")).session, "A")
        kept.end(name, None)
    assert kept.find(ALICE, "A")
    async with running(kept):
        await until_written(stored, "A")


async def test_a_database_that_is_away_gets_them_later(
    stored: DatabaseVoices,
    database: SqliteDatabase,
    monkeypatch: pytest.MonkeyPatch,
    logged: LogCapture,
) -> None:
    def away(*arguments: object) -> None:
        raise LedgerUnavailable("It is away.", 1)

    kept = kept_in(stored)
    keep(kept, spoke())
    with monkeypatch.context() as patch:
        patch.setattr(stored, "write", away)
        async with running(kept):
            await poll_until(lambda: "voices_wait" in {e["event"] for e in logged.entries}, "a try")
    async with running(kept):
        await until_written(stored, "A")


async def test_voices_that_the_database_refuses_are_not_written_again_and_again(
    stored: DatabaseVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def refuse(*arguments: object) -> None:
        nonlocal tries
        tries += 1
        raise ValueError

    kept, rig = kept_in(stored), a_rig("A")
    keep(kept, rig.session)
    with monkeypatch.context() as patch:
        patch.setattr(stored, "write", refuse)
        async with running(kept):
            say(rig)
            for _ in range(3):
                await a_round(kept, patch)
        assert tries == 1
    async with running(kept):
        say(rig)
        await until_written(stored, "A")


async def test_voices_of_another_model_are_deleted(stored: DatabaseVoices) -> None:
    kept = kept_in(stored)
    keep(kept, spoke())
    async with running(kept):
        await until_written(stored, "A")
    other = restored(stored, "another model")
    assert not other.find(ALICE, "A")
    async with running(other):
        await until_written(stored)


async def test_unchanged_voices_show_that_their_session_still_runs(
    stored: DatabaseVoices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REWRITE_S", 0.1)
    kept = kept_in(stored)
    keep(kept, spoke())
    async with running(kept):
        await until_written(stored, "A")
        begun = time.time()
        await poll_until(lambda: bool(stored.take_over(begun, 10)), "a newer row")


async def test_voices_of_ended_sessions_are_forgotten_on_request(stored: DatabaseVoices) -> None:
    kept = kept_in(stored)
    lost, running_on, bobs = spoke("lost"), spoke("running"), spoke("bobs")
    keep(kept, lost)
    keep(kept, running_on)
    kept.open(bobs.id, bobs.speakers, BOB, "")
    async with running(kept):
        for session in (lost, bobs):
            kept.end(session.id, NEVER)
        await until_written(stored, "lost", "running", "bobs")
        kept.forget(ALICE)
        assert kept.find(ALICE, "lost") == b""
        assert kept.find(ALICE, "running")
        assert kept.find(BOB, "bobs")
        await until_written(stored, "running", "bobs")
