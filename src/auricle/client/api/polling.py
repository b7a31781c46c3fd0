"""When to ask for a job again, and the parser of its events. No I/O."""

import msgspec

from auricle.client.api.failures import not_auricle
from auricle.client.api.results import Job
from auricle.values.errors import DeadlineExceeded

FIRST_DELAY_S, MAX_DELAY_S, GROWTH = 0.1, 1.0, 1.3
"""A short job is noticed soon; a long one costs the server a query a second."""


class Polls:
    """The delays between requests for a job until it has ended.

    Args:
        timeout_s: Time after which to give up, in seconds; ``None``: never.
        now: Monotonic time in seconds.
    """

    def __init__(self, timeout_s: float | None, now: float) -> None:
        self._deadline_at = None if timeout_s is None else now + timeout_s
        self._delay_s = FIRST_DELAY_S

    def left_s(self, now: float) -> float | None:
        """Return the time that is left, in seconds; ``None`` if there is no limit."""
        return None if self._deadline_at is None else max(0.0, self._deadline_at - now)

    def next_delay_s(self, job: Job, now: float) -> float:
        """Return the delay before the next request, in seconds.

        Raises:
            DeadlineExceeded: The time is over; the job continues on the server.
        """
        delay_s = self._delay_s
        self._delay_s = min(delay_s * GROWTH, MAX_DELAY_S)
        left_s = self.left_s(now)
        if left_s is None:
            return delay_s
        if not left_s:
            raise DeadlineExceeded(f"Job {job.id} is still {job.state}; wait for it again.")
        return min(delay_s, left_s)


def event_of(line: str) -> Job | None:
    """Return the job in a line of server-sent events, if it has one.

    Raises:
        RemoteProtocolError: The data is not a job.
    """
    if not line.startswith("data:"):
        return None
    try:
        return msgspec.json.decode(line.removeprefix("data:"), type=Job)
    except msgspec.DecodeError as exc:
        raise not_auricle(200) from exc
