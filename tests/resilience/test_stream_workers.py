"""Live sessions over real workers: what a full queue and a dying worker mean to them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from auricle.config.settings import (
    LedgerSettings,
    QueueSettings,
    ServerSettings,
    Settings,
    WorkerSettings,
)
from auricle.limits import SESSION_AUDIO_S
from auricle.server.app import create_app
from auricle.server.context import ServerState
from auricle.types import ANONYMOUS, ReservationRequest
from auricle.workers.asr.pool import WorkerPool
from tests.support.decoder import FakeDecoder
from tests.support.pool import worker_pool
from tests.support.service import listening, poll_until
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.process

QUEUE_AUDIO_S = 45.0
NEEDED_BY_A_NEW_ONE_S = SESSION_AUDIO_S + QUEUE_AUDIO_S / 10
"""A tenth of the queue is for resumed sessions."""
START: dict[str, Any] = {"format": "pcm16", "seq": 0, "partials": 0}


@dataclass
class Served:
    pool: WorkerPool
    port: int
    state: ServerState

    def fill(self, left_s: float) -> str:
        """Reserve room for others, so that this amount is left."""
        taken_s = self.pool.stats().queue.reserved_audio_s
        return self.pool.reserve(ReservationRequest(ANONYMOUS, QUEUE_AUDIO_S - left_s - taken_s))

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
        await pool.wait_ready(60)
        settings = Settings(
            server=ServerSettings(spool_dir=tmp_path_factory.mktemp("spool")),
            ledger=LedgerSettings(state_dir=tmp_path_factory.mktemp("state")),
        )
        app = create_app(pool, FakeDecoder(), settings)
        async with listening(app) as port:
            yield Served(pool, port, app.state.auricle)
    finally:
        await pool.aclose()


async def test_a_full_queue_refuses_new_sessions_and_never_a_final_of_those_that_are_in(
    served: Served,
) -> None:
    async with call(served.port, **START) as caller:
        await caller.until("ready")
        room = served.fill(NEEDED_BY_A_NEW_ONE_S - 1)
        try:
            status, code, retry_after = await served.refused(**START)
            assert (status, code) == (503, "queue_full")
            assert int(retry_after or 0) >= 1
            refused = served.pool.stats().jobs.refused
            for _ in range(3):
                await caller.send(pcm(SPEECH))  # longer than its room: the next final always fits
                await caller.tell("finalize")
                assert (await caller.until("final"))["error"] is None
            assert served.pool.stats().jobs.refused == refused
        finally:
            served.pool.release(room)
    assert caller.of("error") == caller.of("warning") == []


async def test_a_resumed_session_is_admitted_when_new_ones_are_not(served: Served) -> None:
    await poll_until(lambda: not served.pool.stats().queue.reserved_audio_s)
    room = served.fill(NEEDED_BY_A_NEW_ONE_S - 1)
    try:
        assert (await served.refused(**START))[0] == 503
        async with call(served.port, **START, resume=1) as caller:
            await caller.tell("resume", session="forgotten", secret="")
            assert (await caller.until("ready"))["resumed"] is False
            await caller.send(pcm(SPEECH[:16_000]))
            await caller.tell("finalize")
            assert (await caller.until("final"))["error"] is None
    finally:
        served.pool.release(room)


async def test_a_waiting_session_has_its_room_when_its_client_resumes(
    served: Served,
) -> None:
    await poll_until(lambda: not served.pool.stats().queue.reserved_audio_s)
    async with call(served.port, format="opus", seq=1) as caller:
        ready = await caller.until("ready")
        caller.connection.transport.abort()
    await poll_until(lambda: served.state.live.waiting > 0)
    room = served.fill(0)
    try:
        assert (await served.refused(**START))[0] == 503
        async with call(served.port, resume=1) as again:
            await again.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await again.until("ready"))["resumed"] is True
            assert served.pool.stats().queue.reserved_audio_s == pytest.approx(QUEUE_AUDIO_S)
            await again.tell("stop")
            await again.until_closed()
    finally:
        served.pool.release(room)


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
