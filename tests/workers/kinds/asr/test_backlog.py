"""What waits and what runs."""

from dataclasses import replace

import numpy as np
import pytest

from auricle.engines.base import BatchRules
from auricle.values.types import ClientId, Job, JobId, JobKind, Options
from auricle.workers.kinds.asr.backlog import Backlog, Batch, Ticket, batch_class

pytestmark = pytest.mark.unit


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


def test_a_class_is_what_the_model_must_do_alike_and_a_range_of_lengths() -> None:
    rules = BatchRules(length_classes_s=(5.0, 10.0))
    assert batch_class(job(5.1), rules) == batch_class(job(10.0), rules)
    assert batch_class(job(5.0), rules) != batch_class(job(5.1), rules)
    assert batch_class(job(10.1), rules) == batch_class(job(29.0), rules)
    assert batch_class(job(10.0), rules) != batch_class(job(10.1), rules)
    assert batch_class(job(1, options=Options(prefix_tokens=(1, 2))), rules) == batch_class(
        job(1), rules
    )
    assert batch_class(job(1, options=Options(language="de")), rules) != batch_class(job(1), rules)


def test_chunks_of_files_have_one_class_however_long() -> None:
    rules = BatchRules()
    assert batch_class(job(1, JobKind.FILE), rules) == batch_class(job(29, JobKind.FILE), rules)


def test_a_final_finds_the_waiting_speculative_job_of_its_own_utterance_and_client() -> None:
    backlog = Backlog()
    early = replace(job(2.0, JobKind.SPECULATIVE), utterance="s:1")
    others = [
        replace(early, utterance="s:2"),
        replace(early, client=ClientId("other")),
        replace(early, kind=JobKind.PARTIAL),
    ]
    final = replace(early, kind=JobKind.FINAL)
    for other in others:
        backlog.queues[other.kind].push(Ticket(other, 0, 0))
    assert backlog.waiting_early(final) is None
    ticket = Ticket(early, 0, 0)
    backlog.queues[early.kind].push(ticket)
    assert backlog.waiting_early(final) is ticket
