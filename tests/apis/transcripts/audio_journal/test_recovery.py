"""Audio that a dead process has left becomes finals of its sessions' transcripts."""

import time
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from structlog.testing import LogCapture

from auricle.apis.transcripts.audio_journal import journal as audio_journal
from auricle.apis.transcripts.audio_journal.file import JournalFile, JournalHeader
from auricle.apis.transcripts.stored.transcripts import KeptSegment, KeptTranscript, Transcripts
from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.values.errors import AudioError, NoWorkerReady, PoisonJob, WorkerError
from auricle.values.types import ANONYMOUS, JobKind, Options
from tests.support.service import FakeService, live, poll_until
from tests.support.stream import SPEECH
from tests.support.transcriber import FakeTranscriber
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.server

UID = "5e1a90c27b3f4d6801234567"
RUN = "0123456789abcdef"
NOW = float(int(time.time()))
HEADER = JournalHeader(UID, ANONYMOUS, "native", NOW, 3, 32_000, Options(language="de"))
HALF = SPEECH[:16_000]


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_journal, "INTERVAL_S", 0.01)


def leave(directory: Path, *, is_doubtful: bool = False, **changes: Any) -> Path:
    """Write what a process that was killed leaves, and return the file."""
    run = directory / "state" / "journal" / RUN
    run.mkdir(parents=True, exist_ok=True)
    header = msgspec.structs.replace(HEADER, **changes)
    path = run / f"{header.uid}.{header.utterance}"
    JournalFile(path, header).write(HALF, HALF.size, is_doubtful=is_doubtful)
    return path


def found(service: FakeService) -> tuple[KeptTranscript, list[KeptSegment]] | None:
    transcripts = transcripts_of(service)
    kept = transcripts.find(ANONYMOUS, UID)
    return None if kept is None else (kept[0], list(kept[1]))


async def recovered(
    service: FakeService, directory: Path
) -> tuple[KeptTranscript, list[KeptSegment]]:
    """Wait until nothing is left, and return the transcript."""
    await poll_until(lambda: not left(directory))
    transcript = found(service)
    assert transcript is not None
    return transcript


def left(directory: Path) -> list[Path]:
    return list((directory / "state" / "journal").glob("*/*"))


async def test_the_final_joins_the_transcript_of_its_session(tmp_path: Path) -> None:
    database = SqliteDatabase.open(tmp_path / "state")
    stored = KeptTranscript(UID, ANONYMOUS, "native", "de", NOW, NOW + 2)
    Transcripts(database).add(stored, [KeptSegment(2, 0, 1000, "before")])
    database.close()
    modified_at = leave(tmp_path).stat().st_mtime
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        transcript, segments = await recovered(service, tmp_path)
        (job,) = service.transcriber.jobs
    assert (job.kind, job.client, job.options.language) == (JobKind.FILE, ANONYMOUS, "de")
    assert job.pcm.tolist() == HALF.tolist()
    assert segments == [
        KeptSegment(2, 0, 1000, "before"),
        KeptSegment(3, 2000, 3000, "hello"),
    ]
    assert transcript.ended_at == modified_at


async def test_it_is_decoded_with_the_speech_before_it(tmp_path: Path) -> None:
    before = SPEECH[16_000:32_000]
    leave(tmp_path, context=before.tobytes())
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        _, segments = await recovered(service, tmp_path)
        together, alone = service.transcriber.jobs
    assert together.pcm.tolist() == [*before.tolist(), *HALF.tolist()]
    assert together.options.word_timestamps
    assert alone.pcm.tolist() == HALF.tolist()  # none of the words was its own
    assert [segment.text for segment in segments] == ["hello"]


async def test_a_channel_stays_a_speaker(tmp_path: Path) -> None:
    leave(tmp_path, channel=1)
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        _, (segment,) = await recovered(service, tmp_path)
    assert segment.speaker == 1


