"""A server without the part that sends webhooks."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from prometheus_client import generate_latest

from auricle.ledger.databases.database import no_step
from auricle.ledger.databases.sqlite import SqliteDatabase
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.lease import claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.store import Ledger
from auricle.server.uploads.params import Callback
from auricle.server.webhooks import Webhooks, no_webhooks
from auricle.values.errors import UnsupportedOption
from tests.support import service as services
from tests.support.ledger import POISONED, a_job, a_spec
from tests.support.service import WAV, Live, live, speech_json

pytestmark = pytest.mark.server

URL = "https://receiver.example/hook"
QUOTA = Quota(max_jobs=1000, max_ended_jobs=1000, max_audio_bytes=10**9)


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr(services, "webhooks_of_parts", lambda: no_webhooks)
    async with live(tmp_path / "spool") as started:
        yield started


async def test_a_callback_is_an_unsupported_option(running: Live) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        query = {"wait": "0", "callback_url": URL, "webhook_events": "job.progress"}
        audio = await client.post("/utterance", params=query, content=b"RIFF", headers=WAV)
        json = await client.post("/utterance?wait=0", json=speech_json(callback_url=URL))
        document = (await client.get("/openapi.json")).json()
    for refused in (audio, json):
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (400, "unsupported_option")
        assert "callback_url" in error["message"]
    assert running.is_at_rest()
    assert "jobEnded" not in document["paths"]["/utterance"]["post"].get("callbacks", {})
    assert b"webhook" not in generate_latest(running.state.metrics.registry)


def test_the_end_of_a_job_with_a_callback_waits_for_a_server_that_sends_it(tmp_path: Path) -> None:
    now, spec = time.time(), a_spec(callback_url=URL)
    database = SqliteDatabase.open(tmp_path)
    ledger = Ledger(database, "gateway", POISONED)
    ledger.accept(spec, QUOTA, now)
    job = ledger.lease(now)
    assert job is not None
    ledger.finish(claim_of(job), Outcome(JobState.DONE, keep_s=0), now)
    stored = database.read(
        lambda t: t.execute("SELECT subject, url, state, attempts FROM deliveries")
    )

    assert [tuple(row) for row in stored] == [(f"jobs/{spec.uid}", URL, "pending", 0)]
    assert ledger.expire(now + 60) == 0
    assert ledger.find(spec.owner, spec.job_id) is not None
    database.close()


async def test_there_is_nothing_to_send() -> None:
    webhooks = Webhooks()
    webhooks.wake()
    webhooks.report()
    await webhooks.run()
    assert not webhooks.has_work
    assert webhooks.body_of(a_job(spec=a_spec(callback_url=URL))) is None
    assert webhooks.progress_of(a_job(), Callback(URL, events=("job.progress",))) is no_step
    with pytest.raises(UnsupportedOption, match="SOME_URL is not supported"):
        webhooks.check_url(URL, "SOME_URL")
