"""Long transcripts are written as text a few at a time."""

import threading
import time
from collections.abc import Callable

import anyio
import pytest

from auricle.server.rendering import (
    MAX_RENDERINGS,
    MAX_RENDERINGS_PER_CLIENT,
    Renderer,
)
from auricle.values.types import ClientId, GiveWay
from tests.support.service import poll_until

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

GREEDY, MODEST = ClientId("greedy"), ClientId("modest")
HOUR = 3600 * 16_000
ALICE = {"authorization": "Bearer alice-key"}


class Work:
    """Renderings that wait until they are released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun: list[ClientId] = []

    def of(self, client: ClientId) -> Callable[[GiveWay], bytes]:
        def render(give_way: GiveWay) -> bytes:
            self.begun.append(client)
            while not self.release.wait(0.005):
                give_way()
            return b"text"

        return render


async def test_a_client_has_few_renderings_at_a_time_and_another_is_not_delayed() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(24):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        group.start_soon(renderer.render, MODEST, HOUR, work.of(MODEST))
        await poll_until(lambda: MODEST in work.begun)
        assert work.begun == [GREEDY] * MAX_RENDERINGS_PER_CLIENT + [MODEST]
        work.release.set()
    assert len(work.begun) == 25
    assert renderer.running == 0


async def test_all_clients_together_have_few_renderings() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for number in range(10):
            client = ClientId(f"client {number}")
            group.start_soon(renderer.render, client, HOUR, work.of(client))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS)
        assert renderer.running == MAX_RENDERINGS
        work.release.set()
    assert len(work.begun) == 10


async def test_a_short_result_does_not_wait_for_long_ones() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: work.begun)
        assert await renderer.render(GREEDY, 16_000, lambda _: "short") == "short"
        work.release.set()


async def test_a_rendering_ends_when_its_request_is_cancelled() -> None:
    renderer, work = Renderer(), Work()
    async with anyio.create_task_group() as group:
        group.start_soon(renderer.render, GREEDY, HOUR, work.of(GREEDY))
        await poll_until(lambda: work.begun)
        group.cancel_scope.cancel()
    assert not work.release.is_set()
    assert renderer.running == 0


@pytest.mark.wall_clock
async def test_a_rendering_leaves_the_interpreter_to_others_for_half_of_the_time() -> None:
    shares: list[float] = []

    def compute(give_way: GiveWay) -> None:
        began_at, used_s = time.perf_counter(), -time.thread_time()
        while time.perf_counter() < began_at + 0.5:
            give_way()
        shares.append((used_s + time.thread_time()) / (time.perf_counter() - began_at))

    renderer = Renderer()
    async with anyio.create_task_group() as group:
        group.start_soon(renderer.render, GREEDY, HOUR, compute)
        group.start_soon(renderer.render, MODEST, HOUR, compute)
    assert sum(shares) < 0.75
