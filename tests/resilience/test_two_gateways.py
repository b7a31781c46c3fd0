"""Two gateways before the same recognisers: what is promised to callers holds across both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.values.errors import Overloaded, PoisonJob
from auricle.values.types import ANONYMOUS, Job, JobId, JobKind, ReservationRequest
from tests.conformance.remote import (
    RemoteSubject,
    all_ready,
    be_patient,
    look_often,
    remote_maker,
)
from tests.conformance.transcriber.helpers import Notes, as_a_client, blocked, job, waiting
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient(monkeypatch)
    look_often(monkeypatch)


@asynccontextmanager
async def two_gateways(
    folder: Path, queue_audio_s: float = 300
) -> AsyncIterator[tuple[RemoteSubject, RemoteTranscriber]]:
    """Give a gateway with its recognisers, and another one that asks the same."""

    def half(engine: GatewaySettings, queue: QueueSettings, costs: CostModel) -> RemoteTranscriber:
        return RemoteTranscriber(engine.model_copy(update={"gateways": 2}), queue, costs)

    async with remote_maker(folder, half)(nodes=1, queue_audio_s=queue_audio_s) as first:
        assert isinstance(first, RemoteSubject)
        urls = tuple(proxy.url for proxy in first.proxies.values())
        second = half(GatewaySettings(engine_urls=urls), QueueSettings(), CostModel())
        await second.start()
        try:
            await all_ready(second, 1)
            yield first, second
        finally:
            await second.aclose()


async def test_a_final_passes_the_files_of_another_gateway(tmp_path: Path) -> None:
    async with two_gateways(tmp_path) as (first, second):
        gate, blocker = await blocked(first, tmp_path)
        notes = Notes(tmp_path / "runs")
        files = [job(f"f{n}", notes.line, kind=JobKind.FILE) for n in range(4)]
        reading = asyncio.gather(*map(first.transcriber.transcribe, files))
        await waiting(first, 4)
        final = job("final", notes.line)
        spoken = asyncio.create_task(second.transcribe(final))
        await waiting(first, 5)
        gate.open()
        await asyncio.gather(blocker, reading, spoken)
        assert notes.heard == [answer(a_job.pcm) for a_job in (final, *files)]


async def test_a_greedy_client_of_one_gateway_leaves_others_their_share(tmp_path: Path) -> None:
    async with two_gateways(tmp_path) as (first, second):
        gate, blocker = await blocked(first, tmp_path)
        notes = Notes(tmp_path / "runs")
        greedy = [job(f"g{n}", notes.line, seconds=2, client="greedy") for n in range(20)]
        running = asyncio.gather(*map(first.transcriber.transcribe, greedy))
        await waiting(first, 20)
        modest = [job(f"m{n}", notes.line, seconds=2, client="modest") for n in range(4)]
        served = asyncio.gather(*map(second.transcribe, modest))
        await waiting(first, 24)
        gate.open()
        await asyncio.gather(blocker, running, served)
        ours = {answer(a_job.pcm) for a_job in modest}
        assert sum(heard in ours for heard in notes.heard[:12]) == 4


async def test_audio_quarantined_by_one_gateway_costs_the_other_no_worker(tmp_path: Path) -> None:
    async with two_gateways(tmp_path) as (first, second):
        notes = Notes(tmp_path / "runs")
        poison = job("poison", notes.line, "segfault")
        with pytest.raises(PoisonJob):
            await first.transcriber.transcribe(poison)
        again = Job(JobId("again"), poison.pcm.copy(), poison.options)
        with pytest.raises(PoisonJob):
            await as_a_client(second, again)  # the worker that it cost may not be back yet
        assert notes.runs == 2


async def test_each_gateway_admits_its_part_and_no_more(tmp_path: Path) -> None:
    async with two_gateways(tmp_path, queue_audio_s=40) as (first, second):
        for transcriber in (first.transcriber, second):
            transcriber.reserve(ReservationRequest(ANONYMOUS, 15.0))
            with pytest.raises(Overloaded):
                transcriber.reserve(ReservationRequest(ANONYMOUS, 15.0))


async def test_jobs_of_other_gateways_use_no_room_of_this_one(tmp_path: Path) -> None:
    async with two_gateways(tmp_path, queue_audio_s=40) as (first, second):
        gate, blocker = await blocked(first, tmp_path)
        jobs = [job(f"j{n}", seconds=8) for n in range(3)]
        running = asyncio.gather(*map(first.transcriber.transcribe, jobs))
        await waiting(first, 3)
        await poll_until(lambda: second.stats().queue.waiting_jobs >= 3, "a look of the second")
        with pytest.raises(Overloaded):
            second.reserve(ReservationRequest(ANONYMOUS, 17.0))
        second.reserve(ReservationRequest(ANONYMOUS, 16.0))
        gate.open()
        await asyncio.gather(blocker, running)


async def test_a_session_keeps_its_finals_when_the_other_gateway_floods(tmp_path: Path) -> None:
    async with two_gateways(tmp_path, queue_audio_s=20) as (first, second):
        room = second.reserve(ReservationRequest(ANONYMOUS, 8.0, standing=True))
        gate, blocker = await blocked(first, tmp_path)
        flood = asyncio.gather(
            *(first.transcriber.transcribe(job(f"f{n}", seconds=4.0)) for n in range(12)),
            return_exceptions=True,
        )
        await waiting(first, 5)
        finals = [job(f"s{n}", seconds=6.0, reservation=room) for n in range(2)]
        served = [asyncio.create_task(second.transcribe(final)) for final in finals]
        await asyncio.wait(served, timeout=1.0)
        assert not any(task.done() for task in served)
        gate.open()
        assert [t.text for t in await asyncio.gather(*served)] == [answer(j.pcm) for j in finals]
        results = await flood
        assert any(isinstance(result, Overloaded) for result in results)
        await blocker
