"""Background jobs of an application in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.jobs.job import Job
from auricle.server.job_answers import AnswerFormat
from auricle.server.jobs.background_jobs.requests import accept_job
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.upload import Upload
from auricle.values.types import ANONYMOUS
from tests.support.service import FakeService, opened

NEVER, FAR_FUTURE = 0.0, 1e11
PARAMS = check(Fields(job_id="job", audio_format="pcm16"))


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[FakeService]:
    ledger = LedgerSettings(state_dir=folder / "state", **settings)
    async with opened(folder / "spool", ledger=ledger, **settings) as service:
        yield service


async def accept(service: FakeService, api: str = "native", **options: Any) -> None:
    params, answer = replace(PARAMS, **options), AnswerFormat(api)
    async with AsyncExitStack() as resources:
        await accept_job(
            service.state.jobs, ANONYMOUS, params, answer, Upload(bytes(32_000)), resources
        )


async def ended(service: FakeService, job_id: str = "job") -> Job:
    ledger = service.state.storage.ledger
    with anyio.fail_after(60):
        while True:
            job = ledger.find(ANONYMOUS, job_id)
            assert job is not None
            if job.state.is_final:
                return job
            await anyio.sleep(0.01)


def stored(service: FakeService) -> list[str]:
    """Return the names of all stored audio."""
    return list(service.state.storage.audio.names(FAR_FUTURE))


@pytest.fixture(params=["directory", "bucket"])
def audio_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the settings of each kind of store of audio."""
    if request.param == "directory":
        return {}
    settings: dict[str, str] = request.getfixturevalue("bucket_settings")
    return settings
