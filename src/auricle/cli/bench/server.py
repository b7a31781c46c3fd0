"""A separate server for the measurement: ``auricle serve`` with the operator's settings.

It listens on a free loopback port, writes to a temporary directory, and admits any number of
streams, so that the machine and not a limit ends the search.
"""

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil

from auricle.config.environment import other_environment
from auricle.config.optional import optional_sections
from auricle.config.section import variable
from auricle.config.settings import Settings
from auricle.values.errors import SetupError
from auricle.values.transcriber import WorkerState

STOP_LIMIT_S = 10.0
POLL_S = 0.05
MANY = 100_000

_OVERRIDES: Mapping[str, object] = {
    "host": "127.0.0.1",
    "port": 0,
    # An empty variable is an unset one: no keys, certificates, databases or other listeners.
    **dict.fromkeys(("tls_cert", "tls_key", "allowed_origins", "agent_check_port"), ""),
    **dict.fromkeys(("spool_dir", "database_url", "audio_url", "keep_audio", "gateway_id"), ""),
    **dict.fromkeys(("keep_transcripts", "journal_audio"), 0),
    **dict.fromkeys(("max_sessions_per_address", "address_connections", "max_lag_s"), 0),
    "max_connections": MANY,
    "max_sessions": MANY,
    "live_speakers": MANY,
    "queue_audio_s": MANY * 10,
    "queue_jobs": MANY,
    "log_level": "info",
}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that is ready.

    Attributes:
        url: Its base URL.
        process: Its process.
    """

    url: str
    process: psutil.Process


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[RunningServer]:
    """Run a server until the block ends.

    Args:
        settings: Those of the command; the server reads the same environment.

    Raises:
        SetupError: It does not start.
    """
    with tempfile.TemporaryDirectory(prefix="auricle-bench-") as folder:
        log = Path(folder) / "log"
        options = {
            "model": settings.model.model or "",
            "workers": settings.worker.workers,
            "worker_threads": settings.worker.worker_threads,
        }
        own = [name for section in optional_sections() for name in section.variables()]
        overrides = {**dict.fromkeys(own, ""), **_OVERRIDES, **options, "state_dir": folder}
        environment = other_environment() | {
            variable(name): str(value) for name, value in overrides.items()
        }
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "auricle", "serve"),
                env=environment,
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the command, which stops the server
            )
        try:
            async with asyncio.timeout(settings.worker.start_budget_s):
                url = await _started(process, log)
                await _all_ready(url)
            yield RunningServer(url, psutil.Process(process.pid))
        except TimeoutError as exc:
            raise SetupError("The server's workers did not get ready in time.") from exc
        finally:
            await _stop(process)


async def _started(process: Process, log: Path) -> str:
    """Wait until a worker is ready, and return the server's URL."""
    while True:
        has_ended = process.returncode is not None
        events = {event["event"]: event for event in _events(log)}
        if "ready" in events:
            return str(events["started"]["url"])
        if has_ended:
            failure = events.get("start_failed", {}).get("message", "it wrote no error")
            raise SetupError(f"The server did not start: {failure}")
        await asyncio.sleep(POLL_S)


async def _all_ready(url: str) -> None:
    """Wait until all workers are ready; the caller limits the time."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=None) as http:
        while True:
            health = (await http.get("/health")).json()
            if all(worker["state"] == WorkerState.READY for worker in health["workers"]):
                return
            await asyncio.sleep(POLL_S)


def _events(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete events of the log."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            yield event


async def _stop(process: Process) -> None:
    """Stop the server and its workers; kill them if they are late, or if this is cancelled."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
    finally:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        with suppress(ProcessLookupError):
            process.kill()
