"""The webhooks of a server, between its jobs and the outbox."""

import time
from pathlib import Path

import pytest

from auricle.ledger.databases.database import Database, no_step
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.events import Event, queue
from auricle.ledger.jobs.events import PROGRESS, subject_of
from auricle.ledger.jobs.job import Job, JobState, Outcome, end
from auricle.server.uploads.params import Callback
from auricle.values.errors import BadRequest
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.opening import job_progressed
from auricle.webhooks.outbox import SEND_S
from tests.support.ledger import a_job, a_spec
from tests.support.service import opened
from tests.support.webhooks import sending

pytestmark = pytest.mark.server

URL = "https://receiver.example/hook"
EVENT = Event("id", "job.done", "jobs/uid", "key")


def a_job_with_a_callback() -> Job:
    return a_job(spec=a_spec(callback_url=URL))


def store(database: Database, event: Event, now: float) -> None:
    database.write("event", lambda t: queue(t, event, URL, now))


async def test_a_job_shows_the_delivery_of_its_end(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as service:  # also without a secret
        webhooks, database = service.state.jobs.webhooks, service.state.storage.database
        job = a_job_with_a_callback()
        done = end(job, Outcome(JobState.DONE, keep_s=60), 5.0)
        assert webhooks.body_of(a_job()) is None
        waiting = webhooks.body_of(job)
        store(database, Event("id", "job.done", subject_of(job.spec.uid), "key"), 5.0)
        pending = webhooks.body_of(done)
        events = StoredEvents(database)
        attempt = events.next_delivery(6.0)
        assert attempt is not None
        events.end_attempt(attempt, 200, 6.0)
        delivered = webhooks.body_of(done)

    assert waiting == {
        "state": "waiting",
        "attempts": 0,
        "last_status": None,
        "next_attempt": None,
    }
    assert pending == {**waiting, "state": "pending", "next_attempt": 5.0}
    assert delivered == {**waiting, "state": "delivered", "attempts": 1, "last_status": 200}


async def test_progress_is_queued_for_callbacks_that_get_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as service:
        webhooks, database = service.state.jobs.webhooks, service.state.storage.database
        job = a_job_with_a_callback()
        assert webhooks.progress_of(job, Callback(URL)) is no_step
        step = webhooks.progress_of(job, Callback(URL, events=("job.progress",)))
        for _ in range(2):
            database.write("renew", step)
        (delivery,) = StoredEvents(database).of(subject_of(job.spec.uid))

    assert (delivery.event.type, delivery.url) == (PROGRESS, URL)


def test_progress_has_another_id_each_time() -> None:
    first, second = (job_progressed(a_job(), now) for now in (1.0, 11.0))
    assert first.id != second.id
    assert (first.type, first.subject) == (PROGRESS, second.subject)


async def test_what_is_still_to_be_sent_is_a_metric(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as service:
        store(service.state.storage.database, EVENT, 5.0)
        service.state.jobs.webhooks.report()
        registry = service.state.metrics.registry

    assert registry.get_sample_value("auricle_webhooks_pending") == 1


async def test_without_a_secret_nothing_is_sent_and_no_url_is_accepted(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool") as service:
        webhooks = service.state.jobs.webhooks
        store(service.state.storage.database, EVENT, 5.0)
        webhooks.wake()
        await webhooks.run()
        assert not webhooks.has_work
        with pytest.raises(BadRequest, match="x is not available: .*AURICLE_WEBHOOK_SECRET"):
            webhooks.check_url(URL, "x")
        (delivery,) = StoredEvents(service.state.storage.database).of("jobs/uid")

    assert delivery.attempts == 0


@pytest.mark.parametrize("sends", [True, False])
async def test_what_the_last_server_was_sending_is_due_at_the_start_of_one_that_sends(
    tmp_path: Path, sends: bool
) -> None:
    settings = sending(tmp_path)
    database = SqliteDatabase.open(tmp_path / "state")
    now = time.time()
    database.write("event", lambda t: queue(t, EVENT, "http://127.0.0.1:9/", now))
    attempt = StoredEvents(database).next_delivery(now)
    assert attempt is not None
    database.close()
    if not sends:
        settings["webhook_secret"] = None
    async with opened(tmp_path / "spool", **settings) as service:
        (delivery,) = StoredEvents(service.state.storage.database).of("jobs/uid")

    assert time.time() < attempt.next_at == now + SEND_S
    assert (delivery.attempts > 1 or delivery.next_at < attempt.next_at) == sends
