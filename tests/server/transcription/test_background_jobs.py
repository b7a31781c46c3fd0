"""Background jobs: how they end, and what is kept while they run."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.config.settings import LedgerSettings
from auricle.errors import AudioError, LedgerUnavailable
from auricle.ledger import runner
from auricle.ledger.job import Job, JobState, Outcome
from auricle.ledger.store import Ledger
from auricle.server.transcription.background_jobs import (
    accept_job,
    decode_params,
    delete_expired,
    delete_job,
    encode_params,
    stored_before,
)
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.upload import Upload
from auricle.types import ANONYMOUS, DEFAULT_BEAM_SIZE, Task
from tests.support.decoder import file_of
from tests.support.s3 import S3Server
from tests.support.service import Service, build, poll_until
from tests.support.tcp_proxy import proxy_to
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

NEVER, FAR_FUTURE = 0.0, 1e11
PARAMS = check(Fields(job_id="job", audio_format="pcm16"))


@asynccontextmanager
async def running(folder: Path, **ledger: Any) -> AsyncIterator[Service]:
    settings = LedgerSettings(state_dir=folder / "state", **ledger)
    service = build(folder / "spool", ledger=settings)
    async with service.state.run():
        yield service


async def accept(service: Service, **options: Any) -> None:
    params = replace(PARAMS, **options)
    async with AsyncExitStack() as resources:
        await accept_job(service.state, ANONYMOUS, params, Upload(bytes(32_000)), resources)


async def ended(service: Service) -> Job:
    ledger = service.state.running.ledger
    with anyio.fail_after(30):
        while True:
            job = ledger.find(ANONYMOUS, "job")
            assert job is not None
            if job.state.is_final:
                return job
            await anyio.sleep(0.01)


async def test_a_job_ends_with_its_transcript_and_without_its_audio(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        await accept(service)
        job = await ended(service)
        await poll_until(service.is_at_rest)
        assert list(service.state.running.audio.names(float("inf"))) == []
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
        ledger = service.state.running.ledger
        number = ledger.find(ANONYMOUS, "job").number  # type: ignore[union-attr]
        await poll_until(lambda: len(ledger.chunks(number)) == 1)
    async with running(tmp_path) as service:
        service.decoder.script = file_of(20, 15)
        service.transcriber.answer_with = lambda job: heard("second", job)
        job = await ended(service)
        assert [job.id.rpartition(":")[2] for job in service.transcriber.jobs] == ["1"]
    assert job.text == "first second"


async def test_a_job_taken_over_by_another_gateway_is_not_logged_as_cancelled(
    tmp_path: Path, logged: LogCapture
) -> None:
    async with running(tmp_path) as service:
        service.transcriber.gate = anyio.Event()
        runner = service.state.running.runner
        runner._renew_s = 0.01
        await accept(service)
        await poll_until(lambda: service.transcriber.in_flight == 1)
        runner.drain()
        other = Ledger(service.state.running.database, "other", Outcome(JobState.FAILED, 60))
        assert other.lease(time.time() + 3600) is not None
        await poll_until(lambda: not runner)
    ends = [entry["state"] for entry in logged.entries if entry["event"] == "job"]
    assert ends == ["queued"]
    assert [entry["event"] for entry in logged.entries].count("lease_lost") == 1


async def test_a_job_without_its_audio_fails(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.state.running.runner.drain()
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
        service.state.running.runner.drain()
        await accept(service)
        assert len(list(service.state.running.audio.names(FAR_FUTURE))) == 1
    assert not (tmp_path / "state" / "audio").exists()
    async with running(tmp_path, **bucket_settings) as service:
        job = await ended(service)
        await poll_until(service.is_at_rest)
        await poll_until(lambda: list(service.state.running.audio.names(FAR_FUTURE)) == [])
    assert (job.state, job.text) == (JobState.DONE, "hello")


async def test_a_job_waits_while_its_audio_cannot_be_read(
    tmp_path: Path,
    s3: S3Server,
    bucket_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    logged: LogCapture,
) -> None:
    monkeypatch.setattr(runner, "AUDIO_RETRY_S", 0.1)
    async with running(tmp_path, **bucket_settings) as service:
        service.state.running.runner.drain()
        await accept(service)
    async with proxy_to(s3.port) as proxy:
        proxy.is_refusing = True
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, **proxied) as service:
            await poll_until(lambda: count(logged, "audio_not_read") >= 2)
            proxy.is_refusing = False
            job = await ended(service)
    assert (job.state, job.text, job.losses) == (JobState.DONE, "hello", 0)


async def test_a_job_is_refused_while_its_audio_cannot_be_stored(
    tmp_path: Path, s3: S3Server, bucket_settings: dict[str, str]
) -> None:
    async with proxy_to(s3.port) as proxy:
        proxied = bucket_settings | {"audio_endpoint": proxy.url}
        async with running(tmp_path, **proxied) as service:
            proxy.is_refusing = True
            proxy.cut()
            with pytest.raises(LedgerUnavailable) as refusal:
                await accept(service)
            assert service.state.running.ledger.find(ANONYMOUS, "job") is None
    assert (refusal.value.http_status, refusal.value.retry_after_s) == (503, 30)


@pytest.fixture(params=["directory", "bucket"])
def audio_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the settings of each kind of store."""
    if request.param == "directory":
        return {}
    settings: dict[str, str] = request.getfixturevalue("bucket_settings")
    return settings


