"""The rules in any order, with dead gateways, late writers and clocks that jump."""

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from auricle.ledger.jobs import job as jobs
from auricle.ledger.jobs import lease as leases
from auricle.ledger.jobs.job import Job, JobState, Outcome
from auricle.ledger.jobs.lease import Claim, claim_of
from auricle.values.errors import LeaseLost
from tests.support.ledger import a_job

pytestmark = pytest.mark.unit

POISONED = Outcome(JobState.FAILED, keep_s=60, error=b"poisoned")
NUMBERS = st.integers(1, 3)
JUMPS_S = st.sampled_from([0.0, 1.0, 15.0, 31.0, 700.0, 3600.0, -31.0, -3600.0])


@dataclass
class Model:
    """What must be true of a job: who may write it, and how it ended."""

    holder: Claim | None = None
    ended_as: JobState | None = None
    losses: int = 0


class Rules(RuleBasedStateMachine):
    """Compares the rules with a model that knows neither clocks nor fencing numbers."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1e9
        self.jobs = {number: a_job(number, self.now) for number in (1, 2, 3)}
        self.models = {number: Model() for number in self.jobs}
        self.fences: dict[int, list[int]] = {number: [0] for number in self.jobs}

    def put(self, job: Job) -> None:
        """Store a job."""
        self.jobs[job.number] = job
        if self.fences[job.number][-1] != job.fence:
            self.fences[job.number].append(job.fence)

    @rule(seconds=JUMPS_S)
    def time_passes(self, seconds: float) -> None:
        """Move the clock, forwards or backwards."""
        self.now += seconds

    @rule(number=NUMBERS, target=claims)
    def lease(self, number: int) -> Claim:
        """Take a lease, over from a dead gateway if it has expired."""
        job, model = self.jobs[number], self.models[number]
        if not leases.is_leasable(job, self.now):
            return Claim(number, -1)
        if job.state is JobState.RUNNING:
            job = leases.lose(job, POISONED, self.now)
            model.losses += 1
            model.holder = None
            self.put(job)
        if job.state.is_final:
            assert model.losses >= leases.MAX_LOSSES
            model.ended_as = job.state
        if not leases.is_leasable(job, self.now):
            return Claim(number, -1)
        job = leases.lease(job, "gateway", self.now)
        self.put(job)
        model.holder = claim_of(job)
        return model.holder

    @rule(claim=claims, what=st.sampled_from(["renew", "progressed", "release"]))
    def work(self, claim: Claim, what: str) -> None:
        """Write with a claim that may be anyone's, of any age."""
        job, model = self.jobs[claim.number], self.models[claim.number]
        try:
            if what == "renew":
                job = leases.renew(job, claim, self.now, 0.5, "text")
            elif what == "progressed":
                job = leases.progressed(job, claim, self.now)
            else:
                job = leases.release(job, claim, self.now)
        except LeaseLost:
            assert model.holder != claim or model.ended_as is not None
            return
        assert model.holder == claim
        if what == "progressed":
            model.losses = 0
        if what == "release":
            model.holder = None
        self.put(job)

    @rule(claim=claims, state=st.sampled_from([JobState.DONE, JobState.FAILED]))
    def finish(self, claim: Claim, state: JobState) -> None:
        """End a job with a claim of any age."""
        job, model = self.jobs[claim.number], self.models[claim.number]
        try:
            ended = leases.finish(job, claim, Outcome(state, keep_s=60), self.now)
        except LeaseLost:
            assert model.holder != claim
            return
        assert model.holder == claim
        if model.ended_as is None:
            model.ended_as = state
        else:
            assert ended is job
        self.put(ended)

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        """Cancel a job that may have ended."""
        job, model = self.jobs[number], self.models[number]
        self.put(jobs.cancel(job, 60, self.now))
        if model.ended_as is None:
            model.ended_as, model.holder = JobState.CANCELLED, None

    @invariant()
    def every_end_is_final(self) -> None:
        """A job ends once, as its model did."""
        for number, model in self.models.items():
            state = self.jobs[number].state
            assert (state if state.is_final else None) == model.ended_as

    @invariant()
    def fencing_numbers_only_grow(self) -> None:
        """No two leases have the same number."""
        for fences in self.fences.values():
            assert fences == sorted(set(fences))

    @invariant()
    def losses_are_counted(self) -> None:
        """Only lost leases count, until there is progress."""
        for number, model in self.models.items():
            assert self.jobs[number].losses == model.losses

    def teardown(self) -> None:
        """After any events, each unfinished job can be leased now or after the longest wait.

        A wait that the clock's return made too long is void now, and would be valid again later.
        """
        later = self.now + leases.MAX_DELAY_S + leases.LEASE_S
        for job in self.jobs.values():
            times = (self.now, later)
            assert job.state.is_final or any(leases.is_leasable(job, at) for at in times)


TestRules = Rules.TestCase
TestRules.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
