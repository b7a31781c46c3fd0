"""What waits and what runs."""

import numpy as np
import pytest

from auricle.types import ClientId, Job, JobId, JobKind, Options
from auricle.workers.asr.backlog import Backlog, Batch, Ticket, batch_class

pytestmark = pytest.mark.unit

STEP_S = 5.0


def job(seconds: float, kind: JobKind = JobKind.FINAL, options: Options | None = None) -> Job:
    pcm = np.ones(int(16_000 * seconds), np.int16)
    return Job(JobId("j"), pcm, options or Options(), kind=kind, client=ClientId("key"))


def test_what_waits_and_runs_is_counted_and_the_most_urgent_comes_first() -> None:
    backlog = Backlog()
    tickets = [Ticket(job(1.5, kind), 0, 0) for kind in reversed(JobKind)]
    for ticket in tickets:
        backlog.queues[ticket.job.kind].push(ticket)
    assert list(backlog.waiting()) == tickets[::-1]
    assert (backlog.waiting_jobs, backlog.waiting_audio_s) == (4, 6.0)
    assert backlog.remove(tickets[0])
    assert not backlog.remove(tickets[0])
    backlog.running["w1"] = Batch((tickets[0],), 1.0)
    assert list(backlog.in_flight()) == [tickets[0]]
    assert (backlog.waiting_jobs, backlog.waiting_audio_s) == (3, 4.5)


def test_a_ticket_costs_more_than_its_audio_and_belongs_to_its_key() -> None:
    ticket = Ticket(job(2.0), 0, 0)
    assert (ticket.audio_s, ticket.client) == (2.0, "key")


def test_a_class_is_what_the_model_must_do_alike_and_five_seconds_of_length() -> None:
    assert batch_class(job(5.0), STEP_S) == batch_class(job(9.9), STEP_S)
    assert batch_class(job(4.9), STEP_S) != batch_class(job(5.0), STEP_S)
    assert batch_class(job(1, options=Options(prefix_tokens=(1, 2))), STEP_S) == batch_class(
        job(1), STEP_S
    )
    assert batch_class(job(1, options=Options(language="de")), STEP_S) != batch_class(
        job(1), STEP_S
    )


def test_pieces_of_files_have_one_class_however_long() -> None:
    assert batch_class(job(1, JobKind.FILE), STEP_S) == batch_class(job(29, JobKind.FILE), STEP_S)
