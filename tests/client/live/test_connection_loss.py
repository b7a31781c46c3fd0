"""Connections that break, servers that restart, and silence."""

import anyio
import numpy as np
import pytest

from auricle.apis.native.wire.stream import Resume
from auricle.client import Connected, Disconnected, LiveClient
from auricle.values.commands import Keepalive, StreamParameters
from auricle.values.events import AudioProgress, Closed, Event, Final, Partial, Wire
from tests.client.live.helpers import (
    IMPATIENT,
    QUICK,
    Listener,
    assert_complete,
    run,
    run_in_parts,
    speech,
)
from tests.support.live_server import LiveServer, live_server
from tests.support.poll import poll_until
from tests.support.tcp_proxy import proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio]


@pytest.mark.parametrize("format", [Wire.OPUS, Wire.PCM16])
async def test_a_connection_that_is_cut_again_and_again_costs_nothing(format: Wire) -> None:
    pcm = speech(8.3)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client = LiveClient(proxy.url, StreamParameters(format=format), rules=QUICK)
        listener = Listener()

        def cut_now_and_then(_: Event) -> bool:
            if proxy.cut_after_bytes is None and proxy.connections < 5:
                proxy.cut_after_bytes = 20_000 if format is Wire.PCM16 else 2500
            return True

        server.before_event = cut_now_and_then
        await run(client, listener, pcm)
    assert_complete(listener, pcm)
    assert proxy.connections > 3
    [session] = server.sessions
    assert session.missing == 0
    assert all(isinstance(opening, Resume) for opening in server.openings[1:])
    if format is Wire.PCM16:
        assert np.array_equal(session.heard()[: pcm.size], pcm)
    assert all(e.resumed for e in listener.events[1:] if isinstance(e, Connected))


async def test_finals_that_come_twice_are_reported_once() -> None:
    pcm = speech(4.0)
    async with live_server() as server, proxy_to(server.port) as proxy:

        def cut_before_marks(event: Event) -> bool:
            if (
                isinstance(event, AudioProgress)
                and event.safe_sample == 32_000
                and proxy.connections == 1
            ):
                proxy.cut()
            return True

        server.before_event = cut_before_marks
        await run(LiveClient(proxy.url, rules=QUICK), listener := Listener(), pcm)
    assert_complete(listener, pcm)
    assert proxy.connections == 2


async def test_a_final_that_was_lost_on_the_way_is_reported_after_the_return() -> None:
    pcm = speech(4.0)
    async with live_server() as server, proxy_to(server.port) as proxy:

        def lose(event: Event) -> bool:
            is_lost = isinstance(event, Final) and event.id == 2 and proxy.connections == 1
            if is_lost:
                proxy.cut()
            return not is_lost

        server.before_event = lose
        await run(LiveClient(proxy.url, rules=QUICK), listener := Listener(), pcm)
    assert_complete(listener, pcm)
    [_, resume] = server.openings
    assert isinstance(resume, Resume)
    assert resume.last_result == 1


@pytest.mark.parametrize("ignores_query", [False, True])
@pytest.mark.parametrize(
    "parameters", [StreamParameters(), StreamParameters(prompt="Of captions.")]
)
async def test_a_server_that_lost_the_session_receives_unsafe_audio_again(
    parameters: StreamParameters, ignores_query: bool
) -> None:
    pcm = speech(6.4)
    async with live_server(ignores_query=ignores_query) as server, proxy_to(server.port) as proxy:
        listener = Listener()

        def forget() -> None:
            server.has_amnesia = True
            proxy.cut()

        client = LiveClient(proxy.url, parameters, rules=QUICK)
        await run_in_parts(client, listener, pcm[:56_000], pcm[56_000:], forget)
    assert_complete(listener, pcm)
    assert listener.of(Connected) == [Connected(False), Connected(False)]
    utterances = [final.utterance for final in listener.finals]
    assert utterances == list(range(1, len(utterances) + 1))
    again = server.sessions[-1]
    # All of it warms up the detector.
    assert (again.start.start_sample, again.start.safe_sample) == (0, 48_000)
    assert again.start.prompt == parameters.prompt


async def test_a_restarted_server_receives_unsafe_audio_again() -> None:
    pcm = speech(6.4)
    listener = Listener()
    async with (
        live_server() as first,
        LiveClient(first.url, rules=QUICK) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.listen, client)
        await client.send(pcm[:56_000])
        await poll_until(lambda: len(listener.finals) == 3)
        await first.stop()
        await poll_until(lambda: bool(listener.of(Disconnected)))
        await client.send(pcm[56_000:])
        client.finish()
        async with live_server(first.port) as second:
            await poll_until(lambda: listener.is_done)
    assert_complete(listener, pcm)
    assert second.sessions[-1].missing == 0


async def test_a_stop_whose_answer_is_lost_is_sent_again() -> None:
    pcm = speech(2.5)
    async with live_server() as server, proxy_to(server.port) as proxy:

        def lose(event: Event) -> bool:
            is_lost = isinstance(event, Closed) and proxy.connections == 1
            if is_lost:
                proxy.cut()
            return not is_lost

        server.before_event = lose
        await run(LiveClient(proxy.url, rules=QUICK), listener := Listener(), pcm)
    assert_complete(listener, pcm)
    assert proxy.connections == 2
    assert isinstance(listener.events[-1], Closed)


@pytest.mark.wall_clock
async def test_a_connection_that_is_dead_is_left_for_another() -> None:
    pcm = speech(6.0)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=IMPATIENT), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await client.send(pcm[:32_000])
            await poll_until(lambda: bool(listener.finals))
            proxy.freeze()
            await client.send(pcm[32_000:])
            client.finish()
            await poll_until(lambda: bool(listener.of(Disconnected)))
            proxy.thaw()
            await poll_until(lambda: listener.is_done)
    assert_complete(listener, pcm)


@pytest.mark.wall_clock
async def test_a_dead_connection_is_noticed_even_without_speech() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=IMPATIENT), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await poll_until(lambda: bool(listener.of(Connected)))
            proxy.freeze()
            await poll_until(lambda: bool(listener.of(Disconnected)))
            proxy.thaw()
            await poll_until(lambda: len(listener.of(Connected)) == 2)
            tasks.cancel_scope.cancel()


@pytest.mark.wall_clock
async def test_a_silent_but_connected_server_is_kept() -> None:
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=IMPATIENT), Listener()
        server.before_event = lambda event: (
            isinstance(event, Connected | Final | Closed)
            or (not isinstance(event, AudioProgress | Partial))
        )
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await client.send(speech(3.9))  # without marks, so the client sends a ping
            await poll_until(lambda: bool(server.sessions) and len(_keepalives(server)) >= 3)
            client.finish()
            await poll_until(lambda: listener.is_done)
    assert not listener.of(Disconnected)
    assert len(server.handshakes) == 1


def _keepalives(server: LiveServer) -> list[object]:
    return [c for c in server.sessions[0].commands if isinstance(c, Keepalive)]
