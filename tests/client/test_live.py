"""LiveClient against a scripted server over real sockets, through a proxy in the test."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import numpy as np
import pytest

from auricle.client import ClientRules, Connected, Disconnected, Gap, LiveClient, LiveEvent
from auricle.commands import Configure, Finalize, Keepalive, StreamParameters
from auricle.errors import (
    AuricleError,
    ForbiddenOrigin,
    RemoteProtocolError,
    RequestError,
    SetupError,
    Unauthorized,
    Unreachable,
)
from auricle.events import (
    AudioProgress,
    Closed,
    Event,
    Failed,
    Final,
    Partial,
    SwitchFormat,
    Wire,
)
from auricle.protocol.native.stream import Resume, Start
from auricle.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.live_server import LiveServer, live_server, refusal
from tests.support.opus import tone
from tests.support.poll import poll_until
from tests.support.tcp_proxy import proxy_to

pytestmark = [pytest.mark.process, pytest.mark.anyio]

QUICK = ClientRules(first_delay_s=0.02, max_delay_s=0.2, silence_s=0.5, keepalive_s=0.5)
STEP = 1600


def speech(seconds: float) -> Pcm16:
    return tone(300, int(seconds * SAMPLE_RATE_HZ))


@dataclass
class Listener:
    """Collects all events of a client."""

    events: list[LiveEvent] = field(default_factory=list)
    failure: Exception | None = None
    is_done: bool = False

    async def listen(self, client: LiveClient) -> None:
        try:
            async for event in client:
                self.events.append(event)
        except Exception as exc:
            self.failure = exc
        self.is_done = True

    @property
    def finals(self) -> list[Final]:
        return [event for event in self.events if isinstance(event, Final)]

    @property
    def texts(self) -> list[str]:
        return [final.text for final in self.finals]

    def of(self, kind: type[LiveEvent]) -> list[LiveEvent]:
        return [event for event in self.events if isinstance(event, kind)]


async def run(
    client: LiveClient,
    listener: Listener,
    pcm: Pcm16,
    after_each: Callable[[], object] | None = None,
) -> None:
    """Send the speech in steps and wait for the end."""
    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.listen, client)
        with contextlib.suppress(AuricleError):  # the listener gets the error too
            for at in range(0, pcm.size, STEP):
                await client.send(pcm[at : at + STEP])
                await anyio.sleep(0.001)
                if after_each is not None:
                    after_each()
        client.finish()
        await poll_until(lambda: listener.is_done, "the end of the stream")


def spans(texts: list[str]) -> list[tuple[int, int]]:
    return [(int(start), int(end)) for start, _, end in (text.partition("-") for text in texts)]


def assert_complete(listener: Listener, pcm: Pcm16) -> None:
    """Check that the finals cover all of the speech, each sample once, in order."""
    assert listener.failure is None
    found = spans(listener.texts)
    assert found[0][0] == 0
    for (_, end), (start, _) in zip(found, found[1:], strict=False):
        assert start == end
    assert 0 <= found[-1][1] - pcm.size < 800  # the last frame is padded
    assert [final.id for final in listener.finals] == list(range(1, len(found) + 1))


async def test_speech_goes_up_as_opus_and_finals_come_down() -> None:
    pcm = speech(3.5)
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=QUICK), Listener()
        await run(client, listener, pcm)
    assert_complete(listener, pcm)
    assert listener.texts[:3] == ["0-16000", "16000-32000", "32000-48000"]
    [session] = server.sessions
    assert (session.missing, session.repeated) == (0, 0)
    heard = session.heard()[104:]  # libopus adds 6.5 ms
    loud = np.abs(heard[: pcm.size].astype(float)).mean()
    assert loud == pytest.approx(np.abs(pcm.astype(float)).mean(), rel=0.1)
    [start] = server.openings
    assert isinstance(start, Start)
    assert (start.format, start.seq, start.channels, start.frame_ms) == (Wire.OPUS, True, 1, 20)
    assert isinstance(listener.events[0], Connected)
    assert isinstance(listener.events[-1], Closed)


async def test_parameters_and_the_key_are_given() -> None:
    asked = StreamParameters(language="de", endpoint_ms=300, hotwords=("Opus",), partials=False)
    async with live_server() as server:
        client = LiveClient(server.url, asked, api_key="secret-key", rules=QUICK)
        await run(client, Listener(), speech(0.5))
    [start] = server.openings
    assert isinstance(start, Start)
    assert (start.language, start.endpoint_ms, start.hotwords) == ("de", 300, ("Opus",))
    assert not start.partials
    [handshake] = server.handshakes
    assert handshake.headers["Authorization"] == "Bearer secret-key"
    assert handshake.path == "/v1/stream"


async def test_pcm16_carries_positions() -> None:
    pcm = speech(2.2)
    async with live_server() as server:
        client = LiveClient(server.url, StreamParameters(format=Wire.PCM16), rules=QUICK)
        await run(client, Listener(), pcm)
    [session] = server.sessions
    assert session.is_pcm
    assert np.array_equal(session.heard()[: pcm.size], pcm)


async def test_a_clock_that_starts_later_stays_so() -> None:
    pcm = speech(1.5)
    async with live_server() as server:
        client = LiveClient(server.url, StreamParameters(start_sample=160_016), rules=QUICK)
        await run(client, listener := Listener(), pcm)
    assert listener.finals[0].start_sample == 160_016
    assert server.sessions[0].missing == 0


@pytest.mark.parametrize("format", [Wire.OPUS, Wire.PCM16])
async def test_a_connection_that_is_cut_again_and_again_costs_nothing(format: Wire) -> None:
    pcm = speech(8.3)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client = LiveClient(proxy.url, StreamParameters(format=format), rules=QUICK)
        listener = Listener()

        def cut_now_and_then() -> None:
            if proxy.cut_after_bytes is None:
                proxy.cut_after_bytes = 20_000 if format is Wire.PCM16 else 2500

        await run(client, listener, pcm, cut_now_and_then)
    assert_complete(listener, pcm)
    assert proxy.connections > 3
    [session] = server.sessions
    assert session.missing == 0
    assert all(isinstance(opening, Resume) for opening in server.openings[1:])
    if format is Wire.PCM16:
        assert np.array_equal(session.heard()[: pcm.size], pcm)
    assert all(e.resumed for e in listener.events[1:] if isinstance(e, Connected))


async def test_finals_that_come_twice_are_told_once() -> None:
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


async def test_a_final_that_was_lost_on_the_way_is_told_after_the_return() -> None:
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
@pytest.mark.parametrize("asked", [StreamParameters(), StreamParameters(prompt="Of captions.")])
async def test_a_server_that_forgot_hears_again_what_was_not_safe(
    asked: StreamParameters, ignores_query: bool
) -> None:
    pcm = speech(6.4)
    async with live_server(ignores_query=ignores_query) as server, proxy_to(server.port) as proxy:
        listener = Listener()

        def forget_once() -> None:
            if len(listener.finals) == 3 and proxy.connections == 1:
                server.has_amnesia = True
                proxy.cut()

        await run(LiveClient(proxy.url, asked, rules=QUICK), listener, pcm, forget_once)
    assert_complete(listener, pcm)
    assert listener.of(Connected) == [Connected(False), Connected(False)]
    utterances = [final.utterance for final in listener.finals]
    assert utterances == list(range(1, len(utterances) + 1))
    again = server.sessions[-1]
    # All of it warms up the detector.
    assert (again.start.start_sample, again.start.safe_sample) == (0, 48_000)
    assert again.start.prompt == asked.prompt


async def test_a_server_that_is_started_anew_hears_again_what_was_not_safe() -> None:
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


async def test_a_stop_whose_answer_is_lost_is_said_again() -> None:
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


async def test_a_connection_that_is_dead_is_left_for_another() -> None:
    pcm = speech(6.0)
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=QUICK), Listener()
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


async def test_a_dead_connection_is_noticed_even_if_nothing_is_said() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:
        client, listener = LiveClient(proxy.url, rules=QUICK), Listener()
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.listen, client)
            await poll_until(lambda: bool(listener.of(Connected)))
            proxy.freeze()
            await poll_until(lambda: bool(listener.of(Disconnected)))
            proxy.thaw()
            await poll_until(lambda: len(listener.of(Connected)) == 2)
            tasks.cancel_scope.cancel()


async def test_a_server_that_only_has_nothing_to_say_is_kept() -> None:
    async with live_server() as server:
        client, listener = LiveClient(server.url, rules=QUICK), Listener()
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


async def test_finalize_is_said_again_after_a_cut_until_its_final_is_there() -> None:
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

        def forget_once() -> None:
            if len(listener.finals) == 3 and proxy.connections == 1:
                server.has_amnesia = True
                proxy.cut()

        await run(LiveClient(proxy.url, rules=QUICK), listener, pcm, forget_once)
    assert_complete(listener, pcm)
    [configured] = _configured(server)
    assert (configured.format, configured.sample_rate) == (Wire.PCM16, SAMPLE_RATE_HZ)
    assert server.sessions[0].is_pcm
    assert server.sessions[0].missing == 0
    assert server.sessions[-1].start.format is Wire.PCM16


async def test_those_who_send_wait_while_the_server_is_gone() -> None:
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


async def test_a_microphone_does_not_wait_and_what_is_lost_is_told() -> None:
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


async def test_a_full_server_is_asked_again_when_it_says() -> None:
    body = '{"error": {"code": "queue_full", "message": "It is full."}}'
    async with live_server() as server:
        server.refusals = [refusal(503, body, Retry_After="0"), refusal(429), refusal(503)]
        await run(LiveClient(server.url, rules=QUICK), listener := Listener(), speech(1.5))
    assert len(server.handshakes) == 4
    assert listener.texts


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
async def test_what_a_server_refuses_is_told_at_once(
    status: int, error: type[RequestError]
) -> None:
    async with live_server() as server:
        server.refusals = [refusal(status, '{"error": {"code": "x", "message": "No."}}')] * 2
        with pytest.raises(error, match=r"No\. \(x\)"):
            await LiveClient(server.url, rules=QUICK).__aenter__()
    assert len(server.handshakes) == 1


async def test_nobody_at_the_address_is_told_at_once() -> None:
    async with live_server() as server:
        url = server.url
    with pytest.raises(Unreachable, match=url):
        await LiveClient(url, rules=QUICK).__aenter__()


async def test_a_server_that_may_still_be_starting_is_waited_for() -> None:
    async with live_server() as server, proxy_to(server.port) as proxy:
        proxy.is_refusing = True
        rules = ClientRules(first_delay_s=0.02, max_delay_s=0.1, first_patience_s=30)
        listener = Listener()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, LiveClient(proxy.url, rules=rules), listener, speech(1.0))
            await poll_until(lambda: proxy.connections >= 3)
            proxy.is_refusing = False
    assert listener.texts


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


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "nowhere", "ftp://h"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(SetupError, match="Invalid URL"):
        LiveClient(url)
