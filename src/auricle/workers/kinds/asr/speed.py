"""Measure the speed of workers, and derive time budgets and waits from it."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from auricle.engines.base import CostModel
from auricle.workers.kinds.asr.backlog import Ticket

SPEED_WINDOW = 30
"""Number of latest batches over which the speed is averaged."""
OUTLIER_FACTOR = 2.0
"""A batch counts as at most this multiple of the median: a few batches that took twenty times as
long do not predict the next one, and made an idle server reject work (docs/decisions/039)."""
SLOWEST_MARGIN = 1.5
"""Safety factor on an engine's slowest job, for a busy machine."""
MAX_RETRY_AFTER_S = 60
OVERDUE_FACTOR = 2.0
"""A batch is overdue after this multiple of its usual time."""
OVERDUE_FLOOR_S = 3.0
"""Minimum time before a batch is overdue: short jobs vary a lot (docs/decisions/029)."""


@dataclass(slots=True)
class Workers:
    """Number of workers; updated by the pool."""

    size: int
    ready: int = 0


class Speed:
    """Running estimate of the worker time for one second of load.

    Args:
        job_timeout_min_s: Minimum time budget for a batch, in seconds.
        job_timeout_factor: Time budget of a batch as a multiple of its usual time.
        workers: Number of workers, shared with the pool.
        costs: How long the engine's jobs take.
    """

    def __init__(
        self,
        job_timeout_min_s: float,
        job_timeout_factor: float,
        workers: Workers,
        costs: CostModel,
    ) -> None:
        self._attempt_floor_s = job_timeout_min_s
        self._attempt_factor = max(job_timeout_factor, SLOWEST_MARGIN * costs.slowest_factor)
        self._workers = workers
        self.costs = costs
        self.seconds_per_load = costs.first_seconds_per_load
        self._latest: deque[float] = deque(maxlen=SPEED_WINDOW)

    @property
    def is_measured(self) -> bool:
        """Whether the speed has been measured."""
        return bool(self._latest)

    @property
    def ready(self) -> int:
        """Number of workers that are ready or busy."""
        return self._workers.ready

    def observe(self, seconds_per_load: float) -> None:
        """Add a measurement, in worker seconds for one second of load."""
        self._latest.append(seconds_per_load)
        max_speed = OUTLIER_FACTOR * median(self._latest)
        self.seconds_per_load = fmean(min(measured, max_speed) for measured in self._latest)

    def load_s(self, tickets: Iterable[Ticket]) -> float:
        """Return the load of these tickets, in seconds."""
        return sum(self.costs.load_s(ticket.audio_s) for ticket in tickets)

    def wait_s(self, load_s: float) -> float:
        """Return how long all ready workers together need for this load, in seconds."""
        return load_s * self.seconds_per_load / max(1, self._workers.ready)

    def retry_after_s(self, load_s: float) -> int:
        """Return the time until ``load_s`` of work is done, in whole seconds, at least 1."""
        return whole_seconds(self.wait_s(load_s))

    def usual_s(self, tickets: Sequence[Ticket]) -> float:
        """Return the usual time for a batch of these tickets, in seconds."""
        return self.load_s(tickets) * self.seconds_per_load

    def overdue_s(self, tickets: Sequence[Ticket]) -> float:
        """Return the time after which a batch of these tickets is overdue, in seconds."""
        return max(OVERDUE_FLOOR_S, OVERDUE_FACTOR * self.usual_s(tickets))

    def budget_s(self, tickets: Sequence[Ticket]) -> float:
        """Return the time budget for a batch of these tickets, in seconds.

        Each earlier attempt doubles it, so that a machine slower than measured finishes eventually.
        """
        budget_s = max(self._attempt_floor_s, self.usual_s(tickets) * self._attempt_factor)
        doublings = max(ticket.attempts for ticket in tickets)
        return float(budget_s * 2**doublings)


def whole_seconds(wait_s: float) -> int:
    """Round a wait for Retry-After: whole seconds, 1 to ``MAX_RETRY_AFTER_S``."""
    return max(1, math.ceil(min(MAX_RETRY_AFTER_S, wait_s)))
