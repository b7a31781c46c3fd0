"""Refused sessions, unreachable servers, and close codes."""

import socket

import anyio
import pytest

from auricle.apis.native.wire.stream import Start
from auricle.client import ClientRules, Connected, Disconnected, Gap, LiveClient
from auricle.values.commands import StreamParameters
from auricle.values.errors import (
    ForbiddenOrigin,
    RemoteProtocolError,
    RequestError,
    SetupError,
    Unauthorized,
    Unreachable,
)
from auricle.values.events import Closed, Failed, Final, Wire
from auricle.values.types import SAMPLE_RATE_HZ
from tests.client.live.helpers import QUICK, Listener, assert_complete, run, speech
from tests.support.live_server import live_server, refusal
from tests.support.poll import LIMIT_S, poll_until
from tests.support.tcp_proxy import proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio]


async def test_a_full_server_is_asked_again_when_it_says() -> None:
    body = '{"error": {"code": "queue_full", "message": "It is full."}}'
    async with live_server() as server:
        server.refusals = [refusal(503, body, Retry_After="0"), refusal(429), refusal(503)]
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(1.5))
    assert len(server.handshakes) == 4
    assert listener.texts


async def test_a_server_that_loads_its_model_is_asked_soon() -> None:
    body = '{"error": {"code": "no_worker_ready", "message": "It is starting."}}'
    rules = ClientRules(first_delay_s=600, max_delay_s=600)
    async with live_server() as server:
        server.refusals = [refusal(503, body, Retry_After="600")]
        async with LiveClient(server.url, rules=rules):
            assert len(server.handshakes) == 2


async def test_a_client_says_how_full_the_server_is_and_when_it_tries_again() -> None:
    body = '{"error": {"code": "server_full", "message": "It holds one."}}'
    async with live_server() as server, anyio.create_task_group() as tasks:
        server.refusals = [refusal(503, body, Retry_After="600")]
        client = LiveClient(server.url, rules=QUICK)
        tasks.start_soon(client.__aenter__)
        await poll_until(lambda: client.problem is not None)
        assert client.problem is not None
        assert (client.problem.reason, client.problem.is_full) == ("It holds one.", True)
        assert client.problem.retry_in_s > 100
        tasks.cancel_scope.cancel()


async def test_a_server_that_stays_full_is_given_up_in_its_own_words() -> None:
    body = '{"error": {"code": "queue_full", "message": "It is full."}}'
    rules = ClientRules(first_delay_s=0.01, patience_s=0.1)
    async with live_server() as server:
        server.refusals = [refusal(503, body)] * 100
        with pytest.raises(Unreachable, match=r"It is full\. \(queue_full\)"):
            await LiveClient(server.url, rules=rules).__aenter__()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unauthorized), (403, ForbiddenOrigin), (400, RequestError), (404, RequestError)],
)
async def test_what_a_server_refuses_is_reported_at_once(
    status: int, error: type[RequestError]
) -> None:
    async with live_server() as server:
        server.refusals = [refusal(status, '{"error": {"code": "x", "message": "No."}}')] * 2
        with pytest.raises(error, match=r"No\. \(x\)"):
            await LiveClient(server.url, rules=QUICK).__aenter__()
    assert len(server.handshakes) == 1


async def test_an_unreachable_address_is_reported_at_once() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # it does not listen
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unreachable, match=url):
            await LiveClient(url, rules=QUICK).__aenter__()


async def test_a_server_that_may_still_be_starting_is_waited_for() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:
        proxy.is_refusing = True
        rules = ClientRules(first_delay_s=0.02, max_delay_s=0.1, first_patience_s=LIMIT_S)
        listener = Listener()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, LiveClient(proxy.url, rules=rules), listener, speech(1.0))
            await poll_until(lambda: proxy.connections >= 3)
            proxy.is_refusing = False
    assert listener.texts


@pytest.mark.wall_clock
async def test_a_server_that_is_gone_for_too_long_is_given_up() -> None:
    rules = ClientRules(first_delay_s=0.02, max_delay_s=0.05, patience_s=0.3)
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=rules), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await poll_until(lambda: bool(listener.of(Connected)))
            await server.stop()
            client.push(speech(1.0))
            await poll_until(lambda: listener.is_done)
            assert isinstance(listener.failure, Unreachable)
            assert listener.of(Gap) == [Gap(0, SAMPLE_RATE_HZ, "unreachable")]
            with pytest.raises(Unreachable):
                await client.send(speech(0.1))
            with pytest.raises(Unreachable):
                client.push(speech(0.1))


@pytest.mark.parametrize(("code", "reason"), [(1008, "taken over"), (1002, "no packet")])
async def test_an_end_that_would_come_again_is_an_error(code: int, reason: str) -> None:
    async with live_server() as server:
        server.close_with = (code, reason)
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(30))
    assert isinstance(listener.failure, RequestError)
    assert reason in str(listener.failure)
    assert len(server.handshakes) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 1013])
async def test_an_end_that_passes_is_none(code: int) -> None:
    pcm = speech(3.0)
    async with live_server() as server:
        server.close_with = (code, "try later")
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), pcm)
    assert_complete(listener, pcm)
    assert len(server.handshakes) == 2


async def test_a_server_says_how_long_it_will_be_away() -> None:
    async with live_server() as server:
        server.says_first = [Failed("draining", "It restarts.", True, 0.3)]
        server.close_with = (1012, "")
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(2.0))
    [lost] = listener.of(Disconnected)
    assert isinstance(lost, Disconnected)
    assert lost.reason == "It restarts. (draining)"
    assert lost.retry_in_s >= 0.3


async def test_what_is_no_message_ends_the_stream() -> None:
    async with live_server() as server:
        server.says_first = [Final(1, 1, "x", 0, 1, None, None, 0, False)]
        server.mangle = lambda text: text.replace("final", "fin").replace("{", "[", 1)
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(30))
    assert isinstance(listener.failure, RemoteProtocolError)


async def test_a_session_that_the_server_ends_is_followed_by_another() -> None:
    pcm = speech(4.0)
    async with live_server() as server:
        server.says_first = [Closed("idle", 0, 0, 0, 0)]
        server.close_with = (1000, "")
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), pcm)
    assert_complete(listener, pcm)
    assert [type(opening) for opening in server.openings] == [Start, Start]
    assert len(listener.of(Closed)) == 1


async def test_speech_after_the_end_is_a_mistake() -> None:
    async with live_server() as server, LiveClient(server.url, rules=QUICK) as client:
        client.finish()
        client.finish()
        with pytest.raises(ValueError, match="after finish"):
            client.push(speech(0.1))


async def test_a_stream_without_speech_ends_as_well() -> None:
    async with live_server() as server:
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(0))
    assert not listener.finals
    assert listener.is_done


async def test_other_formats_are_not_a_clients() -> None:
    with pytest.raises(ValueError, match="webm"):
        LiveClient("http://127.0.0.1:1", StreamParameters(format=Wire.WEBM))


def test_another_event_loop_is_reported() -> None:
    with pytest.raises(SetupError, match="needs asyncio"):
        LiveClient("http://127.0.0.1:1").__aenter__().send(None)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "nowhere", "ftp://h"])
def test_an_invalid_address_is_reported(url: str) -> None:
    with pytest.raises(SetupError, match="Invalid URL"):
        LiveClient(url)
