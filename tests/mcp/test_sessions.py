"""An agent reads a live session while it grows."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest

from auricle.mcp import waiting
from auricle.mcp.route import MAX_AT_ONCE
from auricle.mcp.segments import MAX_PAGE_CHARACTERS, MAX_PAGE_SEGMENTS
from auricle.mcp.sessions import MAX_UNFINISHED_CHARACTERS, page_of_events
from auricle.values.optional_workers import OptionalWorkers
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.mcp.agents import ANNA, BEN, error_of, over_http, result_of
from tests.support.embedder import TwoVoices
from tests.support.service import Live, keys, live, poll_until
from tests.support.session import silence, spoken
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    own = keys(f"anna:{ANNA}", f"ben:{BEN}")
    async with live(tmp_path / "spool", **kept_in(tmp_path), api_keys=own, mcp=True) as started:
        yield started


async def test_a_live_session_is_read_as_it_grows(running: Live) -> None:
    url = f"http://127.0.0.1:{running.port}"
    headers = {"authorization": f"Bearer {ANNA}"}
    async with (
        over_http(url) as client,
        call(running.port, headers=headers, format="pcm16") as speaker,
    ):
        ready = await speaker.until("ready")
        [listed] = (await result_of(client, "list_live_sessions"))["sessions"]
        assert listed["session_id"] == ready["session"]
        assert listed["source"] == "native"

        async def read(cursor: int, wait_s: int = 0) -> dict[str, Any]:
            return await result_of(
                client,
                "read_live_session",
                session_id=ready["session"],
                cursor=cursor,
                wait_s=wait_s,
            )

        empty = await read(0)
        assert (empty["segments"], empty["has_ended"]) == ([], False)
        await speaker.caption()
        first = await read(0, wait_s=45)
        assert [each["text"] for each in first["segments"]] == ["hello"]
        assert (await read(first["next"]))["segments"] == []
        await speaker.caption()
        second = await read(first["next"], wait_s=45)
        assert len(second["segments"]) == 1
        assert len((await read(0))["segments"]) == 2
        async with over_http(url, BEN) as other:
            assert not (await result_of(other, "list_live_sessions"))["sessions"]
            refused = await error_of(other, "read_live_session", session_id=ready["session"])
            assert refused.endswith("(not_found)")
        await speaker.tell("stop")
        await speaker.until_closed()
        last = await read(second["next"], wait_s=45)
        assert last["has_ended"]
        again = await read(last["next"], wait_s=45)
        assert (again["has_ended"], again["segments"]) == (True, [])
        kept = await result_of(client, "read_transcript", transcript_id=ready["session"])
        spoken = first["segments"] + second["segments"] + last["segments"]
        assert [each["text"] for each in kept["segments"]] == [each["text"] for each in spoken]


async def test_a_key_has_a_limited_number_of_tools_that_wait(running: Live) -> None:
    url = f"http://127.0.0.1:{running.port}"
    headers = {"accept": "application/json", "authorization": f"Bearer {ANNA}"}
    async with (
        call(running.port, headers=headers, format="pcm16") as speaker,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as http,
        anyio.create_task_group() as tasks,
    ):
        session = (await speaker.until("ready"))["session"]
        arguments = {"session_id": session, "wait_s": 45}
        params = {"name": "read_live_session", "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        statuses: list[int] = []

        async def post() -> None:
            statuses.append((await http.post("/mcp", json=message)).status_code)

        for _ in range(MAX_AT_ONCE + 3):
            tasks.start_soon(post)
        await poll_until(lambda: statuses == [503] * 3)
        other = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        refused = await http.post("/mcp", json=other)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
        assert refused.headers["retry-after"] == "2"
        of_ben = {"authorization": f"Bearer {BEN}"}
        assert (await http.post("/mcp", json=other, headers=of_ben)).status_code == 200
        await speaker.caption()
        await poll_until(lambda: statuses == [503] * 3 + [200] * MAX_AT_ONCE)
        assert (await http.post("/mcp", json=other)).status_code == 200


async def test_a_tool_that_waits_does_not_delay_the_end_of_the_server(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(waiting, "anyio", SimpleNamespace(sleep=sleep))
    url = f"http://127.0.0.1:{running.port}"
    headers = {"authorization": f"Bearer {ANNA}"}
    async with (
        over_http(url) as client,
        call(running.port, headers=headers, format="pcm16") as speaker,
    ):
        session = (await speaker.until("ready"))["session"]
        running.state.lifecycle.drain()
        read = await result_of(client, "read_live_session", session_id=session, wait_s=45)
        assert read["segments"] == []


@pytest.mark.wall_clock
async def test_the_speakers_of_a_session_are_in_its_segments(tmp_path: Path) -> None:
    loud = np.concatenate([SPEECH[: 3 * 16_000], silence(0.7)])
    workers = OptionalWorkers(speakers=LocalSpeakers(TwoVoices()))
    async with (
        live(tmp_path, workers=workers, api_keys=keys(f"anna:{ANNA}"), mcp=True) as service,
        over_http(f"http://127.0.0.1:{service.port}") as client,
        call(
            service.port,
            headers={"authorization": f"Bearer {ANNA}"},
            format="pcm16",
            speakers=1,
            language="en",
        ) as speaker,
    ):
        service.transcriber.answer_with = lambda job: spoken("And so my fellow.", job)
        session = (await speaker.until("ready"))["session"]
        await speaker.send(pcm(np.concatenate([loud, (loud / 6).astype(np.int16)])))
        for _ in range(2):
            await speaker.until("final")
        read = await result_of(client, "read_live_session", session_id=session)
    assert [each["speaker"] for each in read["segments"]] == ["Speaker 1", "Speaker 2"]
    assert [each["text"] for each in read["segments"]] == ["And so my fellow."] * 2


def sent(*events: dict[str, Any]) -> str:
    """Return events as the server sends them, numbered from 1."""
    blocks = (f"id: {n}\ndata: {json.dumps(event)}\n\n" for n, event in enumerate(events, 1))
    return "".join(blocks)


def part(text: str, speaker: int | None) -> dict[str, Any]:
    return {"start": 1.0, "end": 2.0, "text": text, "speaker": speaker}


def final(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "final", "text": text, "start_s": 1.0, "end_s": 2.0, **fields}


def revision(*finals: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    found = [{"id": 1, "speaker": 0, "segments": parts, **fields} for parts in finals]
    return {"type": "speaker_revision", "finals": found}


def test_known_speakers_have_their_names() -> None:
    names = {"speakers": [{"speaker": 1, "name": "Ann"}]}
    parts = [part("Shall we?", 0), part("Yes.", 1), part("Hm.", None)]
    read = page_of_events(
        sent(final("Shall we? Yes. Hm.", speaker=0, segments=parts, **names))
        + sent(revision(parts[:2], **names), revision([])),
        0,
    )
    assert [each.get("speaker") for each in read["segments"]] == ["Speaker 1", "Ann", None]
    assert [each["speaker"] for each in read["other_speakers"]] == ["Speaker 1", "Ann"]


def test_pages_are_limited_and_have_all_segments() -> None:
    texts = [f"{n} " + "x" * 6000 for n in range(20)] + [f"{n}" for n in range(700)]
    events = [
        event
        for text in texts
        for event in (
            {"type": "partial", "stable": "y" * 9000, "unstable": ""},
            final(text),
            revision([part(text, 1)]),
        )
    ]
    segments, speakers, cursor = [], [], 0
    while cursor < len(events):
        numbers = (f"id: {n}\n" for n in range(cursor + 1, len(events) + 1))
        data = (f"data: {json.dumps(event)}\n\n" for event in events[cursor:])
        page = page_of_events("".join(map(str.__add__, numbers, data)), cursor)
        both = page["segments"] + page["other_speakers"]
        assert len(both) <= MAX_PAGE_SEGMENTS
        assert sum(len(each["text"]) for each in both) <= MAX_PAGE_CHARACTERS
        assert len(page["unfinished"]) <= MAX_UNFINISHED_CHARACTERS
        assert page["next"] > cursor
        segments += page["segments"]
        speakers += page["other_speakers"]
        cursor = page["next"]
    assert [each["text"] for each in segments] == texts
    assert [each["text"] for each in speakers] == texts


def test_a_revision_that_is_too_large_for_a_page_has_its_newest_segments() -> None:
    finals = [[part(f"{n} " + "x" * 150, 1)] for n in range(200)]
    page = page_of_events(sent(final("Hello."), revision(*finals)), 0)
    assert (page["next"], page["other_speakers"]) == (1, [])
    page = page_of_events(sent(revision(*finals)), 0)
    numbers = [int(each["text"].split()[0]) for each in page["other_speakers"]]
    assert numbers == list(range(200 - len(numbers), 200))
    assert sum(len(each["text"]) for each in page["other_speakers"]) <= MAX_PAGE_CHARACTERS
    assert page["next"] == 1
