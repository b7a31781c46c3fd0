"""``AsyncClient`` with a real server: what differs from ``Client`` is how it waits."""

from collections.abc import AsyncIterator

import anyio
import pytest

from auricle import AsyncClient
from auricle.client import Closed
from auricle.client.api import calls
from auricle.values.errors import DeadlineExceeded, NotFound, Unreachable
from tests.client.api.conftest import KEY
from tests.support.clips import TESTDATA
from tests.support.job_server import ACCEPTED, DONE, FORGOTTEN, FULL, LOST, RUNNING, ScriptedServer
from tests.support.poll import LIMIT_S, poll_until

pytestmark = [pytest.mark.process, pytest.mark.anyio]

CLIP = TESTDATA / "fellow.wav"
LONG = b"x" * 1_000_001


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url, api_key=KEY) as client:
        yield client


async def test_recordings_are_transcribed_concurrently(client: AsyncClient) -> None:
    texts: list[str] = []

    async def transcribe() -> None:
        texts.append((await client.transcribe(CLIP, language="en")).text)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(transcribe)
    assert len(texts) == 4
    assert len(set(texts)) == 1


async def test_a_job_is_created_awaited_listed_and_deleted(client: AsyncClient) -> None:
    job = await client.jobs.create(CLIP)
    transcript = await client.jobs.wait(job.id)
    assert transcript.text
    assert (await client.jobs.get(job.id)).transcript == transcript
    assert [event.state async for event in client.jobs.events(job.id)] == ["done"]
    assert [each.id async for each in client.jobs.list()] == [job.id]
    await client.jobs.delete(job.id)
    with pytest.raises(NotFound):
        await client.jobs.get(job.id)


async def test_a_wait_ends_at_its_timeout(client: AsyncClient) -> None:
    job = await client.jobs.create(CLIP, initial_prompt="scripted:sleep:30")
    with pytest.raises(DeadlineExceeded):
        await client.jobs.wait(job.id, timeout_s=0.05)
    await client.jobs.delete(job.id)


async def test_kept_transcripts_are_listed_searched_changed_and_deleted(
    client: AsyncClient,
) -> None:
    transcripts = client.transcripts
    assert "async" in [each.id async for each in transcripts.list(source="native")]
    [match] = [match async for match in transcripts.search("READ nobody", language="fr")]
    assert match.transcript.id == "async"
    assert await transcripts.export("async") == (
        "Speaker 1: The report is late.\nSpeaker 2: Nobody read it.\nSpeaker 3: I did.\n"
    )
    assert (await transcripts.rename_speaker("async", 0, "Ann")).speakers[0].name == "Ann"
    assert len((await transcripts.merge_speakers("async", 2, into=1)).speakers) == 2
    assert (await transcripts.get("async")).segments[2].speaker == 1
    job = await client.jobs.create(CLIP)
    await client.jobs.wait(job.id)
    await client.jobs.delete(job.id)  # its transcript stays
    [kept] = [each async for each in transcripts.list(source="job", limit=1)]
    await transcripts.delete(kept.id)
    with pytest.raises(NotFound):
        await transcripts.get(kept.id)


async def test_a_live_session_is_shared_and_a_token_created(client: AsyncClient) -> None:
    assert (await client.create_token(30)).expires_in_s == 30
    async with client.live(language="en") as stream:
        events = aiter(stream)
        await anext(events)
        [session] = await client.sessions.list()
        assert (await client.sessions.create_reader_token(session.id)).expires_in_s == 3600
        stream.finish()
        assert [type(event) async for event in events] == [Closed]


async def test_a_large_recording_is_a_job_that_is_deleted_when_it_was_read(
    server: ScriptedServer,
) -> None:
    server.uploads = [FULL, ACCEPTED]
    server.jobs = [FORGOTTEN, RUNNING, DONE]
    seen: list[float] = []
    async with AsyncClient(server.url) as client:
        transcript = await client.transcribe(
            LONG, on_progress=lambda job: seen.append(job.progress)
        )
    assert transcript.text == "Good morning."
    assert seen == [0.5, 1.0]
    assert server.received == [LONG, LONG, LONG]
    assert server.requests[-1].startswith("DELETE /jobs/")


async def test_an_upload_is_repeated_even_if_it_is_the_first_request(
    server: ScriptedServer,
) -> None:
    empty = (400, {"error": {"code": "empty_audio", "message": "It is empty."}})
    server.uploads = [LOST, empty, ACCEPTED]
    async with AsyncClient(server.url) as client:
        assert (await client.transcribe(LONG)).text == "Good morning."
    assert server.received == [LONG, b"", LONG]


async def test_a_recording_is_sent_once_to_a_path_that_does_not_exist(
    server: ScriptedServer,
) -> None:
    server.uploads = [FORGOTTEN]
    async with AsyncClient(server.url) as client:
        with pytest.raises(NotFound):
            await client.transcribe(LONG)
    assert len(server.received) == 1


async def test_a_job_of_a_server_that_is_away_is_waited_for(server: ScriptedServer) -> None:
    server.jobs = [LOST, DONE]
    async with AsyncClient(server.url) as client:
        assert (await client.jobs.wait("a")).text == "Good morning."
    server.jobs = [LOST, (200, b'data: {"job_id": "a", "state": "cancelled", "progress": 0}\n\n')]
    async with AsyncClient(server.url) as client:
        assert [job.state async for job in client.jobs.events("a")] == ["cancelled"]
    server.jobs = [LOST]
    async with AsyncClient(server.url) as client:
        with pytest.raises(Unreachable):
            await client.jobs.wait("a", timeout_s=0.05)


async def test_cancelling_a_transcription_cancels_its_job(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "CLEANUP_LIMIT_S", LIMIT_S)
    server.jobs = [RUNNING]
    async with AsyncClient(server.url) as client, anyio.create_task_group() as group:
        group.start_soon(client.transcribe, LONG)
        await poll_until(lambda: any(line.startswith("GET /jobs/") for line in server.requests))
        group.cancel_scope.cancel()
    assert any(line.startswith("DELETE /jobs/") for line in server.requests)


async def test_a_server_that_never_answered_is_not_waited_for() -> None:
    async with AsyncClient("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable, match="refused"):
            await client.transcribe(CLIP)
