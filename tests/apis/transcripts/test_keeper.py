import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.apis.transcripts import keeper as transcript_keeper
from auricle.apis.transcripts.keeper import (
    UNKNOWN_END,
    SessionIdentity,
    TranscriptKeeper,
)
from auricle.apis.transcripts.stored.events import TranscriptEvents
from auricle.apis.transcripts.stored.transcripts import (
    NOTHING_KEPT,
    KeptEnd,
    KeptSegment,
    KeptTranscript,
    Transcripts,
)
from auricle.apis.transcripts.stored.words import KeptWord
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.server.live import background_writer
from auricle.server.live.background_writer import MAX_PENDING
from auricle.values.errors import LedgerUnavailable
from auricle.values.events import Final
from auricle.values.types import ClientId, Word
from auricle.webhooks.events import StoredEvents
from tests.support.poll import poll_until

KEY = ClientId("key")
SESSION = SessionIdentity("session", KEY, "native", started_at=1.8e9)
FINAL = Final(
    id=1,
    utterance=1,
    text="hello",
    start_sample=16_000,
    end_sample=32_000,
    language="en",
    words=None,
    latency_ms=0.0,
    revised=False,
)


class Stored:
    """Transcripts that may be away, and remember what they were asked to store."""

    def __init__(self) -> None:
        self.is_away = False
        self.refusals = 0
        self.texts: list[str] = []
        self.broken_session: str | None = None

    def add(
        self, transcript: KeptTranscript, segments: list[KeptSegment], also: object = None
    ) -> None:
        """Store segments, or refuse."""
        if transcript.uid == self.broken_session:
            raise ValueError("secret words")
        if self.is_away:
            self.refusals += 1
            raise LedgerUnavailable("away", 1)
        self.texts += [segment.text for segment in segments]

    def expire(self, ended_before: float) -> int:
        """Delete nothing."""
        return 0


def a_final(number: int) -> Final:
    return replace(FINAL, id=number, utterance=number, text=f"text {number}")


async def run_until(keeper: TranscriptKeeper, is_over: Callable[[], bool]) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.run)
        await poll_until(is_over)
        group.cancel_scope.cancel()


async def test_finals_are_stored_with_their_times_and_those_without_text_left_out(
    tmp_path: Path,
) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    keeper = TranscriptKeeper(transcripts, keep_s=1e9)
    keeper.keep(SESSION, replace(FINAL, words=(Word(16_000, 24_000, "hello", 0.9),)))
    keeper.keep(SESSION, replace(FINAL, id=2, utterance=2, text=""))
    other = replace(FINAL, text="yes", start_sample=0, end_sample=16_000, channel=1)
    keeper.keep(SESSION, replace(other, id=3, utterance=3))
    await run_until(keeper, lambda: transcripts.find(KEY, "session") is not None)
    found = transcripts.find(KEY, "session")
    database.close()

    assert found is not None
    transcript, segments = found[0], list(found[1])
    assert (transcript.source, transcript.language, transcript.started_at) == (
        "native",
        "en",
        1.8e9,
    )
    assert segments == [
        KeptSegment(1, 1000, 2000, "hello", words=(KeptWord(1000, 1500, "hello"),)),
        KeptSegment(3, 0, 1000, "yes", 1),
    ]


