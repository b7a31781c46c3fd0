"""The journal of a running application: what is on the disk, and when it is deleted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.apis.transcripts import NAME
from auricle.apis.transcripts.audio_journal import journal as audio_journal
from auricle.apis.transcripts.audio_journal.file import (
    JournalFile,
    JournalledUtterance,
    read_journal,
)
from auricle.apis.transcripts.audio_journal.journal import AudioJournal, delete_left, has_left
from auricle.apis.transcripts.keeper import TranscriptKeeper
from auricle.system.durable import try_lock
from tests.apis.transcripts.test_vanished_clients import segments
from tests.support.service import Live, live, poll_until
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server

HALF = SPEECH[:16_000]
UID = "5e1a90c27b3f4d6801234567"
LISTEN: dict[str, Any] = {"format": "pcm16"}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio_journal, "INTERVAL_S", 0.01)


def journalling(directory: Path) -> dict[str, Any]:
    return kept_in(directory, journal_audio=True)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **journalling(tmp_path)) as started:
        yield started


def files(directory: Path) -> list[Path]:
    """Return the files of utterances."""
    return sorted((directory / "state" / "journal").glob("*/*"))


def utterances(directory: Path) -> list[JournalledUtterance]:
    read = [read_journal(file) for file in files(directory)]
    return [each for each in read if each is not None]


async def journalled(directory: Path, samples: int) -> JournalledUtterance:
    """Wait for an utterance of which this much is on the disk."""
    await poll_until(lambda: any(each.pcm.size >= samples for each in utterances(directory)))
    return utterances(directory)[0]


async def test_an_open_utterance_is_on_the_disk_and_grows_until_its_final_is_stored(
    service: Live, tmp_path: Path
) -> None:
    async with call(service.port, **LISTEN, language="de") as caller:
        await caller.send(pcm(HALF))
        first = await journalled(tmp_path, 8000)
        assert first.header.options.language == "de"
        assert (first.header.owner, first.header.source) == ("anonymous", "native")
        start = first.header.start_sample
        assert first.pcm.tolist() == SPEECH[start : start + first.pcm.size].tolist()
        await caller.send(pcm(SPEECH[16_000:24_000]))
        second = await journalled(tmp_path, first.pcm.size + 7000)
        assert second.pcm.tolist() == SPEECH[start : start + second.pcm.size].tolist()
        assert len(files(tmp_path)) == 1
        await caller.tell("finalize")
        await poll_until(lambda: segments(service) and not files(tmp_path))


async def test_the_audio_of_hidden_numbers_is_not_stored(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(
        JournalFile, "write", lambda file, pcm, samples, *, is_doubtful: written.append(file.path)
    )
    async with call(service.port, format="pcm16", redact="pci,ssn") as caller:
        await caller.send(pcm(HALF))
        await caller.tell("stop")
        await caller.until("closed")
    assert written == []


async def test_silence_is_not_stored(service: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    monkeypatch.setattr(
        JournalFile, "write", lambda file, pcm, samples, *, is_doubtful: written.append(file.path)
    )
    async with call(service.port, **LISTEN) as caller:
        await caller.send(bytes(3 * 32_000))
        await caller.tell("stop")
        await caller.until("closed")
    assert written == []


async def test_a_client_that_can_resume_keeps_its_audio_itself(
    service: Live, tmp_path: Path
) -> None:
    async with (
        call(service.port, format="pcm16", seq=1) as native,
        call(service.port, **LISTEN) as other,
    ):
        ready = await native.until("ready")
        await native.send(bytes(8) + pcm(HALF))
        await native.until("speech_started")
        await other.send(pcm(HALF))
        await journalled(tmp_path, 8000)
        assert not any(file.name.startswith(ready["session"]) for file in files(tmp_path))


async def test_a_final_that_waits_for_the_database_stays_on_the_disk(
    service: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = anyio.Event()
    keeper = service.state.live.followers[NAME]
    assert isinstance(keeper, TranscriptKeeper)
    store = keeper._writer._write_part

    async def wait_and_store(*arguments: Any) -> None:
        await release.wait()
        await store(*arguments)

    monkeypatch.setattr(keeper._writer, "_write_part", wait_and_store)
    async with call(service.port, **LISTEN) as caller:
        await caller.send(pcm(HALF))
        await journalled(tmp_path, 8000)
        await caller.tell("finalize")
        await caller.until("final")
        await caller.tell("stop")
        await caller.until("closed")
    await poll_until(lambda: not service.state.live.connected)
    assert len(files(tmp_path)) == 1
    release.set()
    await poll_until(lambda: not files(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_costs_the_journal_only(
    service: Live, tmp_path: Path, logged: LogCapture
) -> None:
    (run,) = (path for path in (tmp_path / "state" / "journal").iterdir() if path.is_dir())
    service.transcriber.gate = anyio.Event()
    async with call(service.port, **LISTEN) as caller:
        await poll_until(lambda: service.state.live._runners)
        (session,) = service.state.live._runners
        full = run / f"{session}.1"
        full.symlink_to("/dev/full")
        await caller.send(pcm(HALF))
        await poll_until(lambda: "audio_not_journalled" in str(logged.entries))
        full.unlink()
        assert (await journalled(tmp_path, 8000)).header.utterance == 1
        service.transcriber.gate.set()
        await caller.tell("finalize")
        await caller.until("final")
    assert [entry for entry in logged.entries if entry["event"] == "audio_not_journalled"] == [
        {
            "event": "audio_not_journalled",
            "log_level": "error",
            "reason": "No space left on device",
        }
    ]


async def test_too_much_audio_is_refused_and_reported(
    service: Live, tmp_path: Path, logged: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audio_journal, "MAX_BYTES", 1000)
    async with call(service.port, **LISTEN) as caller:
        await caller.send(pcm(HALF))
        await poll_until(lambda: "audio_not_journalled" in str(logged.entries))
        assert files(tmp_path) == []
        await caller.tell("finalize")
        await caller.until("final")


async def test_nothing_is_left_after_a_normal_end(tmp_path: Path) -> None:
    async with live(tmp_path, **journalling(tmp_path)) as service:
        async with call(service.port, **LISTEN) as caller:
            await caller.send(pcm(HALF))
            await journalled(tmp_path, 8000)
            await caller.tell("finalize")
            await caller.until("final")
        await poll_until(lambda: not service.state.live.connected)
    assert list((tmp_path / "state" / "journal").iterdir()) == []


async def test_by_default_no_audio_is_stored(tmp_path: Path) -> None:
    async with live(tmp_path, **kept_in(tmp_path)):
        assert not (tmp_path / "state" / "journal").exists()


# Files of others.


def test_files_of_a_running_process_are_not_taken_over(tmp_path: Path) -> None:
    first = AudioJournal.open(tmp_path)
    kept = first._path / f"{UID}.1"
    kept.write_bytes(b"speech")
    second = AudioJournal.open(tmp_path)
    assert second.left == []
    assert delete_left(tmp_path) == 0
    first._lock.close()  # as a process that dies
    third = AudioJournal.open(tmp_path)
    assert [file.key for file in third.left] == [(UID, 1)]
    assert not kept.exists()
    assert not first._path.exists()
    for journal in (second, third):
        journal.close()


def test_foreign_files_stay_where_they_are(tmp_path: Path) -> None:
    run = tmp_path / "journal" / "0123456789abcdef"
    run.mkdir(parents=True)
    foreign = [
        run / "notes.txt",
        run / f"{UID}.0",
        run / f"..{UID}.1",
        tmp_path / "journal" / "other" / f"{UID}.1",
        tmp_path / "journal" / "file",
    ]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"foreign")
    (run / f"{UID}.3").symlink_to(run / "notes.txt")
    (run / f"{UID}.4").mkdir()
    (run / f"gateway-{UID}.2").write_bytes(b"ours")
    journal = AudioJournal.open(tmp_path)
    assert [file.key for file in journal.left] == [(f"gateway-{UID}", 2)]
    assert all(path.read_bytes() == b"foreign" for path in foreign)
    journal.close()


def test_audio_is_deleted_once_transcripts_are_no_longer_kept(tmp_path: Path) -> None:
    run = tmp_path / "journal" / "0123456789abcdef"
    run.mkdir(parents=True)
    (run / f"{UID}.1").write_bytes(b"speech")
    assert has_left(tmp_path)
    assert delete_left(tmp_path) == 1
    assert not has_left(tmp_path)
    assert list((tmp_path / "journal").iterdir()) == []


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    assert try_lock(tmp_path / "lock") is None
    lock.close()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.close()
