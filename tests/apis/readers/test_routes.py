"""Reading live sessions, through the whole application with a speaker on a real socket."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from structlog.testing import LogCapture

from auricle.apis.readers import feed
from auricle.apis.readers.routes import feeds_of
from auricle.config.sections.live import LiveSettings
from auricle.text.formats import registry
from auricle.values.types import SAMPLE_RATE_HZ
from tests.support.service import Live, head, keys, live, poll_until
from tests.support.stream import SPEECH, Caller, call, pcm, silence

pytestmark = pytest.mark.server

ALICE = {"authorization": "Bearer alice-key"}
BOB = {"authorization": "Bearer bob-key"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(
        tmp_path / "live",
        LiveSettings(resume_grace_s=0.5),
        api_keys=keys("alice:alice-key", "bob:bob-key"),
        key_requests=30,
    ) as started:
        yield started


@pytest.fixture
async def http(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        yield client


@pytest.fixture
async def speaker(running: Live) -> AsyncIterator[Caller]:
    async with call(running.port, headers=ALICE, format="pcm16") as caller:
        await caller.until("ready")
        yield caller


def path_of(speaker: Caller, name: str) -> str:
    return f"/v1/sessions/{speaker.received[0]['session']}/{name}"


async def token_of(http: httpx2.AsyncClient, speaker: Caller, ttl_s: int = 60) -> str:
    answer = await http.post(path_of(speaker, "token"), headers=ALICE, json={"ttl_s": ttl_s})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in_s"] == ttl_s
    token: str = answer.json()["token"]
    return token


async def messages(answer: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def test_a_token_is_withdrawn_singly(http: httpx2.AsyncClient, speaker: Caller) -> None:
    one, other = await token_of(http, speaker, 60), await token_of(http, speaker, 61)
    events, token = path_of(speaker, "events"), path_of(speaker, "token")
    with anyio.fail_after(60):
        async with http.stream("GET", events, params={"token": one}) as answer:
            reader = answer.aiter_text()
            await anext(reader)
            for headers, query, status in (
                (BOB, {"token": one}, 404),
                ({"authorization": f"Bearer {one}"}, {"token": one}, 401),
                (ALICE, {"token": one.replace(".", "x")}, 400),
                (ALICE, {"token": f"{one}x"}, 400),
                (ALICE, {}, 400),
                (ALICE, {"token": one}, 204),
                (ALICE, {"token": one}, 204),
            ):
                done = await http.delete(token, headers=headers, params=query)
                assert done.status_code == status
            assert "ended" not in "".join([part async for part in reader])
    captions = path_of(speaker, "captions.vtt?follow=false")
    refused = await http.get(f"{captions}&token={one}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_expired")
    for headers, suffix in ((ALICE, ""), ({}, f"&token={other}")):
        assert (await http.get(captions + suffix, headers=headers)).status_code == 200


async def test_no_withdrawn_token_of_many_is_accepted(
    http: httpx2.AsyncClient, speaker: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_WITHDRAWN", 2)
    tokens = [await token_of(http, speaker, 100 + number) for number in range(4)]
    for token in tokens:
        done = await http.delete(path_of(speaker, "token"), headers=ALICE, params={"token": token})
        assert done.status_code == 204
    captions = path_of(speaker, "captions.vtt?follow=false")
    for token in tokens:
        assert (await http.get(f"{captions}&token={token}")).status_code == 401
    refused = await http.post(path_of(speaker, "token"), headers=ALICE, json={"ttl_s": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
    later = await token_of(http, speaker, 3600)
    assert (await http.get(f"{captions}&token={later}")).status_code == 200


@pytest.mark.parametrize("has_token", [False, True])
async def test_a_reader_gets_what_the_speaker_gets(
    running: Live, http: httpx2.AsyncClient, speaker: Caller, has_token: bool, logged: LogCapture
) -> None:
    headers, query = (ALICE, "")
    if has_token:
        headers, query = {}, f"?token={await token_of(http, speaker)}"
    read: list[dict[str, Any]] = []
    with anyio.fail_after(60):
        async with http.stream(
            "GET", path_of(speaker, "events") + query, headers=headers
        ) as answer:
            reader = messages(answer)
            assert (await anext(reader))["source"] == "native"
            await speaker.caption()
            await speaker.tell("stop")
            await speaker.until_closed()
            read = [message async for message in reader]
    assert read[-1] == {"type": "ended", "reason": "closed"}
    kinds = ("speech_started", "partial", "speech_ended", "final")
    assert read[:-1] == [each for each in speaker.received if each["type"] in kinds]
    assert speaker.received[0]["secret"] not in str(read)
    assert query not in str(logged.entries) or not query


async def test_a_browser_that_reconnects_misses_nothing_and_stops_at_the_end(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    path = path_of(speaker, "events")
    await speaker.caption()
    async with http.stream("GET", path, headers=ALICE) as answer:
        lines = answer.aiter_lines()
        numbers = [line async for line in _until_final(lines)]
    await speaker.caption()
    again = ALICE | {"last-event-id": numbers[-1]}
    async with http.stream("GET", path, headers=again) as answer:
        finals = [each async for each in _finals(answer, 1)]
    assert [each["id"] for each in finals] == [2]
    await speaker.tell("stop")
    await speaker.until_closed()
    whole = await http.get(path, headers=ALICE)
    last = whole.text.rsplit("id: ", 1)[1].partition("\n")[0]
    assert (await http.get(path, headers=ALICE | {"last-event-id": last})).status_code == 204
    for wrong in ("x", "\xb2", "-1", "9" * 99):
        assert (
            await http.get(
                path, headers=httpx2.Headers(ALICE | {"last-event-id": wrong}, "latin-1")
            )
        ).text


async def test_a_program_asks_again_and_again_what_is_new(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    path = path_of(speaker, "events?follow=false")
    await speaker.caption()
    first = await http.get(path, headers=ALICE)
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-store")
    assert [each["id"] async for each in _finals(first, 9)] == [1]
    after = first.text.rsplit("id: ", 1)[1].partition("\n")[0]
    nothing = await http.get(f"{path}&after={after}", headers=ALICE | {"last-event-id": "0"})
    assert [each["type"] async for each in messages(nothing)] == ["session"]
    await speaker.caption()
    second = await http.get(f"{path}&after={after}", headers=ALICE)
    assert [each["id"] async for each in _finals(second, 9)] == [2]
    await speaker.tell("stop")
    await speaker.until_closed()
    last = (await http.get(path, headers=ALICE)).text.rsplit("id: ", 1)[1].partition("\n")[0]
    assert (await http.get(f"{path}&after={last}", headers=ALICE)).status_code == 204
    for wrong in ("-1", "x", "9" * 99):
        refused = await http.get(f"{path}&after={wrong}", headers=ALICE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")


async def _until_final(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    number = ""
    async for line in lines:
        number = line.removeprefix("id: ") if line.startswith("id: ") else number
        if '"type":"final"' in line:
            yield number
            return


async def _finals(answer: httpx2.Response, count: int) -> AsyncIterator[dict[str, Any]]:
    async for message in messages(answer):
        if message["type"] == "final":
            yield message
            count -= 1
        if not count:
            return


async def test_a_stream_ends_when_its_token_does(
    http: httpx2.AsyncClient, speaker: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)  # a busy machine needs longer for the request
    path = path_of(speaker, "events") + f"?token={await token_of(http, speaker, ttl_s=1)}"
    with anyio.fail_after(60):
        answer = await http.get(path)
        assert (answer.status_code, "ended" in answer.text) == (200, False)
        now += 1
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_expired")


async def test_captions_are_webvtt_until_now_or_on_and_on(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    path = path_of(speaker, "captions.vtt")
    await speaker.caption()
    until_now = await http.get(f"{path}?follow=false", headers=ALICE)
    assert until_now.headers["content-type"] == "text/vtt; charset=utf-8"
    assert until_now.text.startswith("WEBVTT\n\n00:00:00.")
    assert until_now.text.count("hello") == 1
    assert (await http.get(f"{path}?follow=false&history=0", headers=ALICE)).text == "WEBVTT\n\n"
    async with http.stream("GET", path, headers=ALICE) as answer:
        texts, begun = answer.aiter_text(), ""
        while "hello" not in begun:
            begun += await anext(texts)
        assert begun == until_now.text
        await speaker.caption()
        await speaker.tell("stop")
        rest = "".join([text async for text in texts])
    assert rest.count(" --> ") == rest.count("hello") > 0


@pytest.mark.parametrize("name", ["captions.vtt", "captions.m3u8"])
async def test_captions_are_refused_by_a_server_without_webvtt(
    http: httpx2.AsyncClient, speaker: Caller, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FORMATS", {})
    refused = await http.get(path_of(speaker, name), headers=ALICE)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "unsupported_option")


async def test_a_player_gets_a_playlist_and_its_segments_with_its_token(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    token = await token_of(http, speaker)
    playlist = path_of(speaker, "captions.m3u8") + f"?token={token}&session=a"
    await speaker.send(pcm(SPEECH[:SAMPLE_RATE_HZ]))
    await speaker.send(silence(7))
    with anyio.fail_after(60):
        answer = await http.get(playlist)  # waits for the first segment
    assert answer.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert answer.headers["cache-control"] == "no-store"
    [segment] = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert segment == f"captions/0.vtt?token={token}&session=a"
    captions = await http.get(path_of(speaker, segment))
    assert captions.headers["cache-control"] == "private, max-age=60"
    assert captions.text.startswith("WEBVTT\nX-TIMESTAMP-MAP=")
    assert "hello" in captions.text
    for wrong in ("captions/9.vtt", "captions/x.vtt", "captions/-1.vtt", "captions/٣.vtt"):
        assert (await http.get(path_of(speaker, wrong), headers=ALICE)).status_code == 404
    await speaker.tell("stop")
    await speaker.until_closed()
    assert "#EXT-X-ENDLIST" in (await http.get(playlist)).text


async def test_a_player_that_leaves_before_the_first_segment_is_not_waited_for(
    running: Live, http: httpx2.AsyncClient, speaker: Caller
) -> None:
    feeds = feeds_of(running.state)
    async with await running.connect() as player:
        await player.send(
            head(path_of(speaker, "captions.m3u8"), "Authorization: Bearer alice-key", method="GET")
        )
        await poll_until(lambda: feeds.readers == 1)  # it is one of those that are limited
    await poll_until(lambda: running.state.lifecycle.requests == 1)  # the speaker's
    assert feeds.readers == 0


async def test_sessions_of_a_key_are_listed_for_the_key(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    listed = (await http.get("/v1/sessions", headers=ALICE)).json()["sessions"]
    assert [(each["id"], each["source"], each["readers"]) for each in listed] == [
        (speaker.received[0]["session"], "native", 0)
    ]
    response = speaker.connection.response
    assert response is not None
    assert listed[0]["request_id"] == response.headers["x-request-id"]
    assert (await http.get("/v1/sessions", headers=BOB)).json() == {"sessions": []}
    token = (await http.post("/v1/auth/token", headers=ALICE)).json()["token"]
    for refused in (token, await token_of(http, speaker)):
        answer = await http.get("/v1/sessions", headers={"authorization": f"Bearer {refused}"})
        assert answer.status_code == 401


@pytest.mark.parametrize("name", ["events", "captions.vtt", "captions.m3u8", "captions/0.vtt"])
async def test_a_session_is_not_read_without_its_key(
    http: httpx2.AsyncClient, speaker: Caller, name: str
) -> None:
    path = path_of(speaker, name)
    assert (await http.get(path)).status_code == 401
    assert (await http.get(path, headers=BOB)).status_code == 404
    assert (await http.get(f"{path}?token=alice-key")).status_code == 401
    unknown = await http.get(path.replace("/v1/sessions/", "/v1/sessions/0"), headers=ALICE)
    assert unknown.json()["error"]["code"] == "not_found"


async def test_a_token_is_issued_for_a_key_and_a_session_of_it(
    http: httpx2.AsyncClient, speaker: Caller
) -> None:
    path = path_of(speaker, "token")
    assert (await http.post(path, headers=ALICE)).json()["expires_in_s"] == 3600
    token = await token_of(http, speaker)
    assert (await http.post(path, headers={"authorization": f"Bearer {token}"})).status_code == 401
    assert (await http.post(path, headers=BOB)).status_code == 404
    for body in (b'{"ttl_s": 0}', b'{"ttl_s": 86401}', b"x", b'{"ttl_s": []}'):
        assert (await http.post(path, headers=ALICE, content=body)).status_code == 400


async def test_readers_with_a_token_do_not_use_up_the_requests_of_the_key(
    running: Live, http: httpx2.AsyncClient, speaker: Caller
) -> None:
    token = await token_of(http, speaker)
    path = path_of(speaker, "captions.vtt") + "?follow=false"
    for _ in range(35):
        assert (await http.get(f"{path}&token={token}")).status_code == 200
    assert (await http.get(path, headers=ALICE)).status_code == 200


async def test_readers_learn_that_the_speaker_is_gone_for_good(
    running: Live, http: httpx2.AsyncClient
) -> None:
    with anyio.fail_after(60):
        async with call(running.port, headers=ALICE, format="pcm16") as speaker:
            await speaker.until("ready")
            stream = http.stream("GET", path_of(speaker, "events"), headers=ALICE)
            answer = await stream.__aenter__()
        read = [message async for message in messages(answer)]
        await stream.__aexit__(None, None, None)
    assert read[-1] == {"type": "ended", "reason": "speaker_left"}


async def test_readers_stay_until_the_last_final_of_a_server_that_stops(
    running: Live, http: httpx2.AsyncClient
) -> None:
    listen: dict[str, Any] = {"encoding": "linear16", "sample_rate": SAMPLE_RATE_HZ}
    with anyio.fail_after(60):
        async with call(running.port, headers=ALICE, path="/v1/listen", **listen) as speaker:
            await poll_until(lambda: running.state.live.connected)
            [session] = (await http.get("/v1/sessions", headers=ALICE)).json()["sessions"]
            path = f"/v1/sessions/{session['id']}/events"
            async with http.stream("GET", path, headers=ALICE) as answer:
                reader = messages(answer)
                await anext(reader)
                await speaker.send(pcm(SPEECH[: 2 * SAMPLE_RATE_HZ]))
                assert (await anext(reader))["type"] == "speech_started"
                running.state.drain()
                read = [message async for message in reader]
    assert [each["text"] for each in read if each["type"] == "final"] == ["hello"]
    assert read[-1] == {"type": "ended", "reason": "draining"}
    await poll_until(lambda: not running.state.lifecycle.requests)
