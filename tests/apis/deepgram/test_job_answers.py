"""Background jobs in Deepgram's format: what callbacks get, and which are refused."""

import hashlib
import json
from pathlib import Path

import anyio
import httpx2
import pytest

from auricle.apis.deepgram.wire.results import speaker_names
from auricle.values.errors import AudioError
from auricle.values.types import Speaker
from auricle.voices.changes import renamed_result
from tests.support.receiver import Receiver
from tests.support.service import WAV, Live, keys, live, poll_until
from tests.support.webhooks import (
    CLIP_BYTES,
    client,
    receiver,
    running,
    sending,
    until_sent,
)

__all__ = ["client", "receiver", "running"]

pytestmark = pytest.mark.server


async def listen(client: httpx2.AsyncClient, **query: str) -> httpx2.Response:
    return await client.post("/v1/listen", params=query, content=CLIP_BYTES, headers=WAV)


async def test_a_callback_gets_the_response(client: httpx2.AsyncClient, receiver: Receiver) -> None:
    accepted = await listen(
        client, callback=receiver.url(), callback_method="put", punctuate="true", tag="a"
    )
    request_id = accepted.json()["request_id"]
    assert (accepted.status_code, accepted.json()) == (200, {"request_id": request_id})
    assert accepted.headers["dg-request-id"] == request_id
    await until_sent(client, "delivered", request_id)
    body = json.loads(receiver.requests[0][2])
    at_once = (await listen(client, punctuate="true", tag="a")).json()

    assert body["results"] == at_once["results"]
    assert body["metadata"]["request_id"] == request_id
    assert body["metadata"]["sha256"] == hashlib.sha256(CLIP_BYTES).hexdigest()
    assert body["metadata"].keys() == at_once["metadata"].keys()
    assert receiver.methods == ["PUT"]


async def test_a_callback_is_refused_before_the_upload_if_the_quota_is_full(
    tmp_path: Path, receiver: Receiver
) -> None:
    sends = sending(tmp_path, key_jobs=1)
    async with live(tmp_path / "spool", **sends) as running:
        running.transcriber.gate = anyio.Event()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            await listen(client, callback=receiver.url())
        head = (
            f"POST /v1/listen?callback={receiver.url()} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: audio/wav\r\nContent-Length: 1000000\r\n\r\n"
        )
        async with await running.connect() as connection:
            await connection.send(head.encode())
            with anyio.fail_after(60):
                refusal = b""
                while b"ledger_full" not in refusal:
                    refusal += await connection.receive()
        running.transcriber.gate.set()
    assert refusal.startswith(b"HTTP/1.1 503")


async def test_a_callback_gets_the_error_of_a_file_that_failed(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    running.decoder.script = [AudioError("Broken.")]
    request_id = (await listen(client, callback=receiver.url())).json()["request_id"]
    await until_sent(client, "delivered", request_id)

    assert json.loads(receiver.requests[0][2]) == {
        "err_code": "BAD_AUDIO",
        "err_msg": "Broken.",
        "request_id": request_id,
        "code": "bad_audio",
    }


async def test_a_callback_gets_an_error_if_the_job_is_cancelled(
    running: Live, client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    running.transcriber.gate = anyio.Event()
    request_id = (await listen(client, callback=receiver.url())).json()["request_id"]
    await poll_until(lambda: running.transcriber.in_flight)
    await client.delete(f"/jobs/{request_id}")
    await until_sent(client, "delivered", request_id)
    error = json.loads(receiver.requests[0][2])

    assert (error["err_code"], error["code"]) == ("CANCELLED", "cancelled")


async def test_an_unknown_callback_method_is_refused(
    client: httpx2.AsyncClient, receiver: Receiver
) -> None:
    answer = await listen(client, callback=receiver.url(), callback_method="delete")
    assert answer.status_code == 400
    assert "callback_method" in answer.json()["err_msg"]


@pytest.mark.parametrize("url", ["ftp://a.example", "/path", "https://u:p@a.example", "x" * 3000])
async def test_an_unusable_callback_is_refused(
    running: Live, client: httpx2.AsyncClient, url: str
) -> None:
    refused = await listen(client, callback=url)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request")
    assert "callback " in refused.json()["err_msg"]
    assert running.is_at_rest()


async def test_a_private_callback_is_refused(tmp_path: Path) -> None:
    async with (
        live(tmp_path / "spool", **sending(tmp_path, allow_private=False)) as running,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
    ):
        refused = await listen(client, callback="http://127.0.0.1/")
    assert refused.status_code == 400
    assert "private" in refused.json()["err_msg"]


async def test_a_token_can_not_have_a_callback(tmp_path: Path, receiver: Receiver) -> None:
    async with (
        live(tmp_path / "spool", **sending(tmp_path), api_keys=keys("anna:one")) as running,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
    ):
        client.headers["authorization"] = "Bearer one"
        issued = await client.post("/v1/auth/token")
        client.headers["authorization"] = f"Bearer {issued.json()['token']}"
        assert (await listen(client, callback=receiver.url())).status_code == 401
    assert receiver.requests == []


async def test_without_a_secret_callbacks_are_refused(tmp_path: Path) -> None:
    async with (
        live(tmp_path / "spool") as running,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client,
    ):
        refused = await listen(client, callback="https://receiver.example/")
    assert refused.status_code == 400
    assert "AURICLE_WEBHOOK_SECRET" in refused.json()["err_msg"]


def test_the_name_of_a_deleted_voice_is_null_in_a_result() -> None:
    result = json.dumps(speaker_names([Speaker(0, "Ann"), Speaker(1, "Bob")])).encode()
    speakers = json.loads(renamed_result(result, "Ann", None))["speakers"]
    assert speakers == [{"speaker": 0, "name": None}, {"speaker": 1, "name": "Bob"}]
