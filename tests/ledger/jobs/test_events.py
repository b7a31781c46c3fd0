"""The events of jobs."""

import pytest

from auricle.ledger.jobs.events import PROGRESS, job_ended, job_progressed, subject_of, uid_in
from auricle.ledger.jobs.job import Job, JobState, Outcome, end
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit

URL = "https://receiver.example/hook"


def ended(state: JobState = JobState.DONE) -> Job:
    return end(a_job(), Outcome(state, keep_s=60), 0.0)


def test_the_id_of_an_end_depends_on_acceptance_and_outcome_only() -> None:
    ids = {job_ended(ended(), URL, now).event.id for now in (0.0, 100.0)}
    assert ids == {"uid-key-job-1.done"}


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_an_end_has_the_state_in_its_type(state: JobState) -> None:
    event = job_ended(ended(state), URL, 0.0).event
    assert (event.type, event.owner, event.payload) == (f"job.{state}", "key", b"")


def test_progress_has_another_id_each_time() -> None:
    first, second = (job_progressed(a_job(), URL, now).event for now in (1.0, 11.0))
    assert first.id != second.id
    assert (first.type, first.subject) == (PROGRESS, second.subject)


def test_a_subject_means_a_job() -> None:
    subject = job_ended(ended(), URL, 0.0).event.subject
    assert subject == subject_of("uid-key-job-1")
    assert uid_in(subject) == "uid-key-job-1"
