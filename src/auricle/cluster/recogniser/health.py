"""Whether a replica had better be replaced. No I/O, no clock.

A pool mends itself: it ends what hangs and starts what died. A replica is sick when that does not
help: no worker gets ready, or work waits and nothing comes of it, not even a worker's death.
"""

from dataclasses import dataclass, field

from auricle.transcriber import Stats

STALL_S = 300.0
"""Nothing that a pool lets happen takes so long, if the hardware will do for the model: it ends a
batch that hangs after some ten times its usual duration."""


@dataclass(slots=True)
class Health:
    """The health of one replica, as a function of its figures and of monotonic seconds.

    Attributes:
        start_budget_s: The longest start of a worker.
    """

    start_budget_s: float
    _ready_at: float | None = None
    _moved_at: float = 0.0
    _progress: tuple[int, ...] = field(default=(-1,))

    def trouble(self, stats: Stats, now: float) -> str | None:
        """Return what is wrong, for the log; ``None`` if nothing is."""
        progress = (stats.done, stats.failed, stats.retried, stats.poison, stats.replaced)
        if progress != self._progress or not (stats.waiting_jobs or stats.running_jobs):
            self._progress, self._moved_at = progress, now
        if stats.ready or self._ready_at is None:
            self._ready_at = now
        if now - self._ready_at > self.start_budget_s:
            return f"no worker was ready for {now - self._ready_at:.0f} s"
        if now - self._moved_at > STALL_S:
            return f"work waits, and nothing was done for {now - self._moved_at:.0f} s"
        return None
