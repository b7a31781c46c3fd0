"""Background jobs in the native format."""

import json

import msgspec
import pytest

from auricle.apis.native.job_answers import ANSWERS
from auricle.ledger.jobs.events import job_ended
from auricle.ledger.jobs.job import JobState, Outcome, end
from auricle.server.job_answers import ReportedJob
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_the_event_of_a_job_is_the_same_for_each_attempt(state: JobState) -> None:
    job = end(a_job(), Outcome(state, 60.0), 1.5)
    delivery = job_ended(job, "https://a.example/", 1.5)
    body = ANSWERS.webhook(ReportedJob(job, delivery))
    event = json.loads(body)

    assert ANSWERS.webhook(ReportedJob(job, delivery)) == body
    assert (event["type"], event["event_id"]) == (f"job.{state}", delivery.event.id)
    assert event["timestamp"] == "1970-01-01T00:00:01.500Z"
    assert event["data"]["state"] == state


def test_the_event_has_the_id_of_a_transcript_that_is_kept() -> None:
    outcome = Outcome(JobState.DONE, 60.0, result=b'{"text": "Hello."}', text="Hello.")
    job = end(a_job(), outcome, 1.5)
    delivery = job_ended(job, "https://a.example/", 1.5)
    event = json.loads(ANSWERS.webhook(ReportedJob(job, delivery, keeps_results=True)))

    assert event["data"]["transcript_id"] == job.spec.uid
    assert event["data"]["result"] == msgspec.json.decode(job.result or b"")
