"""The load of the workers as one number for all live sessions. No I/O, no clock.

Optional jobs (partials and speculative finals) are shed first: sessions submit fewer of them as the
load rises, and none at full load. Queued files and live backlogs do not count, as they have a lower
priority than optional jobs.
"""

from auricle.values.transcriber import Stats, WorkerState

FULL_WAIT_S = 1.0
"""Queued work per worker, in seconds, at which the load is full: finals would be late."""
EASY_SHARE = 0.5
"""Share of busy workers up to which no optional jobs are shed."""
BUSY_LOAD = 0.6
"""The load when all workers are busy and nothing is queued."""
SMOOTHING = 0.25
"""Weight of the newest sample; a single sample sees each worker as either busy or idle."""


class LoadMeter:
    """Turns samples of the workers' state into a load from 0 (idle) to 1 (full).

    Args:
        job_overhead_s: Fixed cost of a job in seconds of audio.

    Attributes:
        load: The load after the latest sample.
        wait_s: Queued work of live speech per worker, in seconds.
    """

    def __init__(self, job_overhead_s: float) -> None:
        self._job_overhead_s = job_overhead_s
        self.load = 0.0
        self.wait_s = 0.0
        self._busy_share = 0.0

    def observe(self, stats: Stats) -> float:
        """Add a sample and return the load."""
        alive = [worker for worker in stats.workers if worker.state.is_up]
        if not alive:
            self.load = 1.0
            return self.load
        busy_share = sum(worker.state is WorkerState.BUSY for worker in alive) / len(alive)
        self._busy_share += SMOOTHING * (busy_share - self._busy_share)
        queue = stats.queue
        live_audio_s = queue.waiting_audio_s - queue.waiting_file_audio_s
        live_jobs = queue.waiting_jobs - queue.waiting_file_jobs
        waiting_s = live_audio_s + live_jobs * self._job_overhead_s
        self.wait_s = waiting_s * stats.seconds_per_audio_s / len(alive)
        is_hard = max(0.0, self._busy_share - EASY_SHARE) / (1 - EASY_SHARE)
        self.load = min(1.0, max(is_hard * BUSY_LOAD, self.wait_s / FULL_WAIT_S))
        return self.load
