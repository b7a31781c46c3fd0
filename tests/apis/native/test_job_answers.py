"""Background jobs in the native format."""

import json

import msgspec
import pytest

from auricle.apis.native.job_answers import ANSWERS
from auricle.ledger.job import JobState, Outcome, end
from auricle.ledger.outbox import delivery_of
from auricle.server.job_answers import EndedJob
from tests.support.ledger import a_job, a_spec

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_the_event_of_a_job_is_the_same_for_each_attempt(state: JobState) -> None:
    job = end(a_job(spec=a_spec(callback_url="https://a.example/")), Outcome(state, 60.0), 1.5)
    delivery = delivery_of(job, 1.5)
    assert delivery is not None
    body = ANSWERS.webhook(EndedJob(job, delivery))
    event = json.loads(body)

    assert ANSWERS.webhook(EndedJob(job, delivery)) == body
    assert (event["type"], event["event_id"]) == (f"job.{state}", delivery.event_id)
    assert event["timestamp"] == "1970-01-01T00:00:01.500Z"
    assert event["data"]["state"] == state


def test_the_event_has_the_id_of_a_transcript_that_is_kept() -> None:
    outcome = Outcome(JobState.DONE, 60.0, result=b'{"text": "Hello."}', text="Hello.")
    job = end(a_job(spec=a_spec(callback_url="https://a.example/")), outcome, 1.5)
    delivery = delivery_of(job, 1.5)
    assert delivery is not None
    event = json.loads(ANSWERS.webhook(EndedJob(job, delivery, keeps_transcripts=True)))

    assert event["data"]["transcript_id"] == job.spec.uid
    assert event["data"]["result"] == msgspec.json.decode(job.result or b"")
