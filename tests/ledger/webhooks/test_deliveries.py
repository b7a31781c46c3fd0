"""The outbox, the sender and a real receiver together."""

from collections.abc import Callable

import anyio
import pytest

from auricle.ledger.database import Database
from auricle.ledger.job import Job, JobState, Outcome
from auricle.ledger.lease import claim_of
from auricle.ledger.outbox import Delivery, DeliveryState
from auricle.ledger.quota import Quota
from auricle.ledger.store import Ledger
from auricle.ledger.webhooks.deliveries import WebhookRunner
from auricle.ledger.webhooks.request import secret_of_owner, signature
from auricle.ledger.webhooks.sender import WebhookSender
from tests.support.ledger import a_spec
from tests.support.poll import poll_until
from tests.support.receiver import receiver_running

QUOTA = Quota(max_jobs=1000, max_audio_bytes=10**9)
NOW = 1.8e9


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, "gateway", Outcome(JobState.FAILED, keep_s=60))


def finish_job(ledger: Ledger, job_id: str, url: str) -> int:
    ledger.accept(a_spec(job_id, callback_url=url), QUOTA, NOW)
    job = ledger.lease(NOW)
    assert job is not None
    ledger.finish(claim_of(job), Outcome(JobState.DONE, keep_s=60, result=b"{}"), NOW)
    return job.number


def render(delivery: Delivery, job: Job) -> bytes:
    return f'{{"id": "{delivery.event_id}", "state": "{job.state}"}}'.encode()


def secret_of(owner: str) -> bytes:
    return secret_of_owner(b"server", owner)


async def deliver(ledger: Ledger, is_over: Callable[[], bool], now: Callable[[], float]) -> None:
    sender = WebhookSender(allow_private=True)
    runner = WebhookRunner(ledger, sender, render=render, secret_of=secret_of, now=now, poll_s=0.01)
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run)
        await poll_until(is_over)
        group.cancel_scope.cancel()
    await sender.aclose()


def state_of(ledger: Ledger, number: int) -> DeliveryState:
    (delivery,) = ledger.deliveries(number)
    return delivery.state


async def test_the_end_of_a_job_is_delivered_signed(ledger: Ledger) -> None:
    with receiver_running() as receiver:
        number = finish_job(ledger, "job", receiver.url("/204"))
        await deliver(
            ledger, lambda: state_of(ledger, number) is DeliveryState.DELIVERED, lambda: NOW
        )
    ((_, headers, body),) = receiver.requests

    assert body == b'{"id": "uid-key-job.done", "state": "done"}'
    expected = signature(secret_of("key"), "uid-key-job.done", int(NOW), body)
    assert headers["webhook-signature"] == expected


async def test_a_receiver_that_fails_gets_the_same_event_again(ledger: Ledger) -> None:
    clock = NOW

    def ticking() -> float:
        nonlocal clock
        clock += 10
        return clock

    with receiver_running() as receiver:
        receiver.statuses = [500, 503, 429]
        number = finish_job(ledger, "job", receiver.url("/200"))
        await deliver(ledger, lambda: state_of(ledger, number) is DeliveryState.DELIVERED, ticking)
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]

    assert ids == ["uid-key-job.done"] * 4


async def test_a_receiver_that_hangs_does_not_delay_others(ledger: Ledger) -> None:
    with receiver_running() as receiver:
        finish_job(ledger, "hangs", receiver.url("/hang"))
        number = finish_job(ledger, "works", receiver.url("/200"))
        await deliver(
            ledger, lambda: state_of(ledger, number) is DeliveryState.DELIVERED, lambda: NOW
        )


async def test_a_refused_event_is_not_sent_again(ledger: Ledger) -> None:
    with receiver_running() as receiver:
        number = finish_job(ledger, "job", receiver.url("/410"))
        await deliver(
            ledger, lambda: state_of(ledger, number) is DeliveryState.REFUSED, lambda: NOW
        )
    assert len(receiver.requests) == 1
