"""The work on background jobs: how they end, and what is kept while they run."""

import json
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.ledger.jobs import runner
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.store import Ledger
from auricle.server.jobs.background_jobs import work
from auricle.values.errors import AudioError, Draining, ModelUnavailable
from auricle.values.types import ANONYMOUS
from tests.support.decoder import file_of
from tests.support.jobs import accept, audio_settings, ended, running, stored
from tests.support.s3 import S3Server
from tests.support.service import FakeService, poll_until
from tests.support.tcp_proxy import proxy_to
from tests.support.transcriber import READY, heard

__all__ = ["audio_settings"]

pytestmark = pytest.mark.server


async def test_a_job_ends_with_its_transcript_and_without_its_audio(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        await accept(service)
        job = await ended(service)
        await poll_until(service.is_at_rest)
        assert stored(service) == []
    assert (job.state, job.progress) == (JobState.DONE, 1.0)
    assert job.text == json.loads(job.result or b"")["text"] == "hello"


async def test_an_error_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.decoder.script = [AudioError("Broken.")]
        await accept(service)
        job = await ended(service)
    assert job.state is JobState.FAILED
    error = json.loads(job.error or b"")
    assert (error["code"], error["message"]) == ("bad_audio", "Broken.")


async def test_a_bug_reveals_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.decoder.script = [ValueError("a transcript")]
        await accept(service)
        job = await ended(service)
    assert json.loads(job.error or b"")["code"] == "internal"
    assert b"a transcript" not in (job.error or b"")


async def test_a_job_whose_api_is_gone_fails_without_work(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        await accept(service, api="gone")
        job = await ended(service)
        assert service.transcriber.jobs == []
    error = json.loads(job.error or b"")
    assert (job.state, error["code"], error["retryable"]) == (
        JobState.FAILED,
        "api_unavailable",
        False,
    )
    assert "`gone`" in error["message"]


async def test_finished_chunks_are_not_transcribed_again(tmp_path: Path) -> None:
    is_interrupted = anyio.Event()

    async with running(tmp_path) as service:
        service.decoder.script = file_of(20, 15)
        transcribe = service.transcriber.transcribe

        async def first_only(recognition: object) -> object:
            if recognition.id.endswith(":1"):  # type: ignore[attr-defined]
                is_interrupted.set()
                await anyio.sleep_forever()
            return await transcribe(recognition)  # type: ignore[arg-type]

        service.transcriber.transcribe = first_only  # type: ignore[method-assign, assignment]
        service.transcriber.answer_with = lambda job: heard("first", job)
        await accept(service)
        await is_interrupted.wait()
        ledger = service.state.storage.ledger
        number = ledger.find(ANONYMOUS, "job").number  # type: ignore[union-attr]
        await poll_until(lambda: len(ledger.chunks(number)) == 1)
    async with running(tmp_path) as service:
        service.decoder.script = file_of(20, 15)
        service.transcriber.answer_with = lambda job: heard("second", job)
        job = await ended(service)
        assert [job.id.rpartition(":")[2] for job in service.transcriber.jobs] == ["1"]
    assert job.text == "first second"


async def test_progress_moves_between_the_results_of_two_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "PROGRESS_S", 0.01)
    seen: set[float] = set()

    def progress(service: FakeService) -> float:
        job = service.state.storage.ledger.find(ANONYMOUS, "job")
        assert job is not None
        seen.add(service.state.jobs.runner.current(job).progress)
        return max(seen)

    async with running(tmp_path) as service:
        service.decoder.script = file_of(20, 15)
        service.transcriber.gate = anyio.Event()
        await accept(service)
        await poll_until(lambda: progress(service) > 0 and len(seen) > 3)
        assert max(seen) < 1
        service.transcriber.gate.set()
        assert (await ended(service)).progress == 1.0


async def test_a_job_taken_over_by_another_gateway_is_not_logged_as_cancelled(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with running(tmp_path) as service:
        service.transcriber.gate = anyio.Event()
        runner = service.state.jobs.runner
        runner._renew_s = 0.01
        await accept(service)
        await poll_until(lambda: service.transcriber.in_flight == 1)
        runner.drain()
        other = Ledger(service.state.storage.database, "other", Outcome(JobState.FAILED, 60))
        assert other.lease(time.time() + 3600) is not None
        await poll_until(lambda: not runner)
    ends = [entry["state"] for entry in logged.entries if entry["event"] == "job"]
    assert ends == ["queued"]
    assert [entry["event"] for entry in logged.entries].count("lease_lost") == 1


async def test_a_server_that_dies_while_its_workers_start_does_not_count_against_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "POLL_S", 0.01)
    async with running(tmp_path) as service:
        service.transcriber.current = replace(READY, ready=False)
        jobs, asked = service.state.jobs.runner, list[bool]()
        is_ready = jobs._is_ready

        def ask() -> bool:
            asked.append(is_ready())
            return asked[-1]

        monkeypatch.setattr(jobs, "_is_ready", ask)
        await accept(service)
        before = len(asked)
        await poll_until(lambda: len(asked) > before + 3)
        job = service.state.storage.ledger.find(ANONYMOUS, "job")
        assert job is not None
        assert job.state is JobState.QUEUED
        service.transcriber.current = READY
        assert (await ended(service)).state is JobState.DONE


async def test_a_job_without_its_audio_fails(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.state.jobs.runner.drain()
        await accept(service)
    for audio in (tmp_path / "state" / "audio").iterdir():
        audio.unlink()
    async with running(tmp_path) as service:
        job = await ended(service)
    assert job.state is JobState.FAILED
    error = json.loads(job.error or b"")
    assert (error["code"], error["retryable"]) == ("audio_missing", False)


async def test_gateways_share_audio_in_a_bucket(
    tmp_path: Path, bucket_settings: dict[str, str]
) -> None:
    async with running(tmp_path, **bucket_settings) as service:
        service.state.jobs.runner.drain()
        await accept(service)
        assert len(stored(service)) == 1
    assert not (tmp_path / "state" / "audio").exists()
    async with running(tmp_path, **bucket_settings) as service:
        job = await ended(service)
        await poll_until(service.is_at_rest)
        await poll_until(lambda: stored(service) == [])
    assert (job.state, job.text) == (JobState.DONE, "hello")


async def test_a_job_waits_while_its_audio_cannot_be_read(
    tmp_path: Path,
    s3: S3Server,
    bucket_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    logged: LogCapture,
) -> None:
    monkeypatch.setattr(runner, "POSTPONED_RETRY_S", 0.1)
    async with running(tmp_path, **bucket_settings) as service:
        service.state.jobs.runner.drain()
        await accept(service)
    async with proxy_to(s3.port) as proxy:
        proxy.is_refusing = True
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, **proxied) as service:
            await poll_until(lambda: count(logged, "job_postponed") >= 2)
            proxy.is_refusing = False
            job = await ended(service)
    assert (job.state, job.text, job.losses) == (JobState.DONE, "hello", 0)


async def test_a_job_continues_after_the_only_recogniser_was_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "POSTPONED_RETRY_S", 0.1)
    async with running(tmp_path) as service:
        service.transcriber.script = [Draining("The recogniser is shutting down.", 1)]
        await accept(service)
        job = await ended(service)
    assert (job.state, job.text, job.losses) == (JobState.DONE, "hello", 0)


