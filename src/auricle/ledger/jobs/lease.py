"""Leases: which process works on a job, and which writer is refused. No I/O.

A gateway works on a job while it holds its lease, and renews it. Once a lease has expired, another
gateway takes the job over. Each change of the lease increases the job's fencing number. A writer
shows the number of its lease (:class:`Claim`), so that a gateway that was paused or cut off cannot
overwrite the work of its successor. Correctness depends on this number only; the clock only decides
when a job is taken over.

**Clocks.** Times are wall-clock times, which may jump. A lease that ends far later than one taken
now would is void: the clock was set back. A gateway whose lease expired early keeps its job until
another takes it over. Clocks of several gateways should agree within ten seconds, as with NTP.

**Poison.** A job that kills its gateway would do so again. Each lost lease counts, until progress
is stored. A job that lost several waits for longer and longer, and fails after ``MAX_LOSSES``. The
others that ran in the gateway wait for other times, so that they are done before or after it.
Released leases, as in a shutdown, don't count.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from auricle.ledger.jobs.job import Job, JobState, Outcome, end
from auricle.values.errors import LeaseLost

LEASE_S = 30.0
RENEW_S = 10.0
"""Interval of renewals; two may fail before the lease expires."""

MAX_SKEW_S = 600.0
"""A lease that ends later than this after its regular end was taken by a clock set back since."""

MAX_LOSSES = 10
"""Lost leases without progress after which a job fails."""
FREE_LOSSES = 3
"""Lost leases after which a job is ready at once: its gateway was probably killed by others."""
FIRST_DELAY_S = 30.0
MAX_DELAY_S = 600.0
SPREAD = 16
"""Different delays, from a half to the whole, so that not all jobs of a dead gateway run with the
one that killed it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A gateway's right to write a job, as long as the fencing number is the job's."""

    number: int
    fence: int


def has_expired(job: Job, now: float) -> bool:
    """Return whether a running job's lease has expired, or is void because the clock was set."""
    return job.state is JobState.RUNNING and not now < job.lease_until <= now + LEASE_S + MAX_SKEW_S


def is_leasable(job: Job, now: float, working_on: Collection[int] = ()) -> bool:
    """Return whether a gateway may take a lease now.

    Args:
        job: The job.
        now: Unix time.
        working_on: Numbers of the jobs that this gateway works on.
    """
    if job.number in working_on:
        return False
    if job.state is JobState.QUEUED:
        return not now < job.ready_at <= now + MAX_DELAY_S  # void if the clock was set back
    return has_expired(job, now)


def lose(job: Job, poisoned: Outcome, now: float) -> Job:
    """Return a running job whose gateway died: queued again, or failed as ``poisoned``."""
    losses = job.losses + 1
    if losses >= MAX_LOSSES:
        return replace(end(job, poisoned, now), losses=losses, fence=job.fence + 1)
    delay_s = 0.0
    if losses > FREE_LOSSES:
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2 ** (losses - FREE_LOSSES - 1))
        delay_s *= 1 - (job.number - 1) % SPREAD / (2 * SPREAD)
    return _queued(replace(job, losses=losses), now + delay_s)


def lease(job: Job, gateway: str, now: float) -> Job:
    """Return a queued job as running under a new lease."""
    assert job.state is JobState.QUEUED, "only queued jobs are leased"
    return replace(
        job,
        state=JobState.RUNNING,
        gateway=gateway,
        lease_until=now + LEASE_S,
        fence=job.fence + 1,
    )


def claim_of(job: Job) -> Claim:
    """Return the claim of the process that has just leased the job."""
    return Claim(job.number, job.fence)


def check(job: Job | None, claim: Claim) -> Job:
    """Return the job if the claim is valid.

    Raises:
        LeaseLost: Another gateway has taken over, or the job was cancelled, deleted or ended.
    """
    if job is None or job.fence != claim.fence or job.state is not JobState.RUNNING:
        raise LeaseLost("Another gateway has taken over this job, or it has ended.")
    return job


def renew(job: Job | None, claim: Claim, now: float, progress: float, text: str) -> Job:
    """Return the job with a lease from now on, and its progress for callers.

    Raises:
        LeaseLost: The claim is no longer valid.
    """
    job = check(job, claim)
    return replace(job, lease_until=now + LEASE_S, progress=progress, text=text)


def progressed(job: Job | None, claim: Claim, now: float) -> Job:
    """Return the job after a chunk was stored: its earlier losses don't count any more.

    Raises:
        LeaseLost: The claim is no longer valid.
    """
    return replace(check(job, claim), lease_until=now + LEASE_S, losses=0)


def release(job: Job | None, claim: Claim, now: float, delay_s: float = 0.0) -> Job:
    """Return the job queued again because its gateway shuts down, or can't work on it for now.

    Args:
        job: The job.
        claim: The gateway's claim.
        now: Unix time.
        delay_s: Time until it may be leased again, in seconds.

    Raises:
        LeaseLost: The claim is no longer valid.
    """
    return _queued(check(job, claim), now + delay_s)


def finish(job: Job | None, claim: Claim, outcome: Outcome, now: float) -> Job:
    """Return the job after its end. A repeated call by the same writer changes nothing.

    Raises:
        LeaseLost: The claim is no longer valid.
    """
    if job is not None and job.state.is_final and job.fence == claim.fence:
        return job
    return end(check(job, claim), outcome, now)


def _queued(job: Job, ready_at: float) -> Job:
    return replace(
        job,
        state=JobState.QUEUED,
        gateway=None,
        lease_until=0.0,
        ready_at=ready_at,
        fence=job.fence + 1,
    )
