"""The delays between requests for a job, and its events."""

import pytest

from auricle.client.api.polling import MAX_DELAY_S, Polls, event_of
from auricle.client.api.results import Job
from auricle.values.errors import DeadlineExceeded, RemoteProtocolError

pytestmark = pytest.mark.unit

JOB = Job("a", "running", 0.5)


def test_delays_grow_up_to_a_limit() -> None:
    polls = Polls(None, 0.0)
    delays = [polls.next_delay_s(JOB, 1e9) for _ in range(20)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (0.1, MAX_DELAY_S)


def test_the_last_delay_ends_at_the_deadline() -> None:
    polls = Polls(5.0, 100.0)
    assert polls.next_delay_s(JOB, 104.95) == pytest.approx(0.05)
    with pytest.raises(DeadlineExceeded, match="still running"):
        polls.next_delay_s(JOB, 105.0)


def test_an_event_is_a_job_and_comments_are_none() -> None:
    assert event_of('data: {"job_id": "a", "state": "running", "progress": 0.5}') == JOB
    assert event_of(": still working") is None
    assert event_of("") is None
    with pytest.raises(RemoteProtocolError):
        event_of("data: 7")
