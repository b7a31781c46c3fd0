"""Callbacks of jobs: a real server, a real receiver, and the sockets between them."""

import itertools
import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from structlog.testing import LogCapture

from auricle.server.webhooks import no_webhooks
from auricle.values.errors import AudioError
from auricle.values.types import ANONYMOUS
from auricle.webhooks import outbox
from auricle.webhooks.request import secret_of_owner, signature
from tests.support import service
from tests.support.decoder import file_of
from tests.support.poll import LIMIT_S
from tests.support.receiver import Receiver
from tests.support.service import Live, keys, live, poll_until, speech_json
from tests.support.webhooks import (
    SECRET,
    client,
    post,
    receiver,
    running,
    sending,
    until_attempted,
    until_sent,
)

__all__ = ["client", "receiver", "running"]

pytestmark = pytest.mark.server


def client_of(service: Live) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=LIMIT_S)


async def test_the_receiver_of_a_job_gets_it_when_it_is_done(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    accepted = await post(client, callback_url=receiver.url())
    assert accepted.status_code == 202
    assert accepted.json()["webhook"] == {
        "state": "waiting",
        "attempts": 0,
        "last_status": None,
        "next_attempt": None,
    }
    job = await until_sent(client, "delivered")
    ((_, headers, body),) = receiver.requests
    event = json.loads(body)

    assert job["webhook"] == {
        "state": "delivered",
        "attempts": 1,
        "last_status": 200,
        "next_attempt": None,
    }
    assert (event["type"], event["event_id"]) == ("job.done", headers["webhook-id"])
    assert event["data"] == {name: value for name, value in job.items() if name != "webhook"}
    assert event["data"]["result"]["text"] == "hello"
    assert "transcript_id" in job
    secret = secret_of_owner(SECRET.encode(), ANONYMOUS)
    timestamp = int(headers["webhook-timestamp"])
    expected = signature(secret, headers["webhook-id"], timestamp, body)
    assert headers["webhook-signature"] == expected
    assert receiver.methods == ["POST"]


async def test_json_has_a_callback_too(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    fields = speech_json(job_id="a1", callback_url=receiver.url())
    accepted = await client.post("/utterance?wait=0", json=fields)
    assert accepted.status_code == 202
    await until_sent(client, "delivered")


async def test_the_end_of_a_job_is_sent_at_once(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = running.state.jobs.webhooks
    monkeypatch.setattr(webhooks._runner, "_poll_s", 3600)  # type: ignore[attr-defined]  # of the part
    await poll_until(lambda: not webhooks.has_work)
    await post(client, "first", callback_url=receiver.url())  # during the last short wait
    await until_sent(client, "delivered", "first")
    await post(client, callback_url=receiver.url())
    await until_sent(client, "delivered")


async def test_the_receiver_of_a_job_that_failed_gets_the_error(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    running.decoder.script = [AudioError("Broken.")]
    await post(client, callback_url=receiver.url())
    await until_sent(client, "delivered")
    event = json.loads(receiver.requests[0][2])

    assert (event["type"], event["data"]["state"]) == ("job.failed", "failed")
    assert event["data"]["error"]["code"] == "bad_audio"


async def test_the_receiver_of_a_job_that_was_cancelled_is_notified(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    running.decoder.script = file_of(20)
    running.transcriber.gate = anyio.Event()
    await post(client, callback_url=receiver.url())
    await poll_until(lambda: running.transcriber.in_flight)
    cancelled = (await client.delete("/jobs/a1")).json()
    assert (cancelled["state"], cancelled["webhook"]["state"]) == ("cancelled", "pending")
    job = await until_sent(client, "delivered")
    assert json.loads(receiver.requests[0][2])["type"] == "job.cancelled"
    await running.until_at_rest()
    assert list(running.state.storage.audio.names(float("inf"))) == []

    again = (await client.delete("/jobs/a1")).json()
    assert again == {name: value for name, value in job.items() if name != "webhook"}
    assert (await client.get("/jobs/a1")).status_code == 404


def retried(service: Live) -> float | None:
    """Return how many attempts have failed."""
    registry = service.state.metrics.registry
    return registry.get_sample_value("auricle_webhook_attempts_total", {"outcome": "retried"})


async def test_a_failed_attempt_is_shown_and_counted(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_RETRY_S", 600.0)
    await post(client, callback_url=receiver.url("/500"))
    body = await until_attempted(client)
    await poll_until(lambda: retried(running) == 1)  # it is counted once it was stored
    metrics = (await client.get("/metrics")).text

    assert (body["state"], body["webhook"]["state"]) == ("done", "pending")
    assert body["webhook"]["last_status"] == 500
    assert body["webhook"]["next_attempt"] > 0
    assert 'auricle_webhook_attempts_total{outcome="retried"} 1.0' in metrics
    assert 'auricle_webhook_attempts_total{outcome="delivered"} 0.0' in metrics


async def test_the_same_id_with_another_callback_is_another_job(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await post(client, callback_url=receiver.url())
    assert (await post(client, callback_url=receiver.url())).status_code == 202
    other = await post(client, callback_url=receiver.url("/204"))
    assert (other.status_code, other.json()["error"]["code"]) == (409, "job_conflict")
    await until_sent(client, "delivered")
    again = await post(client, callback_url=receiver.url())
    assert again.json()["webhook"]["state"] == "delivered"
    assert len(receiver.requests) == 1


async def test_each_key_has_its_own_secret(tmp_path: Path, receiver: Receiver) -> None:
    api_keys = keys("anna:one", "ben:two")
    async with (
        live(tmp_path / "spool", **sending(tmp_path), api_keys=api_keys) as running,
        client_of(running) as client,
    ):
        for key in ("one", "two"):
            client.headers["authorization"] = f"Bearer {key}"
            await post(client, callback_url=receiver.url())
            await until_sent(client, "delivered")
    for name, (_, headers, body) in zip(("anna", "ben"), receiver.requests, strict=True):
        secret = secret_of_owner(SECRET.encode(), name)
        timestamp = int(headers["webhook-timestamp"])
        expected = signature(secret, headers["webhook-id"], timestamp, body)
        assert headers["webhook-signature"] == expected


async def test_a_token_can_not_have_its_key_s_signature_sent_elsewhere(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        live(tmp_path / "spool", **sending(tmp_path), api_keys=keys("anna:one")) as running,
        client_of(running) as client,
    ):
        client.headers["authorization"] = "Bearer one"
        issued = await client.post("/v1/auth/token")
        client.headers["authorization"] = f"Bearer {issued.json()['token']}"
        refused = await post(client, callback_url=receiver.url())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorized")
        assert (await post(client)).status_code == 202
    assert receiver.requests == []


async def test_texts_and_urls_are_not_logged(
    client: httpx2.AsyncClient, receiver: Receiver, logged: LogCapture
) -> None:
    await post(client, callback_url=receiver.url("/200?token=private"))
    await until_sent(client, "delivered")
    await poll_until(lambda: "webhook" in {entry["event"] for entry in logged.entries})
    (line,) = [entry for entry in logged.entries if entry["event"] == "webhook"]
    assert (line["status"], line["state"], line["attempts"]) == (200, "delivered", 1)
    assert "private" not in str(logged.entries)
    assert "hello" not in str(logged.entries)


async def test_a_restarted_server_sends_what_is_left(tmp_path: Path, receiver: Receiver) -> None:
    sends = sending(tmp_path)
    for path in ("/500", "/200"):
        async with (
            live(tmp_path / "spool", **sends) as running,
            client_of(running) as client,
        ):
            if path == "/500":
                receiver.statuses = [500]
                await post(client, callback_url=receiver.url())
                await until_attempted(client)
            else:
                await until_sent(client, "delivered")
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]

    assert len(ids) == 2
    assert len(set(ids)) == 1


# Further events.


def types(receiver: Receiver) -> list[str]:
    return [json.loads(body)["type"] for _, _, body in receiver.requests]


async def test_progress_is_sent_on_request_one_event_at_a_time(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, renewals = running.state.jobs.runner, list[object]()
    renew = runner._ledger.renew

    def renew_and_count(*arguments: Any) -> None:
        renew(*arguments)
        renewals.append(arguments)

    monkeypatch.setattr(runner._ledger, "renew", renew_and_count)
    runner._renew_s = 0.05
    sender = running.state.jobs.webhooks._runner._sender  # type: ignore[attr-defined]  # of the part
    sender._timeout_s = LIMIT_S
    running.decoder.script = file_of(20, 15)
    running.transcriber.gate = anyio.Event()
    await post(client, callback_url=receiver.url("/hang"), webhook_events="job.progress")
    await poll_until(lambda: receiver.requests)
    ((_, headers, body),) = receiver.requests
    renewals.clear()
    await poll_until(lambda: len(renewals) >= 5)
    assert types(receiver) == ["job.progress"]
    running.transcriber.gate.set()
    await poll_until(lambda: len(receiver.requests) > 1)
    event = json.loads(body)

    assert event["event_id"] == headers["webhook-id"]
    assert (event["data"]["job_id"], event["data"]["state"]) == ("a1", "running")
    assert 0 <= event["data"]["progress"] < 1
    assert types(receiver) == ["job.progress", "job.done"]


async def test_each_renewal_after_a_delivery_sends_the_latest_progress(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    running.state.jobs.runner._renew_s = 0.05
    running.decoder.script = file_of(20, 15)
    running.transcriber.gate = anyio.Event()
    accepted = await post(client, callback_url=receiver.url(), webhook_events="job.progress")
    await poll_until(lambda: len(receiver.requests) > 2)
    assert (await client.get("/jobs/a1")).json()["webhook"] == accepted.json()["webhook"]
    running.transcriber.gate.set()
    await until_sent(client, "delivered")
    ids = {headers["webhook-id"] for _, headers, _ in receiver.requests}

    assert len(ids) > 1
    assert types(receiver)[-1] == "job.done"


async def test_a_job_whose_transcript_is_kept_is_reported_on_request(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    fields = speech_json(
        job_id="a1", callback_url=receiver.url(), webhook_events=["transcript.kept"]
    )
    assert (await client.post("/utterance?wait=0", json=fields)).status_code == 202
    await poll_until(lambda: len(receiver.requests) == 2)
    events = {
        event["type"]: event for _, _, body in receiver.requests for event in [json.loads(body)]
    }
    transcript = events["transcript.kept"]["data"]
    listed = (await client.get("/v1/transcripts")).json()["transcripts"]

    assert events.keys() == {"job.done", "transcript.kept"}
    assert transcript["id"] == events["job.done"]["data"]["transcript_id"]
    assert listed == [transcript]


async def test_the_operators_receiver_gets_the_transcripts_of_all_keys_signed(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings: dict[str, Any] = {"keep_transcripts": True, "transcript_webhook_url": receiver.url()}
    api_keys = keys("anna:one", "ben:two")
    async with (
        live(tmp_path / "spool", **sending(tmp_path), api_keys=api_keys, **settings) as running,
        client_of(running) as client,
    ):
        for key in ("one", "two"):
            client.headers["authorization"] = f"Bearer {key}"
            assert (await post(client)).status_code == 202
        await poll_until(lambda: len(receiver.requests) == 2)
    signatures = {headers["webhook-signature"] for _, headers, _ in receiver.requests}
    expected = {
        signature(
            secret_of_owner(SECRET.encode(), name),
            headers["webhook-id"],
            int(headers["webhook-timestamp"]),
            body,
        )
        for _, headers, body in receiver.requests
        for name in ("anna", "ben")
    }
    assert types(receiver) == ["transcript.kept"] * 2
    assert len(signatures) == 2
    assert signatures < expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"webhook_events": "job.started"}, "webhook_events"),
        (
            {"webhook_events": "job.progress", "callback_url": ""},
            "webhook_events needs callback_url",
        ),
    ],
)
async def test_events_that_cannot_be_sent_are_refused(
    client: httpx2.AsyncClient, receiver: Receiver, query: dict[str, str], reason: str
) -> None:
    refused = await post(client, **{"callback_url": receiver.url(), **query})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    assert reason in refused.json()["error"]["message"]


async def test_transcripts_that_are_not_kept_are_not_reported(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        live(tmp_path / "spool", **sending(tmp_path)) as running,
        client_of(running) as client,
    ):
        query = {"callback_url": receiver.url(), "webhook_events": "transcript.kept"}
        refused = await post(client, **query)
    assert refused.status_code == 400
    assert "AURICLE_KEEP_TRANSCRIPTS" in refused.json()["error"]["message"]


# Bad input.


@pytest.mark.parametrize("url", ["ftp://a.example", "/path", "https://u:p@a.example", "x" * 3000])
async def test_an_unusable_callback_is_refused(
    running: Live, client: httpx2.AsyncClient, url: str
) -> None:
    refused = await post(client, callback_url=url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    assert "callback_url" in refused.json()["error"]["message"]
    assert running.is_at_rest()


async def test_a_callback_of_a_request_that_waits_is_refused(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    answer = await post(client, wait="1", callback_url=receiver.url())
    assert answer.status_code == 400
    assert "wait=0" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1"),
        *("127.1", "0x7f000001", "017700000001", "2130706433", "127.0.0.1."),
    ],
)
async def test_a_private_callback_is_refused(tmp_path: Path, host: str) -> None:
    sends = sending(tmp_path, allow_private=False)
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        answer = await post(client, callback_url=f"http://{host}/")
    assert answer.status_code == 400
    assert "private" in answer.json()["error"]["message"]


async def test_a_name_of_a_private_address_is_not_connected_to(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_RETRY_S", 600.0)
    addresses = itertools.repeat([(2, 1, 6, "", ("127.0.0.1", receiver.server_address[1]))])
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: next(addresses))
    sends = sending(tmp_path, allow_private=False)
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        answer = await post(client, callback_url=receiver.url(host="receiver.example"))
        assert answer.status_code == 202
        await poll_until(lambda: retried(running) == 1)
    assert receiver.requests == []


async def test_without_a_secret_callbacks_are_refused(tmp_path: Path) -> None:
    async with (
        live(tmp_path / "spool") as running,
        client_of(running) as client,
    ):
        refused = await post(client, callback_url="https://receiver.example/")
    assert refused.status_code == 400
    assert "AURICLE_WEBHOOK_SECRET" in refused.json()["error"]["message"]


async def test_the_receiver_of_a_job_whose_api_is_gone_gets_an_error(
    tmp_path: Path, receiver: Receiver
) -> None:
    sends = sending(tmp_path)
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        running.state.jobs.runner.drain()
        await post(client, callback_url=receiver.url())
        database = running.state.storage.database
        database.write("removal", lambda t: t.execute("UPDATE jobs SET api = 'gone'"))
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        job = await until_sent(client, "delivered")
    ((_, _, body),) = receiver.requests

    assert job["error"]["code"] == "api_unavailable"
    assert json.loads(body)["error"] == job["error"]


async def until_done(client: httpx2.AsyncClient) -> Any:
    with anyio.fail_after(LIMIT_S):
        while True:
            body = (await client.get("/jobs/a1")).json()
            if body["state"] == "done":
                return body


async def test_a_job_that_ends_on_a_server_without_webhooks_is_reported_by_the_next_one(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sends = sending(tmp_path)
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        running.state.jobs.runner.drain()
        await post(client, callback_url=receiver.url(), webhook_events="job.progress")
    with monkeypatch.context() as patched:
        patched.setattr(service, "webhooks_of_parts", lambda: no_webhooks)
        async with (
            live(tmp_path / "spool", **sends) as running,
            client_of(running) as client,
        ):
            body = await until_done(client)
    assert "webhook" not in body
    assert receiver.requests == []
    async with (
        live(tmp_path / "spool", **sends) as running,
        client_of(running) as client,
    ):
        job = await until_sent(client, "delivered")

    assert types(receiver) == ["job.done"]
    assert job["result"] == body["result"]
