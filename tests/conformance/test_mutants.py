"""Broken gateways: for each, a test of the suite that finds it out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from auricle.cluster.gateway import node
from auricle.cluster.gateway.admission import GatewayAdmission
from auricle.cluster.gateway.node import RecogniserLost
from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.wire.failures import error_of
from auricle.cluster.wire.messages import RemoteError
from auricle.values.errors import AudioError, AuricleError, Overloaded, PoisonJob, WorkerError
from auricle.values.types import Job, Transcript
from auricle.workers.kinds.asr.backlog import Ticket
from tests.conformance.remote import Make, remote_maker
from tests.conformance.transcriber import test_closing, test_losses, test_queue, test_results

pytestmark = [pytest.mark.process, pytest.mark.slow]

Breaks = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """What is broken, and who has to notice."""

    found_by: Callable[..., Awaitable[None]]
    breaks: Breaks = lambda patch: None
    make: Make = RemoteTranscriber


def losses(most: int) -> Breaks:
    return lambda patch: patch.setattr("auricle.cluster.gateway.transcriber.MAX_LOSSES", most)


def maps(wrong: Callable[[AuricleError], Exception]) -> Breaks:
    def error(failed: RemoteError) -> Exception:
        return wrong(error_of(failed))

    return lambda patch: patch.setattr(node, "error_of", error)


def never_silent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(node, "SILENCE_S", 3600.0)
    patch.setattr(test_losses, "HANG_LIMIT_S", 3.0)


def keeps_no_room(patch: pytest.MonkeyPatch) -> None:
    real = GatewayAdmission.open

    def opened(self: GatewayAdmission, job: Job, now: float) -> tuple[Ticket, bool]:
        return real(self, job, now)[0], False

    patch.setattr(GatewayAdmission, "open", opened)


def forgets_poison(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("auricle.cluster.gateway.transcriber.PoisonTracker.is_poison", lambda *_: False)


class Stubborn(RemoteTranscriber):
    """Continues jobs without a waiting caller."""

    async def transcribe(self, job: Job) -> Transcript:
        asked = asyncio.ensure_future(super().transcribe(job))
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(asked)


class Faithless(RemoteTranscriber):
    """Drops what it has accepted when it closes."""

    async def aclose(self, drain_s: float = 0.0) -> None:
        await super().aclose()


MUTANTS = {
    "no retry": Mutant(test_losses.test_the_loss_of_a_part_is_invisible, losses(1)),
    "two retries": Mutant(test_losses.test_what_loses_everything_it_runs_on_is_given_up, losses(3)),
    "no silence deadline": Mutant(
        test_losses.test_a_part_that_stands_still_is_given_up_in_time, never_silent
    ),
    "poison asked again": Mutant(
        test_results.test_poison_is_quarantined_and_refused_without_other_jobs,
        maps(lambda error: RecogniserLost("judged") if isinstance(error, PoisonJob) else error),
    ),
    "bad audio asked again": Mutant(
        test_results.test_audio_that_the_engine_refuses_is_the_callers_and_is_asked_once,
        maps(lambda error: RecogniserLost("judged") if isinstance(error, AudioError) else error),
    ),
    "poison forgotten": Mutant(
        test_results.test_poison_is_quarantined_and_refused_without_other_jobs, forgets_poison
    ),
    "poison reported as a dead worker": Mutant(
        test_results.test_poison_is_quarantined_and_refused_without_other_jobs,
        maps(lambda error: WorkerError("x") if isinstance(error, PoisonJob) else error),
    ),
    "overload reported as a dead worker": Mutant(
        test_queue.test_overload_splits_into_answers_and_refusals_with_a_time,
        maps(lambda error: WorkerError("x") if isinstance(error, Overloaded) else error),
    ),
    "bad audio reported as a dead worker": Mutant(
        test_results.test_audio_that_the_engine_refuses_is_the_callers_and_is_asked_once,
        maps(lambda error: WorkerError("x") if isinstance(error, AudioError) else error),
    ),
    "room not kept": Mutant(
        test_queue.test_a_reservation_is_worth_its_room_when_all_else_is_full, keeps_no_room
    ),
    "cancelled jobs continue": Mutant(test_queue.test_a_cancelled_job_is_not_run, make=Stubborn),
    "no drain": Mutant(
        test_closing.test_closing_finishes_what_was_accepted_and_takes_nothing_new, make=Faithless
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
async def test_the_suite_finds_it(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mutant.breaks(monkeypatch)
    monkeypatch.setattr("tests.support.poll.LIMIT_S", 10.0)  # what does not come is what is found
    with pytest.raises(
        (AssertionError, AuricleError, TimeoutError, pytest.fail.Exception)
    ) as found:
        await mutant.found_by(remote_maker(tmp_path, mutant.make), tmp_path)
    assert "ready workers" not in str(found.value)  # it was not even tried
