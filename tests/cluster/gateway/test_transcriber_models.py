"""A gateway whose recognisers serve several models."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from auricle.values.errors import ModelNotFound, ModelUnavailable
from auricle.values.transcriber import ModelState
from auricle.values.types import ANONYMOUS, Job, ReservationRequest
from tests.support.model_pools import scripted
from tests.support.poll import LIMIT_S, poll_until
from tests.support.recognisers import Recogniser, gateway, running_recogniser
from tests.support.scripted_engine import answer
from tests.workers.kinds.asr.pool.helpers import job as plain_job

pytestmark = pytest.mark.process


def job(name: str, model: str, reservation: str | None = None) -> Job:
    plain = plain_job(name, reservation=reservation)
    return replace(plain, options=replace(plain.options, model=model))


@pytest.fixture(scope="module")
def recogniser() -> Iterator[Recogniser]:
    models = scripted("main", "rare=;load=demand", "broken=scripted:setup-error")
    with running_recogniser(engine="", model="", models=models) as running:
        yield running


async def test_jobs_run_with_their_model_and_a_failing_one_ejects_no_recogniser(
    recogniser: Recogniser,
) -> None:
    async with gateway(recogniser.url) as remote:
        await poll_until(lambda: len(remote.stats().models) == 3)
        given = job("a", "main")
        assert (await remote.transcribe(given)).text == answer(given.pcm)
        with pytest.raises(ModelNotFound, match="main, rare, broken"):
            await remote.transcribe(job("b", "missing"))
        for n in range(10):
            with pytest.raises(ModelUnavailable) as caught:
                await remote.transcribe(job(f"c{n}", "broken"))
            assert caught.value.retry_after_s >= 1
        assert remote.stats().ready
        await poll_until(lambda: remote.stats().models[2].state is ModelState.FAILED)
        assert (await remote.transcribe(job("d", "main"))).text


async def test_a_session_starts_once_its_model_is_loaded(recogniser: Recogniser) -> None:
    async with gateway(recogniser.url) as remote:
        request = ReservationRequest(ANONYMOUS, 15.0, standing=True, model="rare")
        with pytest.raises(ModelUnavailable):
            remote.reserve(request)
        await poll_until(lambda: remote.stats().models[1].state is ModelState.READY)
        room = remote.reserve(request)
        given = job("b", "rare", reservation=room)
        assert (await asyncio.wait_for(remote.transcribe(given), LIMIT_S)).text == answer(given.pcm)
        remote.release(room)
