"""What the tests of transcriber share."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auricle.values.errors import Overloaded
from auricle.values.transcriber import Transcriber
from auricle.values.types import ANONYMOUS, ClientId, Job, JobId, JobKind, Options, Transcript
from tests.conformance.subject import Subject
from tests.support.poll import LIMIT_S, poll_until

SAMPLES = np.random.default_rng(7)


def script(*lines: str) -> str:
    return "\n".join(f"scripted:{line}" for line in lines)


def job(
    name: str,
    *lines: str,
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    utterance: str = "",
    max_wait_s: float | None = None,
    client: str = ANONYMOUS,
    reservation: str | None = None,
) -> Job:
    pcm = SAMPLES.integers(-3000, 3000, int(16_000 * seconds), dtype=np.int16)
    return Job(
        JobId(name),
        pcm,
        Options(initial_prompt=script(*lines) if lines else None),
        kind=kind,
        utterance=utterance,
        max_wait_s=max_wait_s,
        client=ClientId(client),
        reservation=reservation,
    )


@dataclass(frozen=True)
class Notes:
    """What the engine wrote down: one line for each time that it ran a job."""

    path: Path

    @property
    def line(self) -> str:
        return f"note:{self.path}"

    def _read(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    @property
    def runs(self) -> int:
        return len(self._read())

    @property
    def heard(self) -> list[str]:
        return [line.split(" ", 1)[1] for line in self._read()]

    async def worker(self, run: int = 1) -> int:
        """Wait for a run, and return the pid of the worker that has it."""
        await poll_until(lambda: self.runs >= run, f"run {run}")
        return int(self._read()[run - 1].split()[0])


@dataclass(frozen=True)
class ConnectionLimiter:
    """Holds back workers that run a job with this line, until it is opened."""

    path: Path

    @classmethod
    def closed(cls, folder: Path) -> "ConnectionLimiter":
        path = folder / "gate"
        path.touch()
        return cls(path)

    @property
    def line(self) -> str:
        return f"hold:{self.path}"

    def open(self) -> None:
        self.path.unlink(missing_ok=True)


async def blocked(
    subject: Subject, folder: Path
) -> tuple[ConnectionLimiter, "asyncio.Task[Transcript]"]:
    """Occupy the only worker until the gate is opened."""
    gate, notes = ConnectionLimiter.closed(folder), Notes(folder / "blocker")
    blocker = job("blocker", notes.line, gate.line)
    task = asyncio.create_task(subject.transcriber.transcribe(blocker))
    await notes.worker()
    return gate, task


async def waiting(subject: Subject, jobs: int) -> None:
    await poll_until(lambda: subject.transcriber.stats().queue.waiting_jobs == jobs, f"{jobs} wait")


async def as_a_client(transcriber: Transcriber, a_job: Job) -> Transcript:
    """Retry, as a client does, while asked to."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                return await transcriber.transcribe(a_job)
            except Overloaded:
                await asyncio.sleep(0.2)