async def test_a_session_without_a_transcript_gets_one(tmp_path: Path) -> None:
    leave(tmp_path)
    async with live(tmp_path, **kept_in(tmp_path, journal_audio=True)) as service:
        transcript, segments = await recovered(service, tmp_path)
    assert (transcript.source, transcript.started_at) == ("native", NOW)
    assert [segment.position for segment in segments] == [3]


async def test_recovering_the_same_audio_twice_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        leave(tmp_path)
        async with live(tmp_path, **kept_in(tmp_path)) as service:
            _, segments = await recovered(service, tmp_path)
            assert [segment.text for segment in segments] == ["hello"]


async def test_audio_waits_for_workers_that_start_or_die(tmp_path: Path) -> None:
    leave(tmp_path)
    transcriber = FakeTranscriber(script=[NoWorkerReady("not yet", 1), WorkerError("died")])
    async with live(tmp_path, **kept_in(tmp_path), transcriber=transcriber) as service:
        _, segments = await recovered(service, tmp_path)
    assert [segment.text for segment in segments] == ["hello"]


@pytest.mark.parametrize("error", [AudioError("secret"), PoisonJob("secret")])
async def test_audio_that_cant_be_transcribed_is_given_up(
    tmp_path: Path, error: Exception, logged: LogCapture
) -> None:
    leave(tmp_path)
    transcriber = FakeTranscriber(script=[error])
    async with live(tmp_path, **kept_in(tmp_path), transcriber=transcriber) as service:
        await poll_until(lambda: not left(tmp_path))
        assert found(service) is None
    assert "secret" not in str(logged.entries)


async def test_audio_of_a_language_that_the_engine_lacks_is_given_up(tmp_path: Path) -> None:
    leave(tmp_path, options=Options(language="xx"))
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        await poll_until(lambda: not left(tmp_path))
        assert service.transcriber.jobs == []


async def test_a_doubtful_utterance_is_kept_only_if_its_words_are_probable(tmp_path: Path) -> None:
    leave(tmp_path, is_doubtful=True)
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        await poll_until(lambda: not left(tmp_path))
        (job,) = service.transcriber.jobs
        assert job.options.word_timestamps
        assert found(service) is None


@pytest.mark.parametrize("content", [b"", b"auricle journal 1\nhalf", b"PK\x03\x04", bytes(5000)])
async def test_damaged_files_cost_neither_the_start_nor_others(
    tmp_path: Path, content: bytes, logged: LogCapture
) -> None:
    leave(tmp_path).with_name(f"{UID}.1").write_bytes(content)
    leave(tmp_path, utterance=7).rename(tmp_path / "state" / "journal" / RUN / f"{UID}.6")
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        _, segments = await recovered(service, tmp_path)
    assert [segment.position for segment in segments] == [3]
    unreadable = [entry for entry in logged.entries if entry["event"] == "journal_unreadable"]
    assert [(entry["session"], entry["utterance"]) for entry in unreadable] == [(UID, 1), (UID, 6)]


async def test_what_is_not_recovered_before_the_server_stops_is_at_the_next_start(
    tmp_path: Path,
) -> None:
    leave(tmp_path)
    transcriber = FakeTranscriber(gate=anyio.Event())
    async with live(tmp_path, **kept_in(tmp_path), transcriber=transcriber):
        await poll_until(lambda: transcriber.in_flight)
    assert len(left(tmp_path)) == 1
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        await recovered(service, tmp_path)


async def test_a_server_that_keeps_no_transcripts_deletes_the_audio(
    tmp_path: Path, logged: LogCapture
) -> None:
    leave(tmp_path)
    async with live(tmp_path, ledger=LedgerSettings(state_dir=tmp_path / "state")) as service:
        assert left(tmp_path) == []
        assert service.transcriber.jobs == []
    (entry,) = (entry for entry in logged.entries if entry["event"] == "journal_deleted")
    assert entry["files"] == 1
