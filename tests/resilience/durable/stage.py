"""Gateways, the database that they share, and the processes that are killed."""

import asyncio
import itertools
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.lib.database import postgres_running
from bench.lib.service import Server, running
from tests.resilience.chaos.faults import ASR, DECODE, workers_of
from tests.support.faulty_engine import begun_chunks
from tests.support.postgres import PostgresServer
from tests.support.receiver import Receiver, receiver_running

SCRIPTED = "tests.support.scripted_engine"
PACE, BRIEF_PACE = 0.05, 0.3
"""Seconds that a scripted worker takes for a second of a job's speech."""
SETTINGS: dict[str, Any] = {
    "engine": "tests.support.faulty_engine",
    "keep_transcripts": 1,
    "keep_results_s": 7 * 24 * 3600,
    "max_wait_s": 600,
    "webhook_secret": "a secret of more than thirty-two characters",
    "webhook_allow_private": 1,
}
WORKERS = 2
"""Of all gateways together."""
JOBS = "jobs"
"""The key that sends jobs; each live stream has its own."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run uses.

    Attributes:
        gateways: Servers on one database: one with SQLite.
        postgres: The database server, if it is PostgreSQL.
        keys: API keys by client.
        audio: The directory of jobs' audio, which all gateways share.
        receiver: Gets the webhooks of jobs.
        chunks: The file in which the engine notes the chunks that it begins.
    """

    gateways: tuple[Server, ...]
    postgres: PostgresServer | None
    keys: dict[str, str]
    audio: Path
    receiver: Receiver
    chunks: Path

    @property
    def urls(self) -> list[str]:
        """URLs of the gateways."""
        return [gateway.url for gateway in self.gateways]

    def log_lines(self) -> list[str]:
        """Return the output of all gateways."""
        return [line for gateway in self.gateways for line in gateway.log_lines()]

    def begun_audio_s(self) -> float:
        """Return the audio of all chunks of files that the engine has begun, in seconds."""
        return sum(chunk.audio_s for chunk in begun_chunks(self.chunks))


@contextmanager
def staged(
    log: Path, *, database: str, gateways: int, streams: int, pace: float | None
) -> Iterator[Stage]:
    """Run gateways on one database.

    Args:
        log: Their logs are ``LOG-N.log``.
        database: ``sqlite`` or ``postgres``.
        gateways: Number of gateways; SQLite allows one.
        streams: Number of live streams, for their keys.
        pace: Time that the scripted engine takes, as a fraction of the speech; ``None``: the model
            works.
    """
    keys = {name: f"bench-durable-{name}" for name in (JOBS, *map(live_key, range(streams)))}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        (folder / "marks").mkdir()
        chunks, state = folder / "chunks", folder / "state"
        environment = {
            "AURICLE_BENCH_FAULTS": str(folder / "marks"),
            "AURICLE_BENCH_CHUNKS": str(chunks),
        }
        if pace is not None:
            environment |= {"AURICLE_BENCH_ENGINE": SCRIPTED, "AURICLE_BENCH_CHUNK_PACE": str(pace)}
        settings = SETTINGS | {
            "workers": max(1, WORKERS // gateways),
            "state_dir": state,
            "api_keys": ",".join(f"{name}:{key}" for name, key in keys.items()),
        }
        postgres = stack.enter_context(postgres_running()) if database == "postgres" else None
        if postgres is not None:
            settings["database_url"] = postgres.conninfo
        servers = [
            stack.enter_context(
                running(
                    log.with_name(f"{log.name}-{number}.log"),
                    environment,
                    gateway_id=f"g{number}",
                    **settings,
                )
            )
            for number in range(gateways)
        ]
        receiver = stack.enter_context(receiver_running())
        yield Stage(tuple(servers), postgres, keys, state / "audio", receiver, chunks)


def live_key(stream: int) -> str:
    """Return the name of a live stream's key."""
    return f"live-{stream}"


@dataclass
class Killer:
    """Kills a process at regular intervals, and starts it again.

    Attributes:
        stage: What runs.
        dice: Chooses among processes of one kind.
        applied: Time (Unix time) and kind of each kill.
        ended: Gateways that ended without being killed.
    """

    stage: Stage
    dice: random.Random
    applied: list[tuple[float, str]] = field(default_factory=list)
    ended: int = 0

    async def run(self, every_s: float, seconds: float) -> None:
        """Kill in turn a gateway, a worker and PostgreSQL, until the time is over.

        A machine that is too slow for the interval gets longer ones: all gateways are ready first.
        """
        kinds = ["gateway", "worker", *(["PostgreSQL"] if self.stage.postgres else [])]
        began_at = time.monotonic()
        for number, kind in enumerate(itertools.cycle(kinds), 1):
            due_at_s = number * every_s
            if due_at_s >= seconds:
                return
            await asyncio.sleep(max(0.0, began_at + due_at_s - time.monotonic()))
            await asyncio.to_thread(self._wait_ready)
            done = await asyncio.to_thread(self._kill, kind, number // len(kinds))
            if done:
                self.applied.append((time.time(), done))

    def _kill(self, kind: str, turn: int) -> str | None:
        gateways, postgres = self.stage.gateways, self.stage.postgres
        if kind == "gateway":
            gateway = gateways[turn % len(gateways)]
            gateway.end(signal.SIGKILL)
            gateway.start()
        elif kind == "PostgreSQL":
            assert postgres is not None
            postgres.kill()
            postgres.start()
        else:
            kind, program = self.dice.choice([("ASR worker", ASR), ("decode worker", DECODE)])
            processes = [
                process for gateway in gateways for process in workers_of(gateway, program)
            ]
            if not processes:  # they are starting
                return None
            self.dice.choice(processes).kill()
        return kind

    def _wait_ready(self) -> None:
        for gateway in self.stage.gateways:
            if not is_running(gateway):
                self.ended += 1
                gateway.start()
            gateway.wait_ready()


def is_running(server: Server) -> bool:
    """Whether the server's process has not ended."""
    try:
        return server.process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
