"""Bounds of a pool's queue: the operator's, else those that follow from what the workers can do.

The queue admits live sessions, so its size decides how many. It is, in this order:

1. ``queue_audio_s``, if the operator has set it;
2. as measured by ``auricle bench --save`` on this machine with this model;
3. estimated from the number of workers and the time of a worker's warm-up. Self-tests repeat the
   warm-up's work, and the fastest time counts: a machine that was busy once is not slow for long.

No I/O.
"""

from auricle.config.settings import QueueSettings
from auricle.limits import queue_audio_s

SESSIONS_PER_WORKER = 18.0
"""Live sessions per worker with which 19 of 20 finals arrive within about 2 s
(``docs/benchmarks/live.json``: between 24 and 32 speakers who never stop on two cores)."""
USUAL_SECONDS_PER_LOAD = 0.05
"""Time of the warm-up of those workers, 0.25 s, by its load of 5 s. It was measured on that machine
while it was busy (0.40 s) and scaled by the yardstick of ``auricle bench`` (5.2 and 8.2 x real
time; 2026-11-27)."""
MAX_SPEED_RATIO = 3.0
"""A warm-up is too short to conclude more from it."""
MIN_SESSIONS = 2


class PoolBounds:
    """The bounds of one pool's queue.

    Args:
        settings: The operator's bounds.
        workers: Number of workers.
        sessions: Live sessions that this machine was measured to hold; ``None``: not measured.
    """

    def __init__(self, settings: QueueSettings, workers: int, sessions: int | None = None) -> None:
        self._settings = settings
        self._workers = workers
        self._sessions = sessions
        self._seconds_per_load = USUAL_SECONDS_PER_LOAD
        self._is_measured = False

    @property
    def queue_audio_s(self) -> float:
        """Maximum audio, in seconds."""
        return self._settings.queue_audio_s or queue_audio_s(self.sessions)

    @property
    def queue_jobs(self) -> int:
        """Maximum number of jobs."""
        return self._settings.queue_jobs

    @property
    def key_share(self) -> float:
        """Maximum share of both bounds for one key, 0..1."""
        return self._settings.key_share

    @property
    def sessions(self) -> float:
        """Live sessions for which the queue has room, unless the operator has set its size."""
        if self._sessions is not None:
            return max(1, self._sessions)
        ratio = min(MAX_SPEED_RATIO, USUAL_SECONDS_PER_LOAD / self._seconds_per_load)
        return max(MIN_SESSIONS, SESSIONS_PER_WORKER * self._workers * ratio)

    def measured(self, seconds_per_load: float) -> None:
        """Record the time of a warm-up or a self-test, in worker seconds per second of load."""
        if self._is_measured:
            seconds_per_load = min(seconds_per_load, self._seconds_per_load)
        self._seconds_per_load, self._is_measured = seconds_per_load, True
