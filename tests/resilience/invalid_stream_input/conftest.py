from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.resilience.invalid_stream_input.helpers import HALF, OtherClient, serving, told_of
from tests.support.service import Live
from tests.support.stream import PACKETS, Caller, call, framed


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    async with serving(tmp_path_factory.mktemp("spool")) as started:
        yield started


@pytest.fixture(scope="module")
async def other_client(service: Live) -> OtherClient:
    """Return a second client that streams during a test and fails it if its session is affected."""
    undisturbed: list[Any] = []

    async def stay_alive(caller: Caller) -> None:
        while True:
            await anyio.sleep(0.1)
            await caller.tell("keepalive")

    @asynccontextmanager
    async def speaking(port: int) -> AsyncIterator[None]:
        async with call(port, format="opus", seq=1, partials=0, language="fr") as caller:
            await caller.until("ready")
            await caller.send(framed(PACKETS[:HALF], 0))
            async with anyio.create_task_group() as group:
                group.start_soon(stay_alive, caller)
                yield
                group.cancel_scope.cancel()
            await caller.send(framed(PACKETS[HALF:], HALF))
            await caller.tell("stop")
            assert await caller.until_closed() == (1000, "done")
        assert caller.of("error") == caller.of("warning") == caller.of("switch_format") == []
        told = [told_of(final) for final in caller.of("final")]
        assert told
        assert told == (undisturbed or told)
        undisturbed[:] = told

    async with speaking(service.port):
        pass
    return speaking
