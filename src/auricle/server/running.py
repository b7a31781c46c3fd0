"""The jobs, the transcripts and their threads, and what else is open while a server runs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup

from auricle.ledger.audio.store import AudioStore
from auricle.ledger.events import StoredEvents
from auricle.ledger.runner import JobRunner
from auricle.ledger.store import Ledger
from auricle.ledger.transcripts import Transcripts
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.spool import SpoolDirectory
from auricle.values.errors import LedgerUnavailable

T = TypeVar("T")

DATABASE_THREAD_WAIT_S = 10.0
"""Longest wait of a request for a thread that uses the database."""
RETRY_S = 5
EARLY_CHECKS = 8
"""Maximum threads that check quotas before uploads; more requests skip that check."""


class Webhooks(Protocol):
    """Sends webhooks."""

    @property
    def has_work(self) -> bool:
        """Whether webhooks are being sent, or may be due."""
        ...

    def wake(self) -> None:
        """Send the webhook of a job that has just ended."""
        ...

    async def run(self) -> None:
        """Send webhooks until cancelled."""
        ...


class NoWebhooks:
    """Sends none."""

    has_work = False

    def wake(self) -> None:
        """Do nothing."""

    async def run(self) -> None:
        """Return at once."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is open while a server runs."""

    spool: SpoolDirectory
    background: TaskGroup
    database: WatchedDatabase
    ledger: Ledger
    events: StoredEvents
    audio: AudioStore
    """Audio of unfinished jobs."""
    runner: JobRunner
    webhooks: Webhooks
    transcripts: Transcripts
    """Kept transcripts; none are added unless the settings request it."""
    database_threads: CapacityLimiter
    """Threads of requests that use the database; others are left for uploads while it is slow."""
    accept_threads: CapacityLimiter
    """Threads that store accepted jobs and their audio."""
    fetch_threads: CapacityLimiter
    """Threads that fetch the audio of jobs."""
    early_checks: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(EARLY_CHECKS)
    )
    """Taken in threads: requests abandon those that wait for the database, see
    :func:`.check_job_quota`."""

    async def in_database_thread(self, work: Callable[[], T]) -> T:
        """Run a request's use of the database in one of the threads for that.

        Raises:
            LedgerUnavailable: The database, or all threads, were busy for too long.
        """
        try:
            with anyio.fail_after(DATABASE_THREAD_WAIT_S):
                return await to_thread.run_sync(work, limiter=self.database_threads)
        except TimeoutError as error:
            raise LedgerUnavailable("The database is busy; try again later.", RETRY_S) from error
