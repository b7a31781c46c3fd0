from collections.abc import Callable
from dataclasses import replace

import pytest

from auricle.ledger.jobs.job import Job, JobState, Outcome
from auricle.ledger.jobs.lease import (
    FIRST_DELAY_S,
    FREE_LOSSES,
    LEASE_S,
    MAX_DELAY_S,
    MAX_LOSSES,
    MAX_SKEW_S,
    Claim,
    check,
    claim_of,
    finish,
    has_expired,
    is_leasable,
    lease,
    lose,
    progressed,
    release,
    renew,
)
from auricle.values.errors import LeaseLost
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit

DONE = Outcome(JobState.DONE, keep_s=60, result=b"{}")
POISONED = Outcome(JobState.FAILED, keep_s=60, error=b'{"code": "poison_job"}')
HOUR_S = 3600.0


def leased(now: float = 0.0) -> Job:
    return lease(a_job(), "gateway", now)


def test_a_lease_belongs_to_its_gateway_and_has_a_fencing_number() -> None:
    job = leased(now=100)

    assert (job.state, job.gateway, job.fence) == (JobState.RUNNING, "gateway", 1)
    assert claim_of(job) == Claim(job.number, 1)


def test_a_lease_expires_after_its_time() -> None:
    job = leased(now=100)

    assert not has_expired(job, 100 + LEASE_S - 0.1)
    assert has_expired(job, 100 + LEASE_S)


def test_a_renewed_lease_lasts_longer_and_reports_progress() -> None:
    renewed = renew(leased(now=100), claim_of(leased()), 120, progress=0.5, text="so far")

    assert not has_expired(renewed, 120 + LEASE_S - 0.1)
    assert (renewed.progress, renewed.text) == (0.5, "so far")


def test_a_lease_taken_before_the_clock_was_set_back_an_hour_is_void() -> None:
    assert has_expired(leased(now=HOUR_S), now=0)
    assert not has_expired(leased(now=HOUR_S), now=HOUR_S - MAX_SKEW_S)
    assert has_expired(leased(now=HOUR_S), now=HOUR_S - MAX_SKEW_S - 1)


def test_after_the_clock_was_set_forward_an_hour_a_gateway_keeps_its_unclaimed_jobs() -> None:
    job = leased()

    assert has_expired(job, HOUR_S)
    assert not has_expired(renew(job, claim_of(job), HOUR_S, 0, ""), HOUR_S)


def test_a_gateway_does_not_take_over_its_own_work() -> None:
    assert is_leasable(leased(), HOUR_S)
    assert not is_leasable(leased(), HOUR_S, working_on={1})


def test_a_late_writer_is_refused_after_a_takeover() -> None:
    first = leased()
    second = lease(lose(first, POISONED, LEASE_S), "other", LEASE_S)
    claim = claim_of(first)

    assert claim_of(second).fence > claim.fence
    writes: list[Callable[[], object]] = [
        lambda: check(second, claim),
        lambda: renew(second, claim, 0, 0, ""),
        lambda: progressed(second, claim, 0),
        lambda: release(second, claim, 0),
        lambda: finish(second, claim, DONE, 0),
        lambda: finish(None, claim, DONE, 0),  # deleted
    ]
    for write in writes:
        with pytest.raises(LeaseLost) as refusal:
            write()
        assert str(refusal.value) == "Another gateway has taken over this job, or it has ended."


def test_a_finish_that_is_repeated_changes_nothing() -> None:
    job = leased()
    done = finish(job, claim_of(job), DONE, 10)

    assert finish(done, claim_of(job), replace(DONE, result=b"other"), 20) is done


def test_a_released_job_is_ready_at_once_and_is_not_held_against_it() -> None:
    job = leased()
    queued = release(job, claim_of(job), 10)

    assert (queued.state, queued.losses) == (JobState.QUEUED, 0)
    assert (queued.gateway, queued.lease_until, queued.fence) == (None, 0.0, job.fence + 1)
    assert is_leasable(queued, 10)


def test_a_job_that_is_released_with_a_delay_is_ready_after_it() -> None:
    job = leased()
    queued = release(job, claim_of(job), 10, 30)

    assert queued.losses == 0
    assert not is_leasable(queued, 39)
    assert is_leasable(queued, 40)


def test_a_job_that_loses_lease_after_lease_waits_longer_and_then_fails() -> None:
    job, delays = a_job(), []
    while not job.state.is_final:
        job = lose(lease(job, "gateway", 0), POISONED, 0)
        delays.append(job.ready_at)

    assert (job.state, job.error, job.losses) == (JobState.FAILED, POISONED.error, MAX_LOSSES)
    assert delays[:FREE_LOSSES] == [0] * FREE_LOSSES
    assert delays[FREE_LOSSES:-1] == [
        min(MAX_DELAY_S, FIRST_DELAY_S * 2**n) for n in range(MAX_LOSSES - FREE_LOSSES - 1)
    ]
    assert max(delays) == MAX_DELAY_S
    assert job.fence == 2 * MAX_LOSSES


def test_the_delays_of_jobs_are_spread_from_the_whole_to_a_half() -> None:
    suspects = [
        replace(leased(), number=number, losses=FREE_LOSSES) for number in (1, 2, 9, 16, 17)
    ]
    delays = [lose(job, POISONED, 0.0).ready_at for job in suspects]

    assert delays == [FIRST_DELAY_S * part / 32 for part in (32, 31, 24, 17, 32)]


@pytest.mark.parametrize("killer", [1, 8, 16])
def test_a_job_that_kills_its_gateway_takes_no_other_with_it(killer: int) -> None:
    jobs, started, now = {number: a_job(number) for number in range(1, 17)}, dict[int, float](), 0.0
    while not all(job.state.is_final for job in jobs.values()):
        now += 0.5
        for number, job in jobs.items():
            if is_leasable(job, now):
                jobs[number], started[number] = lease(job, "gateway", now), now
        if now >= started.get(killer, now) + 1:
            jobs |= {number: lose(jobs[number], POISONED, now) for number in started}
            started.clear()
        for number in [number for number, at in started.items() if now >= at + 2]:
            jobs[number] = finish(jobs[number], claim_of(jobs[number]), DONE, now)
            del started[number]

    failed = [number for number, job in jobs.items() if job.state is JobState.FAILED]
    assert failed == [killer]


def test_progress_forgives_earlier_losses() -> None:
    job = lease(lose(leased(), POISONED, 0), "gateway", 0)

    assert job.losses == 1
    later = progressed(job, claim_of(job), 20)
    assert (later.losses, later.lease_until) == (0, 20 + LEASE_S)


def test_a_delayed_job_is_not_leased_early_unless_the_clock_was_set_back() -> None:
    job = replace(a_job(), ready_at=HOUR_S)

    assert not is_leasable(job, HOUR_S - 1)
    assert is_leasable(job, HOUR_S)
    assert not is_leasable(job, HOUR_S - MAX_DELAY_S)
    assert is_leasable(job, HOUR_S - MAX_DELAY_S - 1)
