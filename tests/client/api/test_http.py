"""How each transport sends, reads and waits, with a scripted server."""

import threading
import time

import anyio
import httpx2 as httpx
import pytest

from auricle.client.api.audio import open_audio
from auricle.client.api.blocking import run
from auricle.client.api.calls import create_job, create_token, get_job
from auricle.client.api.http import AsyncTransport, BlockingTransport, Transport
from tests.support.job_server import DONE, ScriptedServer

pytestmark = [pytest.mark.process, pytest.mark.anyio]

SPEECH = b"x" * 600_000  # several chunks
KINDS = pytest.mark.parametrize("kind", [AsyncTransport, BlockingTransport])


@KINDS
async def test_a_recording_is_sent_whole_and_a_response_read(
    server: ScriptedServer, kind: type[Transport]
) -> None:
    transport = kind(server.url, httpx.Headers(), 60)
    response = await transport.request(create_job(open_audio(SPEECH), "a", {}))
    assert response.is_success
    assert server.received == [SPEECH]
    assert (await transport.request(get_job("a"))).content
    server.jobs = [(200, b"1\n2\n"), (404, b"gone")]
    async with transport.stream("/jobs/a/events") as lines:
        assert [line async for line in transport.lines(lines)] == ["1", "2"]
    async with transport.stream("/jobs/a/events") as refused:
        assert await transport.read(refused) == b"gone"
    await transport.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await transport.request(create_token(60))


def test_a_blocking_transport_needs_no_event_loop(server: ScriptedServer) -> None:
    server.jobs = [DONE]
    transport = BlockingTransport(server.url, httpx.Headers(), 60)

    async def use() -> int:
        with transport.cleanup(60):
            began_at = time.monotonic()
            await transport.sleep(0.01)
            assert time.monotonic() - began_at >= 0.01
            return (await transport.request(get_job("a"))).status_code

    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(run(use()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 3
    run(transport.aclose())


async def test_cleanup_outlives_a_cancellation_but_not_its_limit(server: ScriptedServer) -> None:
    transport = AsyncTransport(server.url, httpx.Headers(), 60)
    done: list[str] = []
    with anyio.CancelScope() as scope:
        scope.cancel()
        with transport.cleanup(60):
            await transport.sleep(0)
            done.append("within")
        with transport.cleanup(0):
            await anyio.sleep_forever()
            done.append("beyond")
    await transport.aclose()
    assert done == ["within"]
