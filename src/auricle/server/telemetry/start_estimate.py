"""Estimates when a queued background job starts. No I/O.

The estimate is the work before the job (audio that runs and that is queued before it, in bytes)
divided by the speed of the latest jobs. Bytes are known without decoding; formats differ in their
seconds per byte, but less so within the jobs of one service.
"""

import math

from auricle.ledger.jobs.quota import Usage, usage_ahead
from auricle.ledger.jobs.store import Backlog

DECAY = 0.9
"""Weight of earlier jobs in the average speed."""


class StartEstimate:
    """Learns the speed of jobs, and estimates starts.

    Attributes:
        backlog: The unfinished jobs, as they were lately.
    """

    def __init__(self) -> None:
        self.backlog = Backlog(0, 0, None)
        self._bytes = self._s = 0.0

    def note_run(self, audio_bytes: int, run_s: float) -> None:
        """Count a job that is done, by the size of its audio and the duration of its work."""
        self._bytes = self._bytes * DECAY + audio_bytes
        self._s = self._s * DECAY + run_s

    def starts_in_s(self, owner: str, before: Usage, slots: int) -> int | None:
        """Return the estimated time until a job starts, in seconds; ``None`` if unknown.

        Args:
            owner: The job's owner.
            before: The owner's queued jobs that were accepted earlier.
            slots: Number of jobs that this server runs at a time.
        """
        backlog = self.backlog
        ahead = usage_ahead(owner, before, backlog.queued_of)
        slots = max(slots, backlog.running)  # other servers run jobs as well
        if backlog.running + ahead.jobs < slots:
            return 0
        if not self._bytes:
            return None
        work_s = (backlog.running_bytes + ahead.audio_bytes) * self._s / self._bytes
        return math.ceil(work_s / slots)
