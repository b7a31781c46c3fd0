"""Watches a database: reports in the log, and to ``/health`` and the metrics, whether it fails.

A read that takes too long says nothing: it may be a client's search. A gateway writes every few
seconds, as it looks for jobs.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog

from auricle.ledger.databases.database import Database, Transaction
from auricle.values.errors import LedgerFailed, LedgerUnavailable

T = TypeVar("T")

DAMAGE_S = 60.0
"""Time for which a damaged database counts as failing, as other transactions may succeed."""

_log = structlog.get_logger("auricle.server")


class WatchedDatabase:
    """A database that knows whether it fails.

    Args:
        database: Runs the transactions.
        now: Returns monotonic seconds.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        self._is_away = False
        self._damaged_until = 0.0
        self._has_reported = False

    @property
    def is_failing(self) -> bool:
        """Whether the database did not answer the last write, or is damaged."""
        return self._is_away or self._now() < self._damaged_until

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction; see :class:`.Database`."""
        with self._watched(is_write=True):
            return self._database.write(name, work)

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` on a snapshot; see :class:`.Database`."""
        with self._watched(is_write=False):
            return self._database.read(work)

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait until work was announced; see :class:`.Database`."""
        return self._database.wait_for_work(timeout_s)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    @contextmanager
    def _watched(self, *, is_write: bool) -> Iterator[None]:
        try:
            yield
        except LedgerUnavailable as error:
            with self._lock:
                if isinstance(error, LedgerFailed):
                    self._damaged_until = self._now() + DAMAGE_S
                elif is_write:
                    self._is_away = True
                if self.is_failing and not self._has_reported:
                    self._has_reported = True
                    _log.error("database_failing", code=error.code, reason=str(error))
            raise
        else:
            with self._lock:
                self._is_away = self._is_away and not is_write
                if self._has_reported and not self.is_failing:
                    self._has_reported = False
                    _log.info("database_works_again")
