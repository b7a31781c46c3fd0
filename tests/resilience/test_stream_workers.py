"""Live sessions over real workers: a full queue, other speakers and a dying worker."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.server.live.admission.capacity import SpeakerCapacity
from auricle.server.service import Service
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, ReservationRequest
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.support.command import MANY_SPEAKERS
from tests.support.decoder import FakeDecoder
from tests.support.pool import worker_pool
from tests.support.service import application, listening, poll_until
from tests.support.stream import SPEECH, call, pcm
from tests.support.worker_pool import START_LIMIT_S

pytestmark = pytest.mark.process

QUEUE_AUDIO_S = 45.0
IS_SPEAKING = 0.6
"""Speakers from which a machine that holds one has no place."""
START: dict[str, Any] = {"format": "pcm16", "seq": 0, "partials": 0}


@dataclass
class Served:
    pool: WorkerPool
    port: int
    state: Service

    async def refused(self, **query: Any) -> tuple[int, str, str | None]:
        with pytest.raises(InvalidStatus) as caught:
            async with call(self.port, **query):
                pass
        response = caught.value.response
        error = json.loads(response.body or b"{}")["error"]
        return response.status_code, error["code"], response.headers.get("retry-after")


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    pool = worker_pool(
        WorkerSettings(workers=2, job_timeout_min_s=60, backoff_first_s=0.01),
        QueueSettings(queue_audio_s=QUEUE_AUDIO_S),
    )
    await pool.start()
    try:
        await pool.wait_ready(START_LIMIT_S)
        settings = Settings(
            server=ServerSettings(spool_dir=tmp_path_factory.mktemp("spool")),
            ledger=LedgerSettings(state_dir=tmp_path_factory.mktemp("state")),
            live=LiveSettings(live_speakers=MANY_SPEAKERS),
        )
        async with application(settings, pool, FakeDecoder()) as app, listening(app) as port:
            yield Served(pool, port, app.service)
    finally:
        await pool.aclose()


async def test_a_full_queue_of_uploads_refuses_no_session_and_no_final(served: Served) -> None:
    room = served.pool.reserve(ReservationRequest(ANONYMOUS, QUEUE_AUDIO_S))
    try:
        with pytest.raises(Overloaded):
            served.pool.reserve(ReservationRequest(ANONYMOUS, 0.1))
        async with call(served.port, **START) as caller:
            await caller.until("ready")
            for _ in range(3):
                await caller.send(pcm(SPEECH))
                await caller.tell("finalize")
                assert (await caller.until("final"))["error"] is None
    finally:
        served.pool.release(room)
    assert caller.of("error") == caller.of("warning") == []


@pytest.mark.wall_clock
async def test_a_session_is_resumed_while_the_machine_is_full_of_speakers(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = served.state.live
    monkeypatch.setattr(live.admission, "capacity", SpeakerCapacity(1, is_fixed=True))
    await poll_until(lambda: not live.admission.speakers)
    async with call(served.port, format="opus", seq=1) as caller:
        ready = await caller.until("ready")
        caller.connection.transport.abort()
    await poll_until(lambda: live.waiting > 0)
    async with call(served.port, **START) as speaker:
        await speaker.send(pcm(SPEECH[:32_000]))  # an utterance that has not ended
        await poll_until(lambda: live.admission.speakers > IS_SPEAKING)
        status, code, retry_after = await served.refused(**START)
        assert (status, code) == (503, "server_full")
        assert int(retry_after or 0) >= 1
        async with call(served.port, resume=1) as again:
            await again.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await again.until("ready"))["resumed"] is True
            for each in (again, speaker):
                await each.tell("stop")
                await each.until_closed()


async def test_a_worker_s_death_costs_no_word_and_its_neighbour_none_either(
    served: Served, tmp_path: Path
) -> None:
    marker = tmp_path / "once"
    marker.touch()
    restarts = sum(worker.restarts for worker in served.pool.stats().workers)
    finals = []
    for prompt in ("", f"scripted:exit-once:3:{marker}"):
        async with (
            call(served.port, **START) as neighbour,
            call(served.port, **START, prompt=prompt) as caller,
        ):
            for speaker in (neighbour, caller):
                await speaker.send(pcm(SPEECH))
                await speaker.tell("stop")
            for speaker in (neighbour, caller):
                assert await speaker.until_closed() == (1000, "done")
                finals.append([(final["text"], final["error"]) for final in speaker.of("final")])
    assert not marker.exists()
    assert finals == [finals[0]] * 4
    assert {error for _, error in finals[0]} == {None}
    await poll_until(
        lambda: sum(worker.restarts for worker in served.pool.stats().workers) > restarts
    )
