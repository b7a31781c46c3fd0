"""Background jobs: how they end, and what their records say then."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from auricle.errors import AudioError
from auricle.server.transcription.background_jobs import lose_jobs, register_job, start_job
from auricle.server.uploads.job_store import JobRecord, JobState
from auricle.server.uploads.params import Fields, check
from auricle.types import ANONYMOUS, Source
from tests.support.service import Service, build, poll_until

pytestmark = pytest.mark.server


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Service]:
    service = build(folder)
    async with service.state.run():
        yield service


def start(service: Service, folder: Path, name: str = "job") -> JobRecord:
    path = folder / "upload"
    path.write_bytes(bytes(32_000))
    ask = check(Fields(job_id=name))
    held = contextlib.AsyncExitStack()
    record = register_job(service.state, ANONYMOUS, ask, held)
    start_job(service.state, record, ask, Source(str(path)), held)
    return record


async def test_a_job_ends_with_its_transcript(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        record = start(service, tmp_path)
        await poll_until(lambda: record.state is JobState.DONE)
    assert record.progress == 1.0
    assert record.text == json.loads(record.result or b"")["text"] == "hello"


async def test_an_error_is_kept_in_the_record(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.decoder.script = [AudioError("Broken.")]
        record = start(service, tmp_path)
        await poll_until(lambda: record.state is JobState.FAILED)
    assert record.error is not None
    assert (record.error["code"], record.error["message"]) == ("bad_audio", "Broken.")


async def test_a_bug_reveals_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.decoder.script = [ValueError("a transcript")]
        record = start(service, tmp_path)
        await poll_until(lambda: record.state is JobState.FAILED)
    assert record.error is not None
    assert record.error["code"] == "internal"
    assert "a transcript" not in str(record.error)


async def test_jobs_that_the_server_can_not_finish_are_failed_and_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.decoder.gate = anyio.Event()
        record = start(service, tmp_path)
        await poll_until(lambda: record.state is JobState.RUNNING)
        assert lose_jobs(service.state, now=0.0) == 1
        assert record.state is JobState.FAILED
        assert record.error is not None
        assert (record.error["code"], record.error["retryable"]) == ("server_stopped", True)
        await poll_until(lambda: not service.decoder.open_readings)
        assert lose_jobs(service.state, now=0.0) == 0
