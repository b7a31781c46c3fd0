"""A live session and its readers survive the death of the server: each final once, in order."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest

from auricle.client import ClientRules, Disconnected, Final, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS
from tests.support.command import Command, serving
from tests.support.poll import poll_until
from tests.support.postgres import PostgresServer
from tests.support.readers import EventReader, PlaylistReader
from tests.support.stream import call

pytestmark = [pytest.mark.process, pytest.mark.wall_clock, pytest.mark.anyio]

KEY = {"authorization": "Bearer a-secret-of-alice"}
SETTINGS: dict[str, object] = {"api_keys": "alice:a-secret-of-alice,bob:a-secret-of-bob"}
PAUSE = np.zeros(SAMPLE_RATE_HZ, np.int16)
TURN = np.concatenate([CLIPS["pair.wav"].pcm, PAUSE])
"""Two utterances."""
HALF = TURN.size // 3
"""In the middle of the first one."""
STEP = SAMPLE_RATE_HZ // 10
RULES = ClientRules(first_delay_s=0.05, max_delay_s=0.2)


class Speaker:
    """A client that resumes, and the finals that it has got."""

    def __init__(self, url: str, parameters: StreamParameters | None = None) -> None:
        self.client = LiveClient(url, parameters, api_key="a-secret-of-alice", rules=RULES)
        self.texts: list[str] = []
        self.losses = 0
        self.is_over = False

    async def listen(self) -> None:
        async for event in self.client:
            if isinstance(event, Final):
                self.texts.append(event.text)
            elif isinstance(event, Disconnected):
                self.losses += 1
        self.is_over = True

    async def until_received(self, samples: int) -> None:
        await poll_until(lambda: self.client.received_sample >= samples, "received speech")

    async def until_finals(self, finals: int) -> None:
        await poll_until(lambda: len(self.texts) == finals, "the finals")

    def push(self, pcm: Pcm16) -> None:
        for at in range(0, pcm.size, STEP):
            self.client.push(pcm[at : at + STEP])


def resumed(ready: dict[str, Any], **fields: object) -> dict[str, object]:
    """Return the first message of a client that resumes a session."""
    return {"session": ready["session"], "secret": ready["secret"], **fields}


async def shared(url: str, ttl_s: int = 3600) -> tuple[str, str]:
    """Return the URL of the only session, and a token that reads it."""
    async with httpx2.AsyncClient(base_url=url, headers=KEY, timeout=60) as http:
        [session] = (await http.get("/v1/sessions")).json()["sessions"]
        path = f"/v1/sessions/{session['id']}"
        token = (await http.post(f"{path}/token", json={"ttl_s": ttl_s})).json()["token"]
    return f"{url}{path}", token


async def kept_transcript(path: str) -> list[str]:
    """Return the texts of the kept transcript of a session."""
    async with httpx2.AsyncClient(headers=KEY, timeout=60) as http:
        response = await http.get(path.replace("/sessions/", "/transcripts/"))
    return [segment["text"] for segment in response.json()["segments"]]


def end(server: Command, how: signal.Signals) -> None:
    server.process.send_signal(how)
    server.wait()


@contextmanager
def again(folder: Path, url: str, **settings: object) -> Iterator[Command]:
    port = int(url.rsplit(":", 1)[1])
    with serving(folder, port=port, **(SETTINGS | settings)) as (server, _):
        yield server


@pytest.mark.parametrize("hotwords", [(), ("Auricle",)], ids=["", "hotwords"])
@pytest.mark.smoke
async def test_readers_get_each_final_once_over_three_deaths_of_the_server(
    tmp_path: Path, hotwords: tuple[str, ...]
) -> None:
    kept = {"keep_transcripts": True}
    with serving(tmp_path, **SETTINGS, **kept) as (server, url), ExitStack() as stack:
        speaker = Speaker(url, StreamParameters(hotwords=hotwords))
        async with speaker.client, anyio.create_task_group() as tasks:
            tasks.start_soon(speaker.listen)
            speaker.push(TURN)
            await speaker.until_finals(2)
            path, token = await shared(url)
            events, playlist = EventReader(path, token), PlaylistReader(path, token)
            tasks.start_soon(events.run)
            tasks.start_soon(playlist.run)
            await poll_until(lambda: len(events.texts) == 2, "the reader's first finals")
            for number, how in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL), 1):
                speaker.push(TURN[:HALF])
                await speaker.until_received(number * TURN.size + HALF - SAMPLE_RATE_HZ // 2)
                end(server, how)
                speaker.push(TURN[HALF:])
                server = stack.enter_context(again(tmp_path, url, **kept))
                await speaker.until_finals(2 + 2 * number)
            late = EventReader(path, token)
            tasks.start_soon(late.run)
            await poll_until(lambda: len(late.texts) == 8, "all finals for a late reader")
            speaker.client.finish()
            await poll_until(lambda: speaker.is_over, "the end")
            await poll_until(lambda: events.is_over and playlist.is_over and late.is_over, "ends")
        transcript = await kept_transcript(path)
    assert len(speaker.texts) == 8
    assert transcript == speaker.texts
    for reader in (events, late):
        assert reader.texts == speaker.texts
        assert [final["id"] for final in reader.of("final")] == list(range(1, 9))
        assert [final["utterance"] for final in reader.of("final")] == list(range(1, 9))
        assert reader.messages[-1] == {"type": "ended", "reason": "closed"}
        assert set(reader.statuses) == {200}
    presence = [each["type"] for each in events.messages if "speaker_" in each["type"]]
    assert presence[-1] == "speaker_back"
    assert playlist.texts == speaker.texts
    assert playlist.sequences == sorted(playlist.sequences)
    assert (playlist.missed, set(playlist.statuses)) == (0, {200})


def spoken_again() -> dict[str, Any]:
    """Return a query of a client that has got no final and sends everything again."""
    return {"resume": 1, "format": "pcm16", "seq": 1, "start_sample": 0, "safe_sample": 0}


async def test_a_final_that_its_speaker_has_not_got_is_not_shown_twice(tmp_path: Path) -> None:
    said = bytes(8) + TURN.tobytes()
    with serving(tmp_path, **SETTINGS) as (server, url):
        port = int(url.rsplit(":", 1)[1])
        async with call(port, headers=KEY, format="pcm16", seq=1) as speaker:
            ready = await speaker.until("ready")
            path, token = await shared(url)
            await speaker.send(said)
            texts = [(await speaker.until("final"))["text"] for _ in range(2)]
            events, other = EventReader(path, token), EventReader(path, token)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(events.run)
                await poll_until(lambda: len(events.texts) == 2, "the finals")
                tasks.cancel_scope.cancel()
            end(server, signal.SIGKILL)
    with again(tmp_path, url), anyio.fail_after(120):
        async with call(port, headers=KEY, **spoken_again()) as speaker:
            await speaker.tell("resume", **resumed(ready, last_result=0))
            new = await speaker.until("ready")
            assert (new["session"], new["resumed"]) == (ready["session"], False)
            assert new["secret"] != ready["secret"]
            async with anyio.create_task_group() as tasks:
                for reader in (events, other):
                    tasks.start_soon(reader.run)
                await speaker.send(said)
                await speaker.send(TURN.size.to_bytes(8, "little") + TURN.tobytes())
                await speaker.tell("stop")
                await speaker.until("closed")
    again_texts = [final["text"] for final in speaker.of("final")]
    assert again_texts[:2] == texts
    assert len(again_texts) == 4
    for reader in (events, other):
        assert reader.texts == again_texts
        assert [final["id"] for final in reader.of("final")] == [1, 2, 3, 4]


async def test_only_its_own_client_claims_a_session(tmp_path: Path) -> None:
    bob = {"authorization": "Bearer a-secret-of-bob"}
    with serving(tmp_path, **SETTINGS) as (server, url):
        port = int(url.rsplit(":", 1)[1])
        async with call(port, headers=KEY, format="pcm16", seq=1) as speaker:
            ready = await speaker.until("ready")
            path, token = await shared(url)
            _, withdrawn = await shared(url, 3601)
            async with httpx2.AsyncClient(timeout=60) as http:
                query = {"token": withdrawn}
                assert (
                    await http.delete(f"{path}/token", headers=KEY, params=query)
                ).status_code == 204
            end(server, signal.SIGKILL)
    forged = ready | {"secret": ready["secret"][::-1]}
    with again(tmp_path, url):
        for headers, claimed in ((bob, ready), (KEY, forged)):
            async with call(port, headers=headers, **spoken_again()) as stranger:
                await stranger.tell("resume", **resumed(claimed))
                assert (await stranger.until("ready"))["session"] != ready["session"]
        async with httpx2.AsyncClient(timeout=60) as http:
            for query, status in (({"token": token}, 200), ({"token": withdrawn}, 401)):
                captions = f"{path}/captions.vtt"
                answer = await http.get(captions, params=query | {"follow": "false"})
                assert answer.status_code == status
        for _ in range(2):  # the second time, `ready` of the first has not arrived
            async with call(port, headers=KEY, **spoken_again()) as speaker:
                await speaker.tell("resume", **resumed(ready))
                new = await speaker.until("ready")
                assert (new["session"], new["resumed"]) == (ready["session"], False)
        async with call(port, headers=KEY, resume=1) as speaker:
            await speaker.tell("resume", **resumed(new))
            assert (await speaker.until("ready"))["resumed"]


async def test_only_sessions_that_are_read_are_stored_until_they_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(tmp_path, **SETTINGS) as (server, url):
        speaker = Speaker(url)
        async with speaker.client, anyio.create_task_group() as tasks:
            tasks.start_soon(speaker.listen)
            speaker.push(TURN)
            await speaker.until_finals(2)
            assert holders(state, speaker.texts) == 0
            path, token = await shared(url)
            await poll_until(lambda: holders(state, speaker.texts) > 0, "the stored finals")
            speaker.client.finish()
            await poll_until(lambda: speaker.is_over, "the end")
        end(server, signal.SIGTERM)
    assert holders(state, speaker.texts) == 0
    with again(tmp_path, url):
        reader = EventReader(path, token)
        await reader.run()
        assert reader.statuses == [404]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_readers_learn_that_a_session_without_a_log_is_lost(
    tmp_path: Path, postgres: PostgresServer, how: signal.Signals
) -> None:
    shared_database: dict[str, object] = {"database_url": postgres.conninfo}  # with other gateways
    with serving(tmp_path, **SETTINGS, **shared_database) as (server, url):
        port = int(url.rsplit(":", 1)[1])
        async with (
            call(port, headers=KEY, format="pcm16", seq=1) as speaker,
            anyio.create_task_group() as tasks,
        ):
            ready = await speaker.until("ready")
            path, token = await shared(url)
            reader = EventReader(path, token)
            tasks.start_soon(reader.run)
            await poll_until(lambda: reader.statuses == [200], "the reader")
            await anyio.to_thread.run_sync(end, server, how)
            with again(tmp_path, url, **shared_database):
                async with call(port, headers=KEY, **spoken_again()) as other:
                    await other.tell("resume", **resumed(ready))
                    assert (await other.until("ready"))["session"] != ready["session"]
                await poll_until(lambda: reader.is_over, "the end for the reader")
    if how is signal.SIGTERM:
        assert reader.messages[-1] == {"type": "ended", "reason": "draining"}
    else:
        assert reader.statuses == [200, 404]


def holders(folder: Path, texts: list[str]) -> int:
    """Return the number of files that hold any of the texts."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return sum(any(text.encode() in data for text in texts) for data in files)