async def test_audio_is_kept_for_the_time_of_the_setting(
    tmp_path: Path, audio_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, keep_audio_s=3600, **audio_settings) as service:
        audio = service.state.running.audio
        await accept(service)
        job = await ended(service)
        await poll_until(service.is_at_rest)
        delete_expired(service.state, NEVER)
        assert list(audio.names(FAR_FUTURE)) == [job.spec.audio]

        monkeypatch.setattr(time, "time", lambda: float(job.audio_until or 0))
        delete_expired(service.state, NEVER)
        assert list(audio.names(FAR_FUTURE)) == []


@pytest.mark.parametrize(("setting_s", "request_s", "kept"), [(0, 60, 1), (3600, 0, 0)])
async def test_a_request_sets_its_own_retention_of_audio(
    tmp_path: Path, setting_s: float, request_s: float, kept: int
) -> None:
    async with running(tmp_path, keep_audio_s=setting_s) as service:
        await accept(service, keep_audio_s=request_s)
        await ended(service)
        await poll_until(service.is_at_rest)
        assert len(list(service.state.running.audio.names(FAR_FUTURE))) == kept


async def test_deleting_a_job_deletes_its_kept_audio(
    tmp_path: Path, audio_settings: dict[str, str]
) -> None:
    async with running(tmp_path, keep_audio_s=3600, **audio_settings) as service:
        await accept(service)
        await ended(service)
        await poll_until(service.is_at_rest)
        await delete_job(service.state, ANONYMOUS, "job")
        assert list(service.state.running.audio.names(FAR_FUTURE)) == []


async def test_a_sweep_deletes_old_orphans_of_each_store(
    tmp_path: Path, audio_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")
    async with running(tmp_path, **audio_settings) as service:
        audio = service.state.running.audio
        orphan = audio.put(upload)
        delete_expired(service.state, NEVER)
        assert list(audio.names(FAR_FUTURE)) == [orphan]

        monkeypatch.setattr(time, "time", lambda: FAR_FUTURE)
        delete_expired(service.state, FAR_FUTURE)
        assert list(audio.names(FAR_FUTURE)) == []


def count(logged: LogCapture, event: str) -> int:
    return sum(entry["event"] == event for entry in logged.entries)


@pytest.mark.parametrize("jump_s", [-3600, 0, 3600])
def test_audio_of_this_process_is_not_taken_for_older_when_the_clock_jumps(jump_s: float) -> None:
    began_at, elapsed_s = 1.8e9, 100.0
    stored_at = began_at + elapsed_s + jump_s
    limit = stored_before(began_at, stored_at, elapsed_s)
    assert limit <= stored_at
    assert limit <= began_at


def test_parameters_survive_storing() -> None:
    options = replace(
        PARAMS.options,
        language="de",
        task=Task.TRANSLATE,
        hotwords=("Auricle",),
        languages=("de", "en"),
    )
    params = replace(PARAMS, options=options, max_wait_s=2.5, warnings=("x has no effect",))
    assert decode_params(encode_params(params)) == params


def test_parameters_of_other_versions_are_readable() -> None:
    stored = json.loads(encode_params(PARAMS))
    stored["later_field"] = 1
    del stored["options"]["beam_size"]
    params = decode_params(json.dumps(stored).encode())
    assert params.options.beam_size == DEFAULT_BEAM_SIZE
