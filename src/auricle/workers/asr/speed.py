"""How fast the workers are, as measured, and what follows for budgets and waits."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from auricle.workers.asr.backlog import Ticket

FIRST_SECONDS_PER_LOAD = 0.3
"""Until a worker's warm-up has been timed."""
SPEED_WINDOW = 30
"""The speed is the mean of so many batches, the latest ones."""
OUTLIER_FACTOR = 2.0
"""A batch counts as at most this multiple of their median: a few that took twenty times as long
say nothing about the next one, and made an idle server refuse work (docs/decisions/039)."""
SLOWEST_MARGIN = 1.5
"""The slowest job that an engine knows of may meet a busy machine."""
MAX_SLOWEST_FACTOR = 100.0
"""Engines that claim more are not believed: a hung worker must be found some day."""
MAX_RETRY_AFTER_S = 60
OVERDUE_FACTOR = 2.0
"""A batch is overdue after this multiple of its usual time."""
OVERDUE_FLOOR_S = 3.0
"""A batch is never overdue before this: short jobs vary much (docs/decisions/029)."""


@dataclass(slots=True)
class Workers:
    """How many workers there are; the pool keeps it true."""

    size: int
    ready: int = 0


class Speed:
    """A running estimate of the worker seconds that a second of load costs.

    Args:
        job_timeout_min_s: Shortest budget of a batch.
        job_timeout_factor: A batch's budget over its usual time.
        workers: Shared with the pool.
    """

    def __init__(
        self, job_timeout_min_s: float, job_timeout_factor: float, workers: Workers
    ) -> None:
        self._attempt_floor_s = job_timeout_min_s
        self._attempt_factor = job_timeout_factor
        self._workers = workers
        self.seconds_per_load = FIRST_SECONDS_PER_LOAD
        self._latest: deque[float] = deque(maxlen=SPEED_WINDOW)
        self._slowest_factor = 1.0

    @property
    def is_measured(self) -> bool:
        """Whether anything was observed yet."""
        return bool(self._latest)

    @property
    def ready(self) -> int:
        """How many workers are ready or busy."""
        return self._workers.ready

    def allow_for(self, slowest_factor: float) -> None:
        """Take in how many times its usual time a job may take, by the engine's own account."""
        if 1.0 <= slowest_factor <= MAX_SLOWEST_FACTOR:
            self._slowest_factor = slowest_factor

    def observe(self, seconds_per_load: float) -> None:
        """Take in a measurement of what a second of load costs a worker."""
        self._latest.append(seconds_per_load)
        most = OUTLIER_FACTOR * median(self._latest)
        self.seconds_per_load = fmean(min(measured, most) for measured in self._latest)

    def wait_s(self, load_s: float) -> float:
        """Return how long all ready workers together take for so much load."""
        return load_s * self.seconds_per_load / max(1, self._workers.ready)

    def retry_after_s(self, load_s: float) -> int:
        """Return when ``load_s`` of work will be done, in whole seconds, at least 1."""
        return whole_seconds(self.wait_s(load_s))

    def usual_s(self, tickets: Sequence[Ticket]) -> float:
        """Return how long a worker usually takes for these together."""
        return sum(ticket.load_s for ticket in tickets) * self.seconds_per_load

    def overdue_s(self, tickets: Sequence[Ticket]) -> float:
        """Return after how long a worker that has these is overdue and may hang."""
        return max(OVERDUE_FLOOR_S, OVERDUE_FACTOR * self.usual_s(tickets))

    def budget_s(self, tickets: Sequence[Ticket]) -> float:
        """Return how long a worker may take for these; each earlier attempt doubles it.

        A machine that is slower than measured so far then gets through in the end.
        """
        factor = max(self._attempt_factor, SLOWEST_MARGIN * self._slowest_factor)
        budget_s = max(self._attempt_floor_s, self.usual_s(tickets) * factor)
        doublings = max(ticket.attempts for ticket in tickets)
        return float(budget_s * 2**doublings)


def whole_seconds(wait_s: float) -> int:
    """Return a wait as Retry-After wants it: whole seconds, 1 to ``MAX_RETRY_AFTER_S``."""
    return max(1, math.ceil(min(MAX_RETRY_AFTER_S, wait_s)))
