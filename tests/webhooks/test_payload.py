"""What receivers get: in the format of the API of a job, or as Standard Webhooks describe it."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.events import Event
from auricle.ledger.jobs.events import job_ended
from auricle.ledger.jobs.job import JobState, Outcome, end
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.server.job_answers import JobAnswers
from auricle.server.uploads.params import Callback, TranscriptionParams, encode_params
from auricle.values.types import Options
from auricle.webhooks.outbox import Delivery
from auricle.webhooks.payload import payload_of
from tests.support.ledger import POISONED, a_job, a_spec

pytestmark = pytest.mark.unit

URL = "https://receiver.example/hook"
QUOTA = Quota(max_jobs=10, max_ended_jobs=10, max_audio_bytes=10**6)


def a_delivery(event: Event) -> Delivery:
    return Delivery(event, URL, "receiver.example", 1.5, 1.5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(SqliteDatabase.open(tmp_path)) as database:
        yield Ledger(database, "gateway", POISONED)


ENDED = job_ended(end(a_job(), Outcome(JobState.DONE, 60.0), 1.5))


@pytest.mark.parametrize("is_event_data", [True, False])
def test_the_api_of_a_job_renders_its_event_or_the_data_of_it(
    ledger: Ledger, is_event_data: bool
) -> None:
    params = TranscriptionParams(
        "job-1", "trace", "auto", 16_000, Options(), callback=Callback(URL, "PUT")
    )
    spec = a_spec(callback_url=URL)
    ledger.accept(replace(spec, request=encode_params(params)), QUOTA, 1.0)
    answers = JobAnswers(
        lambda *_: b"",
        lambda job, keeps: json.dumps([job.spec.uid, keeps]).encode(),
        is_event_data=is_event_data,
    )
    payload = payload_of(ledger, {"native": answers}, a_delivery(ENDED), keeps_results=True)
    data = [spec.uid, True]
    event = {
        "type": "job.done",
        "event_id": ENDED.id,
        "timestamp": "1970-01-01T00:00:01.500Z",
        "data": data,
    }

    assert payload is not None
    assert payload.method == "PUT"
    assert json.loads(payload.body) == (event if is_event_data else data)


def test_an_event_with_data_needs_no_row(ledger: Ledger) -> None:
    event = Event("id", "transcript.kept", "transcripts/uid", "key", b'{"id": 1}')
    payload = payload_of(ledger, {}, a_delivery(event), keeps_results=False)

    assert payload is not None
    assert payload.method == "POST"
    assert json.loads(payload.body)["data"] == {"id": 1}


def test_a_job_that_was_deleted_is_not_reported(ledger: Ledger) -> None:
    assert payload_of(ledger, {}, a_delivery(ENDED), keeps_results=False) is None
