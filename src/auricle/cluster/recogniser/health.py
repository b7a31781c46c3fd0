"""Decide whether a replica must be replaced. No I/O, no clock.

A pool kills hung workers and restarts dead ones. A replica is unhealthy when that does not help: no
worker becomes ready, or jobs wait without any progress, not even a worker's death.
"""

from dataclasses import dataclass, field

from auricle.values.transcriber import Stats

STALL_S = 300.0
"""Time without progress after which a replica is unhealthy. On hardware that suits the model a pool
always progresses sooner: it kills a hung batch after about ten times its usual duration."""


@dataclass(slots=True)
class Health:
    """Health of one replica, as a function of its statistics and of monotonic seconds.

    Attributes:
        start_budget_s: Maximum time for a worker to start, in seconds.
    """

    start_budget_s: float
    _ready_at: float | None = None
    _moved_at: float = 0.0
    _progress: tuple[int, ...] = field(default=(-1,))

    def problem(self, stats: Stats, now: float) -> str | None:
        """Return the problem, for the log; ``None`` if the replica is healthy."""
        jobs, queue = stats.jobs, stats.queue
        progress = (jobs.done, jobs.failed, jobs.retried, jobs.poison, stats.replaced)
        if progress != self._progress or not (queue.waiting_jobs or queue.running_jobs):
            self._progress, self._moved_at = progress, now
        if stats.ready or self._ready_at is None:
            self._ready_at = now
        if now - self._ready_at > self.start_budget_s:
            return f"no worker was ready for {now - self._ready_at:.0f} s"
        if now - self._moved_at > STALL_S:
            return f"jobs are waiting, and there was no progress for {now - self._moved_at:.0f} s"
        return None
