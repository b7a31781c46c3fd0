"""Clients that are silent, too fast, or gone."""

import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from auricle.config.sections.live import LiveSettings
from auricle.server.live.outbox import MAX_WAITING
from auricle.values.types import Job, Transcript
from tests.resilience.invalid_stream_input.helpers import (
    SECOND,
    OtherClient,
    alone,
    finals_of,
    serving,
)
from tests.support.service import Live, poll_until
from tests.support.stream import SPEECH, call, echo, framed, pcm
from tests.support.tcp_proxy import proxy_to

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[3]


@pytest.mark.wall_clock
async def test_clients_that_send_nothing_are_closed_and_those_that_vanish_are_waited_for(
    other_client: OtherClient, tmp_path: Path
) -> None:
    async with (
        serving(tmp_path, LiveSettings(idle_timeout_s=2.0)) as service,
        proxy_to(service.port) as proxy,
        other_client(service.port),
        call(service.port) as mute,
        call(service.port, format="opus") as started,
        call(proxy.port, format="opus", seq=1) as vanished,
        call(service.port, format="opus", seq=1) as gone,
    ):
        ready = [await who.until("ready") for who in (vanished, gone)]
        for who in (vanished, gone):
            await who.send(framed(SECOND, 0))
            await who.until("progress")
        proxy.freeze()  # an unplugged cable: no packet arrives any more
        gone.connection.transport.abort()
        assert await mute.until_closed() == (1008, "idle_timeout")
        assert await started.until_closed() == (1008, "idle_timeout")
        assert started.of("error")[0]["retryable"] is True
        await poll_until(lambda: service.state.live.connected == 1)  # the other client
        for left in ready:
            async with call(service.port) as again:
                await again.tell("resume", session=left["session"], secret=left["secret"])
                assert (await again.until("ready"))["received"] == 16_000
                assert await finals_of(again) == await alone(service, SECOND)


async def test_a_client_that_stops_reading_is_closed_with_1013_and_loses_no_final(
    service: Live, other_client: OtherClient
) -> None:
    word = pcm(SPEECH[: 16_000 * 6 // 10])
    service.transcriber.answer_with = lambda job: (
        echo(job) if job.options.language == "fr" else long_echo(job)
    )
    async with other_client(service.port):
        async with call(service.port, format="pcm16", max_queue=1, partials=0) as caller:
            ready = await caller.until("ready")
            caller.connection.transport.pause_reading()
            spoken = 0
            with anyio.fail_after(60):
                while service.state.live.connected == 2:
                    await caller.send(word)
                    await caller.tell("finalize")
                    spoken += 1
            caller.connection.transport.resume_reading()
            assert await caller.until_closed() == (1013, "queue_full")
            assert caller.of("final")[-1]["id"] < spoken
        async with call(service.port) as again:
            read = caller.of("final")
            await again.tell(
                "resume",
                session=ready["session"],
                secret=ready["secret"],
                last_result=read[-1]["id"],
            )
            await finals_of(again)
    service.transcriber.answer_with = echo
    ids = [final["id"] for final in read + again.of("final")]
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) > MAX_WAITING  # how many more depends on what the system buffers


def long_echo(job: Job) -> Transcript:
    heard = echo(job)
    return replace(heard, text=heard.text + " x" * 2000)


FLOOD = """
import sys, threading
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from tests.support.stream import PACKETS, SPEECH, framed, pcm, stream_url

def flood(message, number, **query):
    url = stream_url(int(sys.argv[1]), language="de", **query)
    with connect(url, compression=None, ping_interval=None, proxy=None) as connection:
        print("in", flush=True)
        try:
            for _ in range(number):
                connection.send(message)
            threading.Event().wait()
        except ConnectionClosed:
            pass

for *flooded, query in (
    (pcm(SPEECH), 25, {"format": "pcm16"}),
    (framed(PACKETS[:1]), 7500, {"format": "opus"}),
    (b"", 30_000, {"format": "opus"}),
):
    threading.Thread(target=flood, args=flooded, kwargs=query, daemon=True).start()
sys.stdin.read()
"""
"""A program that sends two and a half minutes of audio twice, and many empty messages, as fast as
it can. More would fill the system's buffers, which the server reads to their end: for minutes on a
busy machine."""


@pytest.mark.wall_clock
async def test_a_client_faster_than_real_time_waits_and_no_other_does(
    service: Live, other_client: OtherClient
) -> None:
    gate = service.transcriber.gate = anyio.Event()
    service.transcriber.holds = lambda job: job.options.language == "de"
    command = [sys.executable, "-c", FLOOD, str(service.port)]
    async with await anyio.open_process(command, cwd=ROOT, stderr=None) as flood:
        try:
            async with other_client(service.port):
                await poll_until(lambda: service.state.live.connected == 4)
                await poll_until(lambda: service.transcriber.in_flight > 2)
                async with other_client(service.port):
                    pass
            held = [job for job in service.transcriber.jobs if job.options.language == "de"]
            assert sum(job.pcm.size for job in held) < 2 * 100 * 16_000
        finally:
            flood.kill()
    gate.set()  # a session that waits for finals reads nothing, so it would not see the end
    service.transcriber.gate = None
    await poll_until(lambda: service.state.live.connected == 0, 120)


async def test_connections_that_vanish_leave_nothing_but_a_session_that_waits(
    service: Live, other_client: OtherClient
) -> None:
    waiting = service.state.live.waiting
    async with other_client(service.port):
        for send in (b"", framed(SECOND, 0), framed(SECOND, 0)[:77], b"\xff"):
            async with call(service.port, format="opus", seq=1) as caller:
                await caller.until("ready")
                await caller.send(send)
                caller.connection.transport.abort()
        await poll_until(lambda: service.state.live.connected == 1)
    assert service.state.live.waiting - waiting <= 5
