"""The events of jobs."""

from dataclasses import replace

import pytest

from auricle.ledger.jobs.events import job_ended, subject_of, uid_in
from auricle.ledger.jobs.job import Job, JobState, Outcome, end
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit


def ended(state: JobState = JobState.DONE) -> Job:
    return end(a_job(), Outcome(state, keep_s=60), 0.0)


def test_the_id_of_an_end_depends_on_acceptance_and_outcome_only() -> None:
    later = replace(ended(), number=7, finished_at=100.0)
    assert {job_ended(each).id for each in (ended(), later)} == {"uid-key-job-1.done"}


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED, JobState.CANCELLED])
def test_an_end_has_the_state_in_its_type(state: JobState) -> None:
    event = job_ended(ended(state))
    assert (event.type, event.owner, event.payload) == (f"job.{state}", "key", b"")


def test_a_subject_means_a_job() -> None:
    subject = job_ended(ended()).subject
    assert subject == subject_of("uid-key-job-1")
    assert uid_in(subject) == "uid-key-job-1"
