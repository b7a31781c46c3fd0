"""Every word, once: a real server, its workers and its network fail in the middle of speech.

The engine answers with the samples that it was given, so a final that is made of any others shows.
The long form, with the real model, is ``tests/resilience/live_chaos.py``.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.support.command import LIMIT_S, MANY_SPEAKERS, Command, command, environment
from tests.support.poll import poll_until
from tests.support.speakers import SECOND, SPEECHES, Fault, Told, say
from tests.support.tcp_proxy import TcpProxy, proxy_to

pytestmark = [pytest.mark.process, pytest.mark.wall_clock]


@dataclass
class Service:
    """A server that can be started again where it was."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.running = self._start()

    def _start(self) -> Command:
        limits = {"live_speakers": MANY_SPEAKERS, "job_timeout_min_s": 2}
        environ = environment(self.folder, port=self.port, workers=2, **limits)
        return self.stack.enter_context(command("serve", environ=environ))

    async def restart(self, number: signal.Signals) -> None:
        """End it, and start another at once."""
        children = self.running.children()
        self.running.process.send_signal(number)
        await anyio.to_thread.run_sync(self.running.wait)
        await poll_until(lambda: not any(child.is_running() for child in children))
        self.running = self._start()

    async def hit_worker(self, number: signal.Signals) -> None:
        """Send a signal to a worker, preferably a busy one; a worker may end meanwhile."""
        async with httpx2.AsyncClient(timeout=LIMIT_S) as client:
            until = anyio.current_time() + 3
            while True:
                health = (await client.get(f"{self.url}/health")).json()
                workers = [worker for worker in health["workers"] if worker["pid"]]
                busy = [worker for worker in workers if worker["state"] == "busy"]
                if not workers or (not busy and anyio.current_time() < until):
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.kill((busy or workers)[0]["pid"], number)
                    return


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    found = Service(tmp_path_factory.mktemp("chaos"))
    with found.stack:
        found.running.event("ready")
        yield found


async def say_all(url: str, faults: Mapping[int, Fault] | None = None) -> list[Told]:
    """Speak all at once; faults come at samples of the first."""
    told: list[Told] = [[] for _ in SPEECHES]

    async def one(index: int) -> None:
        told[index] = await say(url, SPEECHES[index], None if index else faults)

    async with anyio.create_task_group() as group:
        for index in range(len(SPEECHES)):
            group.start_soon(one, index)
    return told


@pytest.fixture(scope="module")
async def calm(service: Service) -> list[Told]:
    """The finals without faults."""
    told = await say_all(service.url)
    for stream in told:
        assert len(stream) >= 3
        assert [final[0] for final in stream] == list(range(1, len(stream) + 1))
        assert all(final[-1] is None for final in stream)
    return told


async def test_finals_are_the_same_while_workers_are_killed_and_stopped(
    service: Service, calm: list[Told]
) -> None:
    pid = service.running.process.pid
    kill = partial(service.hit_worker, signal.SIGKILL)
    stop = partial(service.hit_worker, signal.SIGSTOP)  # in speech and behind it, in turn
    faults = {3 * SECOND: kill, 7 * SECOND: stop, 10 * SECOND: kill, 12 * SECOND: stop}
    assert await say_all(service.url, faults) == calm
    assert service.running.process.poll() is None
    health = httpx2.get(f"{service.url}/health", timeout=LIMIT_S).json()
    assert sum(worker["restarts"] for worker in health["workers"]) >= 2
    assert service.running.process.pid == pid


@pytest.mark.slow
async def test_finals_are_the_same_while_connections_are_lost(
    service: Service, calm: list[Told]
) -> None:
    async with proxy_to(service.port) as proxy:
        cut, fade = partial(lose, proxy), partial(fall_silent, proxy)
        faults = {3 * SECOND: cut, 5 * SECOND: fade, 9 * SECOND: cut, 13 * SECOND: fade}
        assert await say_all(proxy.url, faults) == calm
        assert proxy.connections >= 5 * len(SPEECHES)


async def lose(proxy: TcpProxy) -> None:
    """Cut all connections, and refuse new ones at first."""
    proxy.is_refusing = True
    before = proxy.connections
    proxy.cut()
    await poll_until(lambda: proxy.connections > before)
    proxy.is_refusing = False


async def fall_silent(proxy: TcpProxy) -> None:
    """Forward nothing, and close nothing, until both sides have given up their connections."""
    before = proxy.connections
    proxy.freeze()
    await poll_until(lambda: proxy.connections >= before + len(SPEECHES))
    proxy.thaw()


async def test_finals_are_the_same_when_the_server_is_restarted(
    service: Service, calm: list[Told]
) -> None:
    faults = {
        4 * SECOND: partial(service.restart, signal.SIGTERM),
        12 * SECOND: partial(service.restart, signal.SIGKILL),
    }
    assert await say_all(service.url, faults) == calm
    assert '"level": "error"' not in service.running.stderr
