"""Acknowledge, finalize and configure; buffering of audio."""

import anyio
import pytest

from auricle.client import ClientRules, Connected, Disconnected, Gap, LiveClient
from auricle.values.commands import Configure, Finalize
from auricle.values.events import Event, Final, SwitchFormat, Wire
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.client.live.helpers import QUICK, Listener, assert_complete, run_in_parts, speech
from tests.support.live_server import LiveServer, live_server
from tests.support.poll import poll_until
from tests.support.tcp_proxy import proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio]


async def test_finals_are_acknowledged() -> None:
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=QUICK), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await client.send(speech(3.1))
            await poll_until(lambda: bool(server.sessions) and server.sessions[0].acked == 3)
            tasks.cancel_scope.cancel()


async def test_finalize_brings_a_final_at_that_place() -> None:
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=QUICK), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await client.send(speech(0.4))
            client.finalize()
            client.finalize()
            await client.send(speech(0.4))
            await poll_until(lambda: len(listener.finals) == 1)
            client.finish()
            await poll_until(lambda: listener.is_done)
    assert listener.texts[0] == "0-6400"
    assert len([c for c in server.sessions[0].commands if isinstance(c, Finalize)]) == 1


async def test_finalize_is_sent_again_after_a_cut_until_its_final_is_there() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:

        def lose(event: Event) -> bool:
            is_lost = isinstance(event, Final) and proxy.connections == 1
            if is_lost:
                server.has_amnesia = True
                proxy.cut()
            return not is_lost

        server.before_event = lose
        client, listener = LiveClient(proxy.url, rules=QUICK), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await client.send(speech(0.4))
            client.finalize()
            await poll_until(lambda: len(listener.finals) == 1)
            client.finish()
            await poll_until(lambda: listener.is_done)
    assert listener.texts[0] == "0-6400"


async def test_what_was_configured_holds_for_later_sessions_too() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=QUICK), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await poll_until(lambda: bool(listener.of(Connected)))
            client.configure(Configure(language="fr", prompt="Bonjour"))
            await poll_until(lambda: bool(_configured(server)))
            proxy.cut()
            await poll_until(lambda: len(_configured(server)) == 2)
            server.has_amnesia = True
            proxy.cut()
            await poll_until(lambda: len(listener.of(Connected)) == 3)
            tasks.cancel_scope.cancel()
    assert [c.language for c in _configured(server)] == ["fr", "fr"]
    assert (server.sessions[-1].start.language, server.sessions[-1].start.prompt) == (
        "fr",
        "Bonjour",
    )
    assert not any("Bonjour" in handshake.path for handshake in server.handshakes)


def _configured(server: LiveServer) -> list[Configure]:
    return [c for s in server.sessions for c in s.commands if isinstance(c, Configure)]


async def test_pcm_is_sent_once_the_server_asks_for_it() -> None:
    pcm = speech(5.0)
    async with live_server() as server, proxy_to(server.port) as proxy:
        server.says_first = [SwitchFormat(Wire.PCM16, "bad packets")]
        listener = Listener()

        def forget() -> None:
            server.has_amnesia = True
            proxy.cut()

        client = LiveClient(proxy.url, rules=QUICK)
        await run_in_parts(client, listener, pcm[:56_000], pcm[56_000:], forget)
    assert_complete(listener, pcm)
    [configured] = _configured(server)
    assert (configured.format, configured.sample_rate) == (Wire.PCM16, SAMPLE_RATE_HZ)
    assert server.sessions[0].is_pcm
    assert server.sessions[0].missing == 0
    assert server.sessions[-1].start.format is Wire.PCM16


async def test_senders_wait_while_the_server_is_gone() -> None:
    rules = ClientRules(first_delay_s=0.02, max_delay_s=0.1, max_kept_s=2.0)
    pcm = speech(9.0)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=rules), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            proxy.is_refusing = True
            proxy.cut()
            await poll_until(lambda: bool(listener.of(Disconnected)))
            tasks.start_soon(_send_all, client, pcm)
            await poll_until(lambda: client.waiting_samples == 2 * SAMPLE_RATE_HZ)
            proxy.is_refusing = False
            await poll_until(lambda: listener.is_done)
    assert_complete(listener, pcm)
    assert client.dropped_samples == 0


async def _send_all(client: LiveClient, pcm: Pcm16) -> None:
    await client.send(pcm)
    client.finish()


async def test_a_microphone_does_not_wait_and_what_is_lost_is_reported() -> None:
    rules = ClientRules(first_delay_s=0.02, max_delay_s=0.1, max_kept_s=2.0)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=rules), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await poll_until(lambda: bool(listener.of(Connected)))
            proxy.is_refusing = True
            server.has_amnesia = True
            proxy.cut()
            await poll_until(lambda: bool(listener.of(Disconnected)))
            for _ in range(50):
                client.push(speech(0.1))
            client.finish()
            proxy.is_refusing = False
            await poll_until(lambda: listener.is_done)
    assert client.dropped_samples == 3 * SAMPLE_RATE_HZ
    assert listener.of(Gap) == [Gap(0, 3 * SAMPLE_RATE_HZ, "unreachable")]
    assert listener.texts == ["48000-64000", "64000-80000", "80000-80320"]
