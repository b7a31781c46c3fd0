from dataclasses import replace

import pytest

from auricle.ledger.jobs.job import JobState, Outcome, cancel, check_same, digest_of, end
from auricle.values.errors import JobConflict
from tests.support.ledger import a_job, a_spec

pytestmark = pytest.mark.unit


def test_the_digest_depends_on_options_and_on_audio() -> None:
    digests = {digest_of(r, a) for r in (b"", b"a", b"ab") for a in (b"", b"b", b"ab")}

    assert len(digests) == 9
    assert digest_of(b"a", b"b") == digest_of(b"a", b"b")


def test_a_repeated_submission_is_the_same_job_whatever_its_uid_and_trace() -> None:
    check_same(replace(a_spec(), uid="other", trace_id="other", audio="other"), a_job())


def test_the_same_id_with_other_audio_or_options_is_a_conflict() -> None:
    with pytest.raises(JobConflict) as conflict:
        check_same(replace(a_spec(), digest="other"), a_job())

    assert (conflict.value.code, conflict.value.http_status) == ("job_conflict", 409)
    assert str(conflict.value) == (
        "A job with this job_id and different audio or options exists; use another job_id."
    )


def test_a_job_that_is_done_keeps_its_result_and_needs_no_audio() -> None:
    done = end(a_job(), Outcome(JobState.DONE, keep_s=60, result=b"{}", text="words"), now=100)

    assert done.state.is_final
    assert (done.progress, done.text, done.result, done.has_audio) == (1.0, "words", b"{}", False)
    assert (done.finished_at, done.expires_at) == (100, 160)


def test_the_lease_ends_with_the_job_and_its_fencing_number_stays() -> None:
    running = replace(a_job(), state=JobState.RUNNING, gateway="a", lease_until=500.0, fence=3)
    done = end(running, Outcome(JobState.DONE, keep_s=60, duration_ms=1500), now=100)

    assert (done.gateway, done.lease_until, done.fence) == (None, 0.0, 3)
    assert done.duration_ms == 1500


def test_a_failed_job_keeps_its_text_and_progress_so_far() -> None:
    running = replace(a_job(), state=JobState.RUNNING, text="so far", progress=0.5)
    failed = end(running, Outcome(JobState.FAILED, keep_s=60, error=b"{}"), now=100)

    assert (failed.text, failed.progress, failed.error) == ("so far", 0.5, b"{}")


@pytest.mark.parametrize("state", [JobState.DONE, JobState.FAILED])
def test_audio_is_kept_for_its_time_after_the_end_and_the_job_with_it(state: JobState) -> None:
    job = a_job(spec=a_spec(keep_audio_s=3600))
    ended = end(job, Outcome(state, keep_s=60), now=100)

    assert (ended.has_audio, ended.audio_until) == (True, 3700)
    assert ended.expires_at == 3700
    assert end(job, Outcome(state, keep_s=7200), now=100).expires_at == 7300
    short = end(a_job(spec=a_spec(keep_audio_s=0.5)), Outcome(state, keep_s=60), now=100)
    assert (short.has_audio, short.audio_until) == (True, 100.5)


def test_audio_of_a_cancelled_job_is_not_kept() -> None:
    cancelled = cancel(a_job(spec=a_spec(keep_audio_s=3600)), keep_s=60, now=100)

    assert (cancelled.has_audio, cancelled.audio_until) == (False, None)
    assert cancelled.expires_at == 160


def test_a_cancelled_job_refuses_its_writer_and_a_finished_one_is_not_cancelled() -> None:
    running = replace(a_job(), state=JobState.RUNNING, fence=3)
    cancelled = cancel(running, keep_s=60, now=100)

    assert (cancelled.state, cancelled.fence) == (JobState.CANCELLED, 4)
    assert cancel(cancelled, keep_s=60, now=200) is cancelled
