"""What faults of the workers of partials mean to live sessions: nothing, but for a partial."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.engines.placement import Placement
from auricle.engines.registry import find_engine
from auricle.values.optional_workers import OptionalWorkers
from auricle.workers.kinds.partials.pool import PartialPool
from tests.support.command import MANY_SPEAKERS
from tests.support.decoder import FakeDecoder
from tests.support.pool import worker_pool
from tests.support.service import application, listening, poll_until
from tests.support.stream import SPEECH, call, pcm
from tests.support.worker_pool import START_LIMIT_S

pytestmark = [pytest.mark.process, pytest.mark.wall_clock]

STREAMS = "tests.support.scripted_streams"
START: dict[str, Any] = {"format": "pcm16", "seq": 0, "language": "en"}
SPEAKERS = 4
SLICE_SAMPLES = 3200
SLICE_S = 0.2

Final = tuple[str, float, float, str | None]


@asynccontextmanager
async def served(
    tmp_path: Path, model: str = "scripted", **limits: float
) -> AsyncIterator[tuple[int, PartialPool]]:
    """Serve with workers of finals and one of partials."""
    worker = WorkerSettings(workers=2, job_timeout_min_s=60, backoff_first_s=0.01)
    finals = worker_pool(worker)
    chosen, spec = ModelSettings(engine=STREAMS, model=model), find_engine(STREAMS)
    own = WorkerSettings.model_validate(
        {"workers": 1, "worker_threads": 1, "backoff_first_s": 0.01} | limits
    )
    partials = PartialPool(Placement(own, chosen, spec, spec.models.find(chosen)))
    settings = Settings(
        server=ServerSettings(spool_dir=tmp_path / "spool"),
        ledger=LedgerSettings(state_dir=tmp_path / "state"),
        live=LiveSettings(live_speakers=MANY_SPEAKERS),
    )
    try:
        await finals.start()
        await partials.start()
        await finals.wait_ready(START_LIMIT_S)
        await poll_until(lambda: partials.is_ready)
        workers = OptionalWorkers(partials=partials)
        async with (
            application(settings, finals, FakeDecoder(), workers) as app,
            listening(app) as port,
        ):
            yield port, partials
    finally:
        await partials.aclose()
        await finals.aclose()


async def speak(port: int) -> tuple[list[Final], int]:
    """Play the speech in real time; return finals, and how many partials."""
    async with call(port, **START) as speaker:
        for first in range(0, SPEECH.size, SLICE_SAMPLES):
            await speaker.send(pcm(SPEECH[first : first + SLICE_SAMPLES]))
            await anyio.sleep(SLICE_S)
        await speaker.tell("stop")
        assert await speaker.until_closed() == (1000, "done")
        finals = [(f["text"], f["start_s"], f["end_s"], f["error"]) for f in speaker.of("final")]
        return finals, len(speaker.of("partial"))


async def all_speak(port: int) -> tuple[list[list[Final]], int]:
    results = await asyncio.gather(*(speak(port) for _ in range(SPEAKERS)))
    return [finals for finals, _ in results], sum(partials for _, partials in results)


async def strike(partials: PartialPool, signal_number: int, interval_s: float) -> None:
    """Send a signal to the worker of partials again and again."""
    while True:
        await anyio.sleep(interval_s)
        (worker,) = partials.stats().workers
        if worker.pid is not None and worker.state.is_up:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(worker.pid, signal_number)


@pytest.fixture(scope="module")
async def peace(tmp_path_factory: pytest.TempPathFactory) -> list[list[Final]]:
    """The finals of speakers whose partials are not disturbed."""
    async with served(tmp_path_factory.mktemp("peace")) as (port, partials):
        finals, shown = await all_speak(port)
        assert shown
        assert partials.stats().jobs.done
    assert all(error is None and text for each in finals for text, _, _, error in each)
    return finals


def restarts(partials: PartialPool) -> int:
    return sum(worker.restarts for worker in partials.stats().workers)


@pytest.mark.parametrize(
    ("signal_number", "interval_s", "limits"),
    [
        pytest.param(signal.SIGKILL, 0.4, {}, id="killed", marks=pytest.mark.smoke),
        pytest.param(signal.SIGSTOP, 0.4, {"job_timeout_min_s": 0.5}, id="hung"),
    ],
)
async def test_a_worker_of_partials_that_fails_costs_no_final(
    tmp_path: Path,
    peace: list[list[Final]],
    signal_number: int,
    interval_s: float,
    limits: dict[str, float],
) -> None:
    async with (
        served(tmp_path, "scripted", **limits) as (port, partials),
        anyio.create_task_group() as group,
    ):
        group.start_soon(strike, partials, signal_number, interval_s)
        finals, _ = await all_speak(port)
        await poll_until(lambda: restarts(partials) > 0)
        group.cancel_scope.cancel()
    assert finals == peace


async def test_a_worker_of_partials_that_grows_costs_no_final(
    tmp_path: Path, peace: list[list[Final]]
) -> None:
    async with served(tmp_path, "growing", worker_hard_mb=300) as (port, partials):
        finals, _ = await all_speak(port)
        with anyio.fail_after(120):
            while not restarts(partials):  # on a busy machine the worker may not have had its turn
                await speak(port)
    assert finals == peace


async def test_without_a_worker_of_partials_those_of_finals_recognise_them(
    tmp_path: Path, peace: list[list[Final]]
) -> None:
    async with served(tmp_path) as (port, partials):
        await partials.aclose()
        finals, shown = await all_speak(port)
        assert shown
    assert finals == peace
