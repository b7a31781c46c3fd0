"""Background jobs in the native format."""

import json

import msgspec
import pytest

from auricle.apis.native.job_answers import ANSWERS
from auricle.ledger.jobs.job import JobState, Outcome, end
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_the_event_of_a_job_is_the_same_for_each_attempt(state: JobState) -> None:
    job = end(a_job(), Outcome(state, 60.0), 1.5)
    data = ANSWERS.webhook(job, False)

    assert ANSWERS.webhook(job, False) == data
    assert ANSWERS.is_event_data
    assert json.loads(data)["state"] == state
    assert "transcript_id" not in json.loads(data)


def test_the_event_has_the_id_of_a_transcript_that_is_kept() -> None:
    outcome = Outcome(JobState.DONE, 60.0, result=b'{"text": "Hello."}', text="Hello.")
    job = end(a_job(), outcome, 1.5)
    data = json.loads(ANSWERS.webhook(job, True))

    assert data["transcript_id"] == job.spec.uid
    assert data["result"] == msgspec.json.decode(job.result or b"")
