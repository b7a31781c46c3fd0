"""Real recognisers with the scripted engine, each in a separate process, and their clients."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.section import variable
from auricle.config.sections.queue import QueueSettings
from auricle.config.settings import fields
from auricle.engines.base import CostModel
from bench.lib.fixed_values import variables
from tests.support.forked import Forked
from tests.support.poll import poll_until

ROOT = Path(__file__).parents[2]
DEFAULTS: dict[str, object] = {
    "engine": "tests.support.scripted_engine",
    "model": "scripted",
    "workers": 1,
    "batch_jobs": 1,
    "job_timeout_min_s": 60.0,
    "queue_audio_s": 300,
}


@dataclass
class Recogniser:
    """One that runs."""

    process: Forked
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Lose it at once; its workers end with it."""
        self.process.kill()
        self.process.wait(60)

    def stop(self) -> None:
        """Let it hang, with every connection that it has."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@contextmanager
def running_recogniser(**settings: object) -> Iterator[Recogniser]:
    """Start one; it need not be ready yet."""
    ours = {variable(name) for name, _ in fields()}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    defaults = DEFAULTS | {"sandbox_folders": f"{tempfile.gettempdir()},{ROOT}"}
    if "models" in settings:
        defaults = {name: defaults[name] for name in defaults if name not in ("engine", "model")}
    given = variables(defaults | settings)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environ = kept | given | {"PYTHONPATH": path}
    process = Forked([], environ, "tests.support.recogniser", stderr=2)
    try:
        with process.stdout as said:
            line = said.readline()
        assert line, "it has not started"
        yield Recogniser(process, int(line))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(60)


RemoteFactory = Callable[..., AbstractAsyncContextManager[RemoteTranscriber]]


@asynccontextmanager
async def gateway(
    *urls: str, ready: int | None = None, key: str | None = None, gateways: int = 1, **queue: float
) -> AsyncIterator[RemoteTranscriber]:
    """Open a transcriber; wait until the workers (by default one for each URL) are ready."""
    engine = GatewaySettings.model_validate(
        {"engine_urls": urls, "gateways": gateways} | ({} if key is None else {"engine_key": key})
    )
    remote = RemoteTranscriber(engine, QueueSettings.model_validate(queue), CostModel())
    await remote.start()
    try:
        await until_ready(remote, len(urls) if ready is None else ready)
        yield remote
    finally:
        await remote.aclose()


async def until_ready(remote: RemoteTranscriber, workers: int) -> None:
    await poll_until(
        lambda: sum(w.state in ("ready", "busy") for w in remote.stats().workers) >= workers,
        f"{workers} workers that are ready",
    )
