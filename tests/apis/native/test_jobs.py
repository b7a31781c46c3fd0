import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from anyio import to_thread
from structlog.testing import LogCapture

from auricle.config.sections.ledger import LedgerSettings
from auricle.ledger.databases.database import Transaction
from auricle.ledger.databases.sqlite import FILE_NAME, SqliteDatabase
from auricle.server import storage
from auricle.server.jobs.background_jobs import requests
from auricle.values.errors import AudioError, NoWorkerReady
from auricle.values.types import ANONYMOUS, JobKind
from tests.apis.native.job_requests import CLIP_BYTES, post, until
from tests.support.decoder import file_of
from tests.support.ledger import damage
from tests.support.service import (
    WAV,
    InProcess,
    Live,
    in_process,
    keys,
    live,
    poll_until,
    speech_json,
)
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.server


def test_a_token_does_not_list_the_jobs_of_other_visitors(tmp_path: Path) -> None:
    alice = {"authorization": "Bearer 0123456789abcdef"}
    with in_process(tmp_path, api_keys=keys("alice:0123456789abcdef")) as service:
        client = service.client
        token = client.post("/v1/auth/token", headers=alice).json()["token"]
        visitor = {"authorization": f"Bearer {token}"}
        body = speech_json(job_id="secret-job")
        posted = client.post("/utterance?wait=0", json=body, headers=alice)
        listed = client.get("/jobs", headers=visitor)

        assert posted.status_code == 202
        assert listed.status_code == 401
        assert "secret-job" not in listed.text
        assert client.get("/jobs", headers=alice).json()["jobs"][0]["job_id"] == "secret-job"
        assert client.get("/jobs/secret-job", headers=visitor).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/jobs"), ("GET", "/jobs/a"), ("DELETE", "/jobs/a")]
)
async def test_a_request_does_not_wait_long_for_a_busy_database(
    running: Live,
    client: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    monkeypatch.setattr(storage, "DATABASE_THREAD_WAIT_S", 0.1)
    threads = running.state.storage.database_threads
    for borrower in range(int(threads.total_tokens)):
        threads.acquire_on_behalf_of_nowait(borrower)
    with anyio.fail_after(60):
        response = await client.request(method, path)
    for borrower in range(int(threads.total_tokens)):
        threads.release_on_behalf_of(borrower)

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "ledger_unavailable"


async def test_a_job_is_answered_at_once_and_has_its_result_later(
    running: Live, client: httpx2.AsyncClient
) -> None:
    answer = await post(client, "a1", trace_id="t1")
    assert answer.status_code == 202
    assert answer.headers["location"] == "/jobs/a1"
    assert answer.json() == {
        "job_id": "a1",
        "trace_id": "t1",
        "state": "queued",
        "progress": 0.0,
        "starts_in_s": 0,
        "text": "",
        "result": None,
        "error": None,
    }
    body = await until(client, "a1", "done")
    assert (body["progress"], body["text"]) == (1.0, "hello")
    assert body["result"]["text"] == "hello"
    assert body["result"]["trace_id"] == "t1"
    await running.until_at_rest()
    assert running.transcriber.jobs[0].kind is JobKind.FILE
    assert (await client.get("/jobs/a1")).json() == body  # and it is kept


async def test_json_may_be_a_job_too(running: Live, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/utterance?wait=0", json=speech_json(job_id="j"))
    assert answer.status_code == 202
    assert (await until(client, "j", "done"))["text"] == "hello"
    await running.until_at_rest()


async def test_progress_and_text_so_far_are_reported(
    running: Live, client: httpx2.AsyncClient
) -> None:
    running.decoder.script = file_of(20, 20)
    gates = [anyio.Event(), anyio.Event()]
    transcribe = running.transcriber.transcribe

    async def gated(job: Any) -> Any:
        await gates[int(job.id.rpartition(":")[2])].wait()
        return await transcribe(job)

    running.transcriber.transcribe = gated  # type: ignore[method-assign]  # it waits, that is all
    await post(client, "a1")
    await until(client, "a1", "running")
    gates[0].set()
    await poll_until(lambda: len(running.transcriber.jobs) == 1)
    body = await until(client, "a1", "running", text="hello")
    assert 0.3 < body["progress"] < 0.7
    gates[1].set()
    assert (await until(client, "a1", "done"))["text"] == "hello hello"


async def test_a_job_can_be_cancelled_during_its_upload(
    running: Live, client: httpx2.AsyncClient
) -> None:
    is_cancelled = anyio.Event()

    async def halves() -> AsyncIterator[bytes]:
        yield CLIP_BYTES[:1000]
        await is_cancelled.wait()
        yield CLIP_BYTES[1000:]

    async with anyio.create_task_group() as group:

        async def upload() -> None:
            params = {"wait": "0", "job_id": "a1"}
            answer = await client.post("/utterance", params=params, content=halves(), headers=WAV)
            assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")

        group.start_soon(upload)
        await until(client, "a1", "queued")
        assert (await client.delete("/jobs/a1")).json()["state"] == "cancelled"
        is_cancelled.set()
    await running.until_at_rest()
    assert running.transcriber.jobs == []
    assert (await client.get("/jobs/a1")).status_code == 404


async def test_an_upload_that_breaks_off_leaves_no_job(
    running: Live, client: httpx2.AsyncClient
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield CLIP_BYTES[:1000]
        await until(client, "a1", "queued")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await client.post("/utterance?wait=0&job_id=a1", content=broken(), headers=WAV)
    await running.until_at_rest()
    assert (await client.get("/jobs/a1")).status_code == 404


async def test_a_job_that_fails_says_why(running: Live, client: httpx2.AsyncClient) -> None:
    running.decoder.script = [AudioError("It is broken.")]
    await post(client, "a1")
    body = await until(client, "a1", "failed")
    assert body["error"] == {
        "code": "bad_audio",
        "message": "It is broken.",
        "retryable": False,
        "retry_after_s": None,
    }
    await running.until_at_rest()


async def test_a_bug_in_a_job_is_internal_and_harms_no_other(
    running: Live, client: httpx2.AsyncClient
) -> None:
    running.transcriber.script.append(RuntimeError("what somebody said"))
    await post(client, "a1")
    body = await until(client, "a1", "failed")
    assert body["error"]["code"] == "internal"
    assert "somebody" not in str(body)
    await post(client, "a2")
    await until(client, "a2", "done")
    await running.until_at_rest()


async def test_deleting_a_job_cancels_it(
    running: Live, client: httpx2.AsyncClient, logged: LogCapture
) -> None:
    running.transcriber.gate = anyio.Event()
    await post(client, "a1")
    await poll_until(lambda: running.transcriber.in_flight == 1)
    answer = await client.delete("/jobs/a1")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    await running.until_at_rest()
    assert len(running.transcriber.cancelled) == 1
    assert (await client.get("/jobs/a1")).status_code == 404
    assert list(running.state.storage.audio.names(float("inf"))) == []
    assert [entry["state"] for entry in logged.entries if entry["event"] == "job"] == ["cancelled"]


async def test_a_job_continues_when_its_caller_hangs_up(running: Live) -> None:
    running.transcriber.gate = anyio.Event()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        await post(client, "a1")
    await poll_until(lambda: running.transcriber.in_flight == 1)
    running.transcriber.gate.set()
    await running.until_at_rest()
    assert running.transcriber.cancelled == []


@pytest.mark.parametrize("is_finished", [False, True])
async def test_the_same_submission_is_the_same_job(
    running: Live, client: httpx2.AsyncClient, is_finished: bool
) -> None:
    running.transcriber.gate = anyio.Event()
    await post(client, "a1", trace_id="first")
    if is_finished:
        running.transcriber.gate.set()
        await until(client, "a1", "done")
    again = await post(client, "a1", trace_id="second")
    assert (again.status_code, again.json()["trace_id"]) == (202, "first")
    running.transcriber.gate.set()
    assert (await until(client, "a1", "done"))["text"] == "hello"
    await running.until_at_rest()
    assert len(running.transcriber.jobs) == 1
    assert list(running.state.storage.audio.names(float("inf"))) == []


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize("differs_in", ["audio", "options"])
async def test_an_id_with_other_audio_or_options_is_a_conflict(
    running: Live, client: httpx2.AsyncClient, is_finished: bool, differs_in: str
) -> None:
    running.transcriber.gate = anyio.Event()
    await post(client, "a1")
    if is_finished:
        running.transcriber.gate.set()
        await until(client, "a1", "done")
    if differs_in == "audio":
        again = await client.post("/utterance?wait=0", json=speech_json(job_id="a1"))
    else:
        again = await post(client, "a1", language="de")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "job_conflict")
    running.transcriber.gate.set()
    assert (await until(client, "a1", "done"))["text"] == "hello"
    await running.until_at_rest()
    assert list(running.state.storage.audio.names(float("inf"))) == []


async def test_an_id_is_free_again_once_its_job_is_deleted(
    running: Live, client: httpx2.AsyncClient
) -> None:
    await post(client, "a1")
    await until(client, "a1", "done")
    assert (await client.delete("/jobs/a1")).json()["state"] == "done"
    assert (await post(client, "a1", language="de")).status_code == 202
    await until(client, "a1", "done")
    await running.until_at_rest()


async def test_jobs_wait_while_others_run_and_are_not_refused(tmp_path: Path) -> None:
    async with live(tmp_path / "busy", max_file_jobs=1) as running:
        running.transcriber.gate = anyio.Event()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            ids = [f"job-{number}" for number in range(20)]
            for job_id in ids:
                assert (await post(client, job_id)).status_code == 202
            await until(client, ids[0], "running")
            assert (await client.get(f"/jobs/{ids[-1]}")).json()["state"] == "queued"
            running.transcriber.gate.set()
            for job_id in ids:
                await until(client, job_id, "done")
        await running.until_at_rest()


async def test_the_start_of_a_queued_job_is_estimated(
    running: Live, client: httpx2.AsyncClient
) -> None:
    await post(client, "first")
    assert (await until(client, "first", "done"))["starts_in_s"] is None
    running.transcriber.gate = anyio.Event()
    ids = [f"job-{number}" for number in range(running.state.settings.server.max_file_jobs + 2)]
    for job_id in ids:
        accepted = await post(client, job_id)
    assert accepted.json()["starts_in_s"] >= 0
    assert (await until(client, ids[0], "running"))["starts_in_s"] is None
    assert (await until(client, ids[-1], "queued"))["starts_in_s"] >= 0
    running.transcriber.gate.set()
    await until(client, ids[-1], "done")


async def test_a_slow_search_does_not_delay_the_acceptance_of_a_job(
    running: Live, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "EARLY_CHECK_S", 0.01)
    has_begun, may_end = threading.Event(), threading.Event()

    def search(_: Transaction) -> None:
        has_begun.set()
        may_end.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(to_thread.run_sync, running.state.storage.database.read, search)
        await to_thread.run_sync(has_begun.wait)
        accepted = await post(client, "a1")
        may_end.set()
    assert (accepted.status_code, accepted.json()["starts_in_s"]) == (202, 0)
    await until(client, "a1", "done")


async def test_a_full_quota_refuses_a_job(tmp_path: Path) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state", key_jobs=1)
    async with live(tmp_path / "full", ledger=ledger) as running:
        running.transcriber.gate = anyio.Event()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            await post(client, "a1")
            refused = await post(client, "a2")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_full")
            assert len(list(running.state.storage.audio.names(float("inf")))) == 1
            running.transcriber.gate.set()
            await until(client, "a1", "done")
            assert (await post(client, "a2")).status_code == 202
            await until(client, "a2", "done")


async def test_a_full_quota_refuses_a_job_before_its_upload_unless_the_job_exists(
    tmp_path: Path,
) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state", key_jobs=1)
    async with live(tmp_path / "full", ledger=ledger) as running:
        running.transcriber.gate = anyio.Event()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            await post(client, "a1")
            for query in ("wait=0&job_id=a2", "wait=0"):
                head = (
                    f"POST /utterance?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                    "Content-Type: audio/wav\r\nContent-Length: 1000000\r\n\r\n"
                )
                async with await running.connect() as connection:
                    await connection.send(head.encode())
                    with anyio.fail_after(60):
                        refusal = b""
                        while b"ledger_full" not in refusal:
                            refusal += await connection.receive()
                assert refusal.startswith(b"HTTP/1.1 503")
            assert (await post(client, "a1")).status_code == 202
            running.transcriber.gate.set()
            await until(client, "a1", "done")


async def test_jobs_are_listed_by_state_and_page(running: Live, client: httpx2.AsyncClient) -> None:
    for job_id in ("a1", "a2", "a3"):
        await post(client, job_id)
        await until(client, job_id, "done")
    running.decoder.script = [AudioError("It is broken.")]
    await post(client, "broken")
    await until(client, "broken", "failed")
    first = (await client.get("/jobs?state=done&limit=2")).json()
    assert [(job["job_id"], job["state"]) for job in first["jobs"]] == [
        ("a3", "done"),
        ("a2", "done"),
    ]
    rest = (await client.get(f"/jobs?state=done&limit=2&before={first['next']}")).json()
    assert [job["job_id"] for job in rest["jobs"]] == ["a1"]
    assert rest["next"] is None
    assert (await client.get("/jobs?state=lost")).status_code == 400


async def test_a_stopped_server_continues_its_jobs_when_it_starts_again(
    tmp_path: Path, logged: LogCapture
) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    async with live(tmp_path / "stopping", ledger=ledger) as running:
        running.transcriber.gate = anyio.Event()
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            await post(client, "a1")
        await poll_until(lambda: running.transcriber.in_flight == 1)
    assert len(running.transcriber.cancelled) == 1
    assert list((tmp_path / "stopping").iterdir()) == []
    async with live(tmp_path / "stopping", ledger=ledger) as running:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            assert (await until(client, "a1", "done"))["text"] == "hello"
        await running.until_at_rest()
    ends = [entry for entry in logged.entries if entry["event"] == "job"]
    assert [(entry["job_id"], entry["state"]) for entry in ends] == [
        ("a1", "queued"),
        ("a1", "done"),
    ]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_not_found(service: InProcess, method: str) -> None:
    answer = service.client.request(method, "/jobs/nobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_another_keys_job_is_not_found(tmp_path: Path, method: str) -> None:
    with in_process(tmp_path, api_keys=keys("alice:a", "bob:b")) as service:
        alice, bob = ({"authorization": f"Bearer {key}"} for key in "ab")
        made = service.client.post(
            "/utterance?wait=0&job_id=x", content=CLIP_BYTES, headers=WAV | alice
        )
        assert made.status_code == 202
        assert service.client.request(method, "/jobs/x", headers=bob).status_code == 404
        assert service.client.request(method, "/jobs/x").status_code == 401
        assert service.client.request(method, "/jobs/x", headers=alice).status_code == 200


async def test_the_same_id_of_two_keys_is_two_jobs(tmp_path: Path) -> None:
    async with live(tmp_path / "keys", api_keys=keys("alice:a", "bob:b")) as running:
        url = f"http://127.0.0.1:{running.port}"
        alice, bob = (
            httpx2.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"})
            for key in "ab"
        )
        async with alice, bob:
            assert (await post(alice, "x", trace_id="of-alice")).status_code == 202
            assert (await post(bob, "x", trace_id="of-bob", language="de")).status_code == 202
            await until(bob, "x", "done")
            assert (await bob.delete("/jobs/x")).json()["trace_id"] == "of-bob"
            assert (await until(alice, "x", "done"))["trace_id"] == "of-alice"
            assert len((await alice.get("/jobs")).json()["jobs"]) == 1


def test_ids_of_ten_kilobytes_are_refused(service: InProcess) -> None:
    job_id = "x" * 10_000
    refused = service.client.post(
        f"/utterance?wait=0&job_id={job_id}", content=CLIP_BYTES, headers=WAV
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    refused = service.client.post("/utterance?wait=0", json=speech_json(job_id=job_id))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/events"):
        assert service.client.get(path).status_code == 404
    assert service.client.delete(f"/jobs/{job_id}").status_code == 404
    assert service.client.get("/jobs").json() == {"jobs": [], "next": None}


def test_a_page_of_another_site_cannot_delete_a_job(service: InProcess) -> None:
    answer = service.client.delete("/jobs/x", headers={"origin": "https://evil.example"})
    assert answer.status_code == 403


async def test_a_job_is_accepted_while_no_worker_is_ready(
    running: Live, client: httpx2.AsyncClient
) -> None:
    running.transcriber.refuse = NoWorkerReady("none", 1)
    assert (await post(client, "a1")).status_code == 202
    assert (await until(client, "a1", "done"))["text"] == "hello"
    await running.until_at_rest()


def add_done_jobs(directory: Path, count: int) -> None:
    SqliteDatabase.open(directory).close()
    with closing(sqlite3.connect(directory / FILE_NAME)) as file:
        file.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
            "WHERE n < ?) INSERT INTO jobs (owner, job_id, uid, trace_id, digest, request, audio, "
            "audio_bytes, accepted_at, ready_at, state, fence, lease_until, losses, has_audio, "
            "progress, text) SELECT ?, n, n, n, n, x'', n, 1000, 0, 0, 'done', 0, 0, 0, 0, 1, '' "
            "FROM numbers",
            (count, ANONYMOUS),
        )
        file.commit()


async def test_a_damaged_database_refuses_jobs_while_speech_is_transcribed(
    tmp_path: Path, logged: LogCapture
) -> None:
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    add_done_jobs(ledger.directory, 1000)
    async with live(tmp_path / "damaged", ledger=ledger) as running:
        damage(ledger.directory / FILE_NAME)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
            refused = await client.get("/jobs?limit=1000")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_failed")
            assert refused.json()["error"]["retryable"]
            assert str(tmp_path) not in refused.text
            health = (await client.get("/health")).json()
            assert (health["status"], health["database"]) == ("degraded", {"working": False})
            assert "auricle_database_failing 1.0" in (await client.get("/metrics")).text
            assert (await client.get("/readyz")).status_code == 200
            answer = await client.post("/utterance", json=speech_json())
            assert answer.json()["text"] == "hello"
        async with call(running.port, format="pcm16") as caller:
            await caller.send(pcm(SPEECH))
            await caller.tell("finalize")
            await caller.until("final")
    failures = [entry for entry in logged.entries if entry["event"] == "database_failing"]
    assert [(entry["log_level"], entry["code"]) for entry in failures] == [
        ("error", "ledger_failed")
    ]
