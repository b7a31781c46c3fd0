"""How busy the recognisers are, as one number for all live sessions. No I/O, no clock.

Guesses (partials, speculation) are what a busy service leaves out first: sessions make fewer of
them as the load goes up, and none when it is full. Files that wait, and backlogs of live streams,
are no load: they go behind guesses.
"""

from auricle.transcriber import JOB_OVERHEAD_S, Stats

FULL_WAIT_S = 1.0
"""With so much work waiting for each worker, a final would be late: no more guesses."""
EASY_SHARE = 0.5
"""Workers that are busy for no more of the time leave room for every guess."""
BUSY_LOAD = 0.6
"""The load when all workers are busy and nothing waits."""
SMOOTHING = 0.25
"""Weight of the newest look at who is busy: one look sees a worker as busy or idle only."""


class LoadMeter:
    """Turns looks at the recognisers into a load from 0 (idle) to 1 (full)."""

    def __init__(self) -> None:
        self.load = 0.0
        self._busy_share = 0.0

    def observe(self, stats: Stats) -> float:
        """Take in how things are now, and return the load."""
        alive = [worker for worker in stats.workers if worker.state in ("ready", "busy")]
        if not alive:
            self.load = 1.0
            return self.load
        busy_share = sum(worker.state == "busy" for worker in alive) / len(alive)
        self._busy_share += SMOOTHING * (busy_share - self._busy_share)
        live_audio_s = stats.waiting_audio_s - stats.waiting_file_audio_s
        live_jobs = stats.waiting_jobs - stats.waiting_file_jobs
        waiting_s = live_audio_s + live_jobs * JOB_OVERHEAD_S
        wait_s = waiting_s * stats.seconds_per_audio_s / len(alive)
        is_hard = max(0.0, self._busy_share - EASY_SHARE) / (1 - EASY_SHARE)
        self.load = min(1.0, max(is_hard * BUSY_LOAD, wait_s / FULL_WAIT_S))
        return self.load
