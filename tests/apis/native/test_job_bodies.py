"""Response bodies of background jobs."""

from dataclasses import replace

import msgspec
import pytest

from auricle.apis.native.job_bodies import body_of, job_body
from auricle.ledger.jobs.job import JobState
from auricle.server.jobs.background_jobs.view import StoredJob
from auricle.server.uploads.uploading_jobs import UploadingJob
from auricle.server.webhooks import WebhookBody
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit


def test_the_result_of_a_job_is_json_in_its_body() -> None:
    job = replace(a_job(), state=JobState.DONE, progress=0.123456, result=b'{"text": "words"}')
    body = msgspec.json.decode(msgspec.json.encode(body_of(StoredJob(job))))

    assert body["result"] == {"text": "words"}
    assert (body["state"], body["progress"], body["error"]) == ("done", 0.1235, None)
    assert "webhook" not in body


@pytest.mark.parametrize(
    ("keeps", "state", "text", "expected"),
    [
        (True, JobState.DONE, "words", "uid"),
        (False, JobState.DONE, "words", None),
        (True, JobState.DONE, "", None),
        (True, JobState.RUNNING, "words", None),
    ],
)
def test_a_job_names_its_transcript_once_one_is_kept(
    keeps: bool, state: JobState, text: str, expected: str | None
) -> None:
    job = a_job()
    job = replace(job, state=state, text=text, spec=replace(job.spec, uid="uid"))
    assert job_body(job, keeps_results=keeps).get("transcript_id") == expected


def test_a_job_with_a_callback_shows_its_webhook() -> None:
    webhook: WebhookBody = {
        "state": "pending",
        "attempts": 2,
        "last_status": 500,
        "next_attempt": 2.0,
    }
    assert body_of(StoredJob(a_job(), webhook=webhook))["webhook"] == webhook


@pytest.mark.parametrize(
    ("is_cancelled", "state"), [(False, JobState.QUEUED), (True, JobState.CANCELLED)]
)
def test_a_job_whose_upload_is_in_progress_is_queued(is_cancelled: bool, state: JobState) -> None:
    body = body_of(UploadingJob("job", "trace", is_cancelled))

    assert (body["job_id"], body["trace_id"], body["state"]) == ("job", "trace", state)
