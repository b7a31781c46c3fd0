"""RemoteTranscriber and its recognisers, each a separate process, without Ray.

Between the two there is a TCP proxy for each, so that a test can lose a connection alone.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from auricle.cluster.gateway import ejection, node
from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.section import variable
from auricle.config.sections.queue import QueueSettings
from auricle.config.settings import fields
from auricle.engines.base import CostModel
from bench.lib.fixed_values import variables
from tests.conformance.subject import (
    DEFAULTS,
    SCRIPTED,
    Maker,
    Subject,
    are_ready,
    python_path,
)
from tests.support.forked import Forked
from tests.support.poll import LIMIT_S, poll_until
from tests.support.tcp_proxy import TcpProxy, proxy_to

STOP_LIMIT_S = 60.0
PATIENCE_S = 60.0
CHECK_INTERVAL_S = 0.05
MAX_LOSSES = 2
"""What the network swallowed is asked for once more, and not again."""

Make = Callable[[GatewaySettings, QueueSettings, CostModel], RemoteTranscriber]


@dataclass(frozen=True)
class RemoteSubject:
    """A gateway's transcriber; its parts are recognisers, and each loss is a broken connection."""

    transcriber: RemoteTranscriber
    proxies: dict[int, TcpProxy]
    """By the pid of the recogniser behind each."""
    max_runs: int = MAX_LOSSES

    def part(self, worker_pid: int) -> psutil.Process:
        parent = psutil.Process(worker_pid).parent()
        assert parent is not None
        return parent

    def lose(self, worker_pid: int) -> None:
        self.proxies[self.part(worker_pid).pid].cut()

    def processes(self) -> list[psutil.Process]:
        recognisers = [psutil.Process(pid) for pid in self.proxies]
        return [*recognisers, *(child for each in recognisers for child in each.children())]


def remote_maker(folder: Path, make: Make = RemoteTranscriber) -> Maker:
    """Return what opens a gateway's transcriber; ``make`` may make a broken one."""

    @asynccontextmanager
    async def opened(
        *,
        nodes: int = 2,
        model: str = "scripted",
        engine: str = SCRIPTED,
        models: str = "",
        ready: bool = True,
        **settings: float,
    ) -> AsyncIterator[Subject]:
        given: dict[str, object] = {**(DEFAULTS | settings)}
        given |= {"models": models} if models else {"engine": engine, "model": model}
        async with AsyncExitStack() as stack:
            recognisers = await asyncio.gather(
                *(_start(folder / f"recogniser-{n}.log", given, stack) for n in range(nodes))
            )
            proxies = {
                process.pid: await stack.enter_async_context(proxy_to(port))
                for process, port in recognisers
            }
            urls = tuple(proxy.url for proxy in proxies.values())
            transcriber = make(GatewaySettings(engine_urls=urls), QueueSettings(), CostModel())
            stack.push_async_callback(transcriber.aclose)
            await transcriber.start()
            if ready and models:
                await poll_until(lambda: are_ready(transcriber.stats()), "all models")
            elif ready:
                await all_ready(transcriber, nodes * int((DEFAULTS | settings)["workers"]))
            else:
                await poll_until(lambda: bool(transcriber.stats().workers), "a first look")
            yield RemoteSubject(transcriber, proxies)

    return opened


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gateways wait for recognisers that a busy machine keeps from answering."""
    monkeypatch.setattr(node, "SILENCE_S", PATIENCE_S)
    monkeypatch.setattr(node, "CHECK_TIMEOUT_S", PATIENCE_S)


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let gateways see at once what a recogniser has begun or ended."""
    monkeypatch.setattr(ejection, "CHECK_INTERVAL_S", CHECK_INTERVAL_S)


async def all_ready(transcriber: RemoteTranscriber, workers: int) -> None:
    def are_ready() -> bool:
        stats = transcriber.stats()
        up = [worker for worker in stats.workers if worker.state == "ready"]
        return stats.ready and len(up) == workers

    await poll_until(are_ready, f"{workers} ready workers")


async def _start(
    log: Path, settings: dict[str, object], stack: AsyncExitStack
) -> tuple[Forked, int]:
    """Start a recogniser, and return it with its port once it listens."""
    ours = {variable(name) for name, _ in fields()} - {"AURICLE_SANDBOX_FOLDERS"}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    environ |= variables(settings)
    environ["PYTHONPATH"] = python_path()
    with log.open("wb") as output:
        process = Forked([], environ, "tests.support.recogniser", stderr=output.fileno())
    stack.push_async_callback(_stop, process)
    with process.stdout as said:
        port = await asyncio.wait_for(asyncio.to_thread(said.readline), LIMIT_S)
    assert port, f"no recogniser; see {log}"
    return process, int(port)


async def _stop(process: Forked) -> None:
    """End a recogniser, which ends its workers; one that a test has stopped is killed."""
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        process.terminate()
        if psutil.Process(process.pid).status() == psutil.STATUS_STOPPED:
            process.kill()
    try:
        await asyncio.to_thread(process.wait, STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("a recogniser did not end") from None
