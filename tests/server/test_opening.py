"""What is open and runs while a service is."""

import threading
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.databases.database import Transaction
from auricle.values.errors import SetupError
from tests.support.service import opened

pytestmark = pytest.mark.server


async def test_the_parts_are_open_while_the_context_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as service:
        spool = service.state.storage.spool
        assert not spool.is_failing
        assert spool.path.is_dir()
        assert service.state.recognition.chunk_slots.width > 0
    assert not spool.path.exists()


async def test_an_error_of_the_owner_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="the port is in use"):
        async with opened(tmp_path):
            raise SetupError("the port is in use")


@pytest.mark.parametrize(("is_remote", "batch_jobs"), [(False, 2), (True, 8)])
async def test_chunks_in_flight_fill_the_batches_of_the_settings(
    tmp_path: Path, is_remote: bool, batch_jobs: int
) -> None:
    worker = WorkerSettings(batch_jobs=2)
    async with opened(tmp_path, worker=worker, is_remote=is_remote) as service:
        workers = len(service.transcriber.stats().workers)
        width = service.state.recognition.chunk_slots.width
    assert width == max_chunks_in_flight(workers, batch_jobs)


async def test_background_tasks_end_with_the_service(tmp_path: Path) -> None:
    began, ended = anyio.Event(), anyio.Event()

    async def work() -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with opened(tmp_path) as service:
        service.state.streams.background.start_soon(work)
        await began.wait()
    assert ended.is_set()


async def test_a_busy_database_does_not_stop_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.opening.CLOSE_S", 0.01)
    settings = LedgerSettings(state_dir=tmp_path / "state")
    began, release = threading.Event(), threading.Event()

    def work(_: Transaction) -> None:
        began.set()
        release.wait(60)

    async with opened(tmp_path, ledger=settings) as service:
        database = service.state.storage.database
        writer = threading.Thread(target=lambda: database.write("slow", work))
        writer.start()
        await to_thread.run_sync(began.wait)
        monkeypatch.setattr(database._database, "_wait_s", 0.01)
    assert writer.is_alive()
    release.set()
    await to_thread.run_sync(writer.join)