async def test_a_session_continues_the_transcript_of_one_with_its_id(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    keeper = TranscriptKeeper(transcripts, keep_s=1e9)
    keeper.keep(SESSION, FINAL)
    keeper.keep(SESSION, replace(FINAL, id=2, utterance=2, channel=1, end_sample=20_000))
    await run_until(keeper, lambda: not keeper.waiting)
    end = await keeper.end_of(KEY, "session")
    assert end == KeptEnd(2, {None: 2000, 1: 1250})
    assert await keeper.end_of(ClientId("other"), "session") == NOTHING_KEPT
    later = replace(SESSION, before=end)
    keeper.keep(later, replace(FINAL, text="a repetition", end_sample=34_000))
    keeper.keep(later, replace(FINAL, utterance=2, start_sample=34_000, end_sample=40_000))
    keeper.keep(later, replace(FINAL, utterance=3, channel=1, start_sample=20_000))
    keeper.revise(later, replace(FINAL, utterance=2, speaker=4))
    await run_until(keeper, lambda: not keeper.waiting)
    found = transcripts.find(KEY, "session")
    database.close()
    assert found is not None
    assert [(each.position, each.speaker) for each in found[1]] == [
        (1, None),
        (2, 1),
        (4, 4),
        (5, 1),
    ]


async def test_an_unknown_end_is_after_all_that_may_be_stored(logged: LogCapture) -> None:
    class Away(Stored):
        def end(self, owner: ClientId, uid: str) -> KeptEnd:
            """Refuse."""
            raise LedgerUnavailable("away", 1)

    keeper = TranscriptKeeper(Away(), keep_s=1e9)  # type: ignore[arg-type]
    assert await keeper.end_of(KEY, "session") == UNKNOWN_END
    assert [entry["event"] for entry in logged.entries] == ["transcript_end_unknown"]


async def test_speakers_are_stored_and_revised(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    keeper = TranscriptKeeper(transcripts, keep_s=1e9)
    keeper.keep(SESSION, replace(FINAL, speaker=1))
    keeper.keep(SESSION, replace(FINAL, id=2, utterance=2))
    keeper.revise(SESSION, replace(FINAL, id=2, utterance=2, speaker=0))
    keeper.keep(SESSION, replace(FINAL, id=3, utterance=3, channel=1))

    def speakers() -> list[int | None]:
        found = transcripts.find(KEY, "session")
        return [] if found is None else [segment.speaker for segment in found[1]]

    await run_until(keeper, lambda: speakers() == [1, 0, 1])
    transcripts.delete(KEY, "session")
    keeper.revise(SESSION, replace(FINAL, speaker=0))
    await run_until(keeper, lambda: not keeper.waiting)
    assert speakers() == []  # a deleted transcript stays deleted
    database.close()


async def test_finals_wait_while_the_database_is_away_and_stay_in_order() -> None:
    stored = Stored()
    stored.is_away = True
    keeper = TranscriptKeeper(stored, keep_s=60)  # type: ignore[arg-type]
    for number in range(3):
        keeper.keep(SESSION, a_final(number))

    def come_back() -> bool:
        stored.is_away = stored.refusals < 1
        return not keeper.waiting

    await run_until(keeper, come_back)
    assert stored.texts == ["text 0", "text 1", "text 2"]


async def test_finals_that_the_database_refuses_cost_neither_others_nor_the_sessions(
    logged: LogCapture,
) -> None:
    stored = Stored()
    stored.broken_session = "broken"
    not_kept: list[int] = []
    keeper = TranscriptKeeper(stored, 60, not_kept.append)  # type: ignore[arg-type]
    for number in range(3):
        keeper.keep(replace(SESSION, id="broken"), a_final(number))
        keeper.keep(SESSION, a_final(number))
    await run_until(keeper, lambda: not keeper.waiting)

    assert stored.texts == ["text 0", "text 1", "text 2"]
    assert not_kept == [3]
    (entry,) = logged.entries
    assert (entry["error"], entry["session"], entry["not_kept"]) == ("ValueError", "broken", 3)
    assert "secret" not in str(entry)


async def test_a_failed_expiry_ends_nothing(logged: LogCapture, tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    database.write("drop", lambda t: t.execute("DROP TABLE transcripts"))
    keeper = TranscriptKeeper(Transcripts(database), keep_s=60)
    await run_until(keeper, lambda: bool(logged.entries))
    database.close()

    assert logged.entries[0]["error"] == "OperationalError"


async def test_what_is_left_is_stored_when_the_server_stops() -> None:
    stored = Stored()
    keeper = TranscriptKeeper(stored, keep_s=60)  # type: ignore[arg-type]
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.run)
        await anyio.lowlevel.checkpoint()
        keeper.keep(SESSION, FINAL)
        group.cancel_scope.cancel()

    assert stored.texts == ["hello"]


def test_waiting_finals_are_bounded_and_their_text_is_not_logged(logged: LogCapture) -> None:
    keeper = TranscriptKeeper(Stored(), keep_s=60)  # type: ignore[arg-type]
    for number in range(MAX_PENDING + 1):
        keeper.keep(SESSION, a_final(number))
    (entry,) = logged.entries

    assert (entry["event"], entry["session"], entry["final"]) == (
        "final_not_kept",
        "session",
        MAX_PENDING,
    )
    assert "text" not in str(entry)


async def test_old_transcripts_are_deleted_at_start(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    transcripts.add(KeptTranscript("old", KEY, "native", "en", 1.0, 2.0), [])
    await run_until(
        TranscriptKeeper(transcripts, keep_s=60), lambda: transcripts.find(KEY, "old") is None
    )
    database.close()


@pytest.mark.parametrize("count", [1, 600])
async def test_finals_of_several_sessions_are_stored_apart(tmp_path: Path, count: int) -> None:
    database = SqliteDatabase.open(tmp_path)
    transcripts = Transcripts(database)
    keeper = TranscriptKeeper(transcripts, keep_s=1e9)
    for number in range(count):
        for session in ("a", "b"):
            keeper.keep(replace(SESSION, id=session), a_final(number))

    def sizes() -> list[int]:
        found = [transcripts.find(KEY, session) for session in ("a", "b")]
        return [0 if each is None else len(each[1]) for each in found]

    await run_until(keeper, lambda: sizes() == [count, count])
    database.close()


async def test_a_final_may_be_sent_once_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript_keeper, "SEND_LIMIT_S", 60.0)
    stored = Stored()
    stored.is_away = True
    keeper = TranscriptKeeper(stored, keep_s=60)  # type: ignore[arg-type]
    keeper.keep(SESSION, FINAL)
    texts: list[str] = []

    async def send() -> None:
        await keeper.until_stored(SESSION.id, FINAL.utterance)
        texts.extend(stored.texts)
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.lowlevel.checkpoint()
        stored.is_away = False
        group.start_soon(keeper.run)
    assert texts == ["hello"]


async def test_a_database_that_is_away_delays_a_final_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcript_keeper, "SEND_LIMIT_S", 0.1)
    monkeypatch.setattr(background_writer, "LAST_WRITES_S", 0.1)
    stored = Stored()
    stored.is_away = True
    keeper = TranscriptKeeper(stored, keep_s=60)  # type: ignore[arg-type]
    keeper.keep(SESSION, FINAL)
    async with anyio.create_task_group() as group:
        group.start_soon(keeper.run)
        await keeper.until_stored(SESSION.id, FINAL.utterance)
        group.cancel_scope.cancel()
    assert not stored.texts


async def test_finals_that_are_not_kept_are_sent_at_once() -> None:
    keeper = TranscriptKeeper(Stored(), keep_s=60)  # type: ignore[arg-type]
    keeper.keep(SESSION, replace(FINAL, text=""))
    await keeper.until_stored(SESSION.id, FINAL.utterance)
    await keeper.until_stored("another session", 7)


async def test_a_session_that_ended_is_reported_after_its_finals(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    reports = TranscriptEvents("https://receiver.example")
    keeper = TranscriptKeeper(Transcripts(database), keep_s=1e9, events=reports)
    keeper.keep(SESSION, a_final(1))
    stopped = replace(SESSION, id="stopped")
    keeper.keep(stopped, a_final(1))
    keeper.release(SESSION, is_over=True)
    keeper.release(stopped, is_over=False)  # the next server may continue it
    await run_until(keeper, lambda: not keeper.waiting)
    events = StoredEvents(database)
    due = events.next_delivery(time.time())

    assert due is not None
    assert due.event.id == "session.kept.1"
    assert events.next_delivery(time.time()) is None
    assert [each.event.id for each in events.of("transcripts/stopped")] == ["stopped.kept.1"]
    database.close()


async def test_the_end_of_a_session_without_finals_is_not_reported(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path)
    reports = TranscriptEvents("https://receiver.example")
    keeper = TranscriptKeeper(Transcripts(database), keep_s=1e9, events=reports)
    keeper.release(SESSION, is_over=True)
    await run_until(keeper, lambda: not keeper.waiting)

    assert StoredEvents(database).of("transcripts/session") == []
    database.close()
