"""RemoteTranscriber and the application on Ray Serve, all on this machine."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from bench.lib.service import free_port
from tests.conformance.remote import MAX_LOSSES, all_ready
from tests.conformance.subject import (
    DEFAULTS,
    ROOT,
    SCRIPTED,
    Maker,
    Subject,
    are_ready,
    python_path,
)
from tests.support.poll import poll_until
from tests.support.tcp_proxy import TcpProxy, proxy_to

STOP_LIMIT_S = 60.0


class LocalRay:
    """Ray and Serve in a separate process; applications come and go."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.ray_recogniser", str(self.port)],
                env=os.environ | {"PYTHONPATH": python_path(), "RAY_USAGE_STATS_ENABLED": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=ROOT,
            )

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", "Ray does not do it"

    def workers(self) -> list[psutil.Process]:
        """Return the processes of the recognisers' workers."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "auricle.workers.kinds.asr.child" in process.cmdline()
    except psutil.Error:
        return False


@contextmanager
def local_ray(folder: Path) -> Iterator[LocalRay]:
    running = LocalRay(folder / "ray.log")
    try:
        yield running
    finally:
        assert running.process.stdin is not None
        assert running.process.stdout is not None
        running.process.stdin.close()
        running.process.wait(STOP_LIMIT_S)
        running.process.stdout.close()


@dataclass(frozen=True)
class RaySubject:
    """Its parts are Serve's replicas; each loss is a broken connection."""

    transcriber: RemoteTranscriber
    ray: LocalRay
    proxies: list[TcpProxy]
    max_runs: int = MAX_LOSSES

    def part(self, worker_pid: int) -> psutil.Process:
        parent = psutil.Process(worker_pid).parent()
        assert parent is not None
        return parent

    def lose(self, worker_pid: int) -> None:
        for proxy in self.proxies:  # either may have carried the job: Serve is behind both
            proxy.cut()

    def processes(self) -> list[psutil.Process]:
        return self.ray.workers()


def ray_maker(ray: LocalRay, folder: Path) -> Maker:
    """Return what deploys the application and opens a gateway's transcriber."""

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
        given: dict[str, object] = {"replicas": nodes, "replica_cpus": 1, **(DEFAULTS | settings)}
        given |= {"models": models} if models else {"engine": engine, "model": model}
        given["sandbox_folders"] = f"{folder},{ROOT}"
        await asyncio.to_thread(ray.tell, json.dumps(given))
        async with proxy_to(ray.port) as one, proxy_to(ray.port) as other:
            urls = (one.url, other.url)
            transcriber = RemoteTranscriber(
                GatewaySettings(engine_urls=urls), QueueSettings(), CostModel()
            )
            await transcriber.start()
            try:
                if ready and models:
                    await poll_until(lambda: are_ready(transcriber.stats()), "all models")
                elif ready:
                    await all_ready(transcriber, nodes * int((DEFAULTS | settings)["workers"]))
                yield RaySubject(transcriber, ray, [one, other])
            finally:
                await transcriber.aclose()
                await asyncio.to_thread(ray.tell, "")
                await poll_until(lambda: not ray.workers(), "the end of the workers")

    return opened
