"""What a server stores: jobs, events and audio, and the threads that use them."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from auricle.ledger.audio.store import AudioStore
from auricle.ledger.jobs.store import Ledger
from auricle.server.lifecycle import RETRY_S
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.spool import SpoolDirectory
from auricle.values.errors import LedgerUnavailable

T = TypeVar("T")

DATABASE_THREAD_WAIT_S = 10.0
"""Longest wait of a request for a thread that uses the database."""
EARLY_CHECKS = 8
"""Maximum threads that check quotas before uploads; more requests skip that check."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The database, the audio of jobs, and the files of uploads."""

    spool: SpoolDirectory
    database: WatchedDatabase
    ledger: Ledger
    audio: AudioStore
    """Audio of unfinished jobs."""
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