async def test_a_job_waits_in_the_ledger_while_its_model_is_loaded(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with running(tmp_path) as service:
        service.transcriber.script = [ModelUnavailable("The model is being loaded.", 1)] * 2
        await accept(service)
        await poll_until(lambda: count(logged, "job_postponed") >= 1)
        await poll_until(lambda: not service.state.jobs.runner)  # it occupies no slot
        job = await ended(service)
    assert (job.state, job.text, job.losses) == (JobState.DONE, "hello", 0)
    assert count(logged, "job_postponed") == 2


async def test_a_job_that_is_deleted_during_its_download_ends_at_once(
    tmp_path: Path, s3: S3Server, bucket_settings: dict[str, str]
) -> None:
    async with running(tmp_path, **bucket_settings) as service:
        service.state.jobs.runner.drain()
        await accept(service)
    async with proxy_to(s3.port) as proxy:
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, **proxied) as service:
            proxy.freeze()
            await poll_until(lambda: len(service.state.jobs.runner) == 1)
            await poll_until(lambda: service.state.storage.fetch_threads.borrowed_tokens == 1)
            service.state.storage.ledger.delete(ANONYMOUS, "job")
            service.state.jobs.runner.stop(1)
            await poll_until(lambda: len(service.state.jobs.runner) == 0)
            proxy.cut()


def count(logged: LogCapture, event: str) -> int:
    return sum(entry["event"] == event for entry in logged.entries)
