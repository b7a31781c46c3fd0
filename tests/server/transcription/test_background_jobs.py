"""Background jobs: how they end, and what is kept while they run."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from auricle.config.settings import LedgerSettings
from auricle.errors import AudioError
from auricle.ledger.job import Job, JobState
from auricle.server.transcription.background_jobs import accept_job, decode_params, encode_params
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.upload import Upload
from auricle.types import ANONYMOUS, DEFAULT_BEAM_SIZE, Task
from tests.support.decoder import file_of
from tests.support.service import Service, build, poll_until
from tests.support.transcriber import heard

pytestmark = pytest.mark.server

PARAMS = check(Fields(job_id="job", audio_format="pcm16"))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Service]:
    service = build(folder / "spool", ledger=LedgerSettings(state_dir=folder / "state"))
    async with service.state.run():
        yield service


async def accept(service: Service) -> None:
    async with AsyncExitStack() as resources:
        await accept_job(service.state, ANONYMOUS, PARAMS, Upload(bytes(32_000)), resources)


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


async def test_a_job_without_its_audio_fails(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        service.state.running.runner.drain()
        await accept(service)
    for audio in (tmp_path / "state" / "audio").iterdir():
        audio.unlink()
    async with running(tmp_path) as service:
        assert (await ended(service)).state is JobState.FAILED


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
