"""What exists and runs while the application does."""

import threading
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from auricle.config.settings import LedgerSettings, WorkerSettings
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.database import Transaction
from auricle.server.startup import run
from tests.support.service import build

pytestmark = pytest.mark.server


async def test_resources_exist_only_while_the_application_runs(tmp_path: Path) -> None:
    state = build(tmp_path).state
    with pytest.raises(AssertionError, match="not running"):
        _ = state.running
    assert not state.is_spool_failing
    async with run(state):
        assert state.running.spool.path.is_dir()
        assert state.chunk_slots.width > 0
    with pytest.raises(AssertionError, match="not running"):
        _ = state.running


@pytest.mark.parametrize(("urls", "batch_jobs"), [("", 2), ("http://127.0.0.1:1", 8)])
async def test_chunks_in_flight_fill_the_batches_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, urls: str, batch_jobs: int
) -> None:
    monkeypatch.setenv("AURICLE_ENGINE_URLS", urls)
    state = build(tmp_path, worker=WorkerSettings(batch_jobs=2)).state
    workers = len(state.transcriber.stats().workers)
    async with run(state):
        assert state.chunk_slots.width == max_chunks_in_flight(workers, batch_jobs)


async def test_background_tasks_end_with_the_application(tmp_path: Path) -> None:
    state, began, ended = build(tmp_path).state, anyio.Event(), anyio.Event()

    async def work() -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    state.background_tasks.append(work)
    async with run(state):
        await began.wait()
    assert ended.is_set()


async def test_a_busy_database_does_not_stop_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.startup.CLOSE_S", 0.01)
    settings = LedgerSettings(state_dir=tmp_path / "state", keep_transcripts=True)
    state = build(tmp_path, ledger=settings).state
    began, release = threading.Event(), threading.Event()

    def work(_: Transaction) -> None:
        began.set()
        release.wait(20)

    async with run(state):
        assert state.running.transcripts is not None
        database = state.running.transcripts._database
        writer = threading.Thread(target=lambda: database.write("slow", work))
        writer.start()
        await to_thread.run_sync(began.wait)
    assert writer.is_alive()
    release.set()
    await to_thread.run_sync(writer.join)
