"""One connection of the native dialect: its end, slow readers, many messages."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import LogCapture

from auricle.apis.native.dialect import NativeDialect
from auricle.config.sections.live import LiveSettings
from auricle.protocol.dialect import End
from auricle.server.live import connection as live_connection
from auricle.server.live.connection import MAX_BAD_MESSAGES, LiveConnection
from auricle.server.live.connection_end import close_gracefully, end_of, failed_of
from auricle.server.live.outbox import MAX_EVENTS
from auricle.values.commands import StreamParameters
from auricle.values.errors import AudioError, BadRequest, Draining, Overloaded, RemoteProtocolError
from auricle.values.events import Partial, Wire
from tests.server.live.connection.helpers import Line, connected, final, one_line
from tests.support.live_sessions import sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.web_socket import FakePeer, FakeWebSocket

pytestmark = pytest.mark.server

RESENT = StreamParameters(format=Wire.PCM16, start_sample=16_000)
"""Of a client that resumes on a new server: it may send half a minute at once."""


async def test_stop_ends_with_the_last_final_and_1000(line: Line) -> None:
    line.socket.send(pcm(SPEECH[:16_000]))
    line.socket.tell("stop")
    assert await line.ended() == End("done", 1000)
    assert line.socket.closed == (1000, "done")
    assert [event["type"] for event in line.socket.sent][-1] == "closed"
    assert len(line.socket.of("final")) == 1


async def test_a_client_that_disconnects_gets_no_message_and_its_session_waits(line: Line) -> None:
    line.socket.leave()
    assert await line.ended() == End("client_left", 1000)
    assert line.socket.closed is None
    assert line.find_again() is line.runner
    assert line.runner.detached_at is not None


async def test_one_that_broke_websocket_is_noted_as_such() -> None:
    async with sessions() as fakes:
        for code, how in ((1002, "protocol_error"), (1007, "bad_text"), (1009, "too_large")):
            line = await connected(fakes)
            line.socket.peer.violation_code = code
            line.socket.leave()
            assert await line.ended() == End(how, code)


async def test_a_bug_ends_the_session_and_reveals_nothing(line: Line, logged: LogCapture) -> None:
    line.socket.put({"type": "websocket.receive", "words": "what somebody said"})
    assert (await line.ended()).close_code == 1011
    assert line.socket.closed == (1011, "internal")
    assert line.socket.of("error")[0]["code"] == "internal"
    assert line.find_again() is None
    assert [entry["error"] for entry in logged.entries] == ["KeyError"]
    assert "what somebody said" not in str(logged.entries) + str(line.socket.sent)


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (RemoteProtocolError("why"), 1002, False),
        (BadRequest("why"), 1008, False),
        (AudioError("why"), 1007, False),
        (Overloaded("why", 7), 1013, True),
        (Draining("why", 7), 1012, True),
        (RuntimeError("secret"), 1011, False),
    ],
)
def test_errors_become_close_codes(error: Exception, code: int, retryable: bool) -> None:
    end = end_of(error)
    assert end.close_code == code
    assert end.failed is not None
    assert end.failed.retryable is retryable
    assert ("why" in end.failed.message) is (code != 1011)
    assert "secret" not in end.failed.message


def test_when_to_retry_is_reported_only_where_it_helps() -> None:
    assert failed_of(Overloaded("why", 7)).retry_after_s == 7
    assert failed_of(Overloaded("why", 7), 2.5).retry_after_s == 2.5
    assert failed_of(BadRequest("why")).retry_after_s is None


async def test_another_connection_takes_over(line: Line) -> None:
    second = await connected(line.fakes, line.runner)
    end = await line.ended()
    assert (end.how, end.close_code) == ("taken_over", 1008)
    assert (await second.caption())["id"] == 1
    assert line.socket.of("final") == []
    assert line.runner.detached_at is None


async def test_a_message_that_came_just_before_the_takeover_is_left_out(line: Line) -> None:
    socket = FakeWebSocket()
    second = LiveConnection(await socket.accept(), line.fakes.live, line.runner, NativeDialect())
    line.socket.send(b"half a sample and more that is never completed")
    line.runner.attach(second)  # before the reader of the first has its turn
    assert (await line.ended()).how == "taken_over"
    assert line.runner.session.received_sample == 0


async def test_a_slow_reader_gets_the_newest_partial_and_every_final(line: Line) -> None:
    line.socket.stop_reading()
    line.connection.deliver(final(1))
    await anyio.wait_all_tasks_blocked()  # the first one is on its way
    for number in range(5):
        line.connection.deliver(Partial(2, f"guess {number}", "", 0, 16_000))
    line.connection.deliver(final(2))
    line.connection.deliver(Partial(3, "newest", "", 0, 16_000))
    line.socket.read_on()
    await poll_until(lambda: line.socket.of("partial"))
    assert [event["id"] for event in line.socket.of("final")] == [1, 2]
    assert [event["stable"] for event in line.socket.of("partial")] == ["newest"]
    assert [event["code"] for event in line.socket.of("warning")] == ["slow"]
    line.socket.leave()
    await line.ended()
    assert line.fakes.figure("auricle_live_dropped_partials_total") == 5


async def test_one_that_can_t_even_take_results_is_closed_with_1013_and_cut_off(
    line: Line,
) -> None:
    line.socket.stop_reading()
    for number in range(MAX_EVENTS + 5):  # one is on its way
        line.connection.deliver(final(number))
        await anyio.lowlevel.checkpoint()
    end = await line.ended()
    assert (end.how, end.close_code) == ("queue_full", 1013)
    assert end.failed is not None
    assert end.failed.retry_after_s == 1
    assert line.socket.peer.given_up == (1013, "queue_full")
    assert line.find_again() is line.runner


async def test_a_client_that_reads_gets_what_is_left_before_the_reason(line: Line) -> None:
    line.connection.deliver(final(1))
    line.connection.dismiss(Overloaded("why", 3))
    await line.ended()
    assert [event["type"] for event in line.socket.sent][-2:] == ["final", "error"]
    assert line.socket.closed == (1013, "queue_full")
    assert line.socket.peer.given_up is None


async def test_a_result_that_was_on_its_way_is_not_left_out_of_what_is_left(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.server.live.connection_end.CLOSE_HANDSHAKE_S", 600.0)
    line.socket.stop_reading()
    for number in (1, 2, 3):
        line.connection.deliver(final(number))
    await anyio.wait_all_tasks_blocked()
    line.connection.dismiss(Overloaded("why", 3))
    await anyio.wait_all_tasks_blocked()
    line.socket.read_on()
    await line.ended()
    assert [event["id"] for event in line.socket.of("final")] == [1, 2, 3]


async def test_closing_a_lost_connection_is_no_error() -> None:
    socket = FakeWebSocket()
    websocket = await socket.accept()
    socket.is_gone = True
    for _ in range(2):  # the second time it is known
        await close_gracefully(websocket, NativeDialect(), end_of(BadRequest("why")), [final(1)])
    assert socket.peer.given_up is None


async def test_a_client_with_many_small_messages_lets_others_have_their_turn(line: Line) -> None:
    line.socket.peer.has_more = True
    messages, turns = 2000, 0
    for _ in range(messages):
        line.socket.send(b"\0")
    while line.socket.unread:
        turns += 1
        await anyio.lowlevel.checkpoint()
    assert turns >= messages
    line.socket.peer.has_more = False
    line.socket.send(b"\0" * 2)
    assert await line.caption()


async def test_nothing_is_read_while_the_session_has_enough(line: Line) -> None:
    line = await connected(line.fakes, await line.fakes.open(RESENT))
    line.fakes.transcriber.gate = anyio.Event()
    for _ in range(42):
        line.socket.send(pcm(SPEECH[:32_000]))
        line.socket.tell("finalize")
    await poll_until(lambda: line.fakes.transcriber.in_flight > 25)
    for _ in range(10):
        await anyio.wait_all_tasks_blocked()
    assert line.socket.unread > 5
    assert not line.runner.session.wants_data
    line.fakes.transcriber.gate.set()
    await poll_until(lambda: not line.socket.unread)
    await poll_until(lambda: len(line.socket.of("final")) == 42)


async def test_a_client_that_is_not_read_sees_that_the_server_is_there(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "SIGN_OF_LIFE_S", 0.01)
    line = await connected(line.fakes, await line.fakes.open(RESENT))
    line.fakes.transcriber.gate = anyio.Event()
    for _ in range(42):
        line.socket.send(pcm(SPEECH[:32_000]))
        line.socket.tell("finalize")
    await poll_until(lambda: line.fakes.transcriber.in_flight > 25)
    await poll_until(lambda: not line.runner.session.wants_data)
    before = len(line.socket.of("progress"))
    await poll_until(lambda: len(line.socket.of("progress")) > before + 3)
    assert line.socket.unread > 5


async def test_a_wrong_message_is_answered_and_too_many_end_the_connection(line: Line) -> None:
    for wrong in range(MAX_BAD_MESSAGES - 1):
        line.socket.tell("sing" if wrong % 2 else "start")
    assert await line.caption()
    assert {event["code"] for event in line.socket.of("error")} == {"bad_request"}
    assert len(line.socket.of("error")) == MAX_BAD_MESSAGES - 1
    line.socket.tell("configure", language="klingon")
    assert (await line.ended()).close_code == 1008
    assert line.find_again() is line.runner


class Breathing(FakePeer):
    """Bytes arrive, though no message is complete, until this number of checks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def __getattribute__(self, name: str) -> Any:
        if name == "received_at" and self.looks > 0:
            self.looks -= 1
            return anyio.current_time()
        return super().__getattribute__(name)


async def test_any_byte_is_a_sign_of_life() -> None:
    async with sessions(LiveSettings(idle_timeout_s=0.05)) as fakes:
        peer = Breathing(looks=30)
        line = await connected(fakes, peer=peer)
        end = await line.ended()
        assert (end.how, end.close_code) == ("idle_timeout", 1008)
        assert peer.looks == 0


@pytest.mark.wall_clock
async def test_what_is_not_read_can_t_be_missed() -> None:
    async with one_line(LiveSettings(idle_timeout_s=1)) as line:
        line.fakes.transcriber.gate = anyio.Event()
        line.socket.send(pcm(SPEECH[:16_000]))
        line.socket.tell("stop")
        other = await connected(line.fakes)
        assert (await other.ended()).how == "idle_timeout"  # longer than that
        assert line.end is None
        line.fakes.transcriber.gate.set()
        assert (await line.ended()).how == "done"


@pytest.mark.wall_clock
async def test_one_that_never_reads_the_end_is_not_kept_forever() -> None:
    async with one_line(LiveSettings(idle_timeout_s=0.5)) as line:
        line.socket.stop_reading()
        line.socket.tell("stop")
        end = await line.ended()
        assert end.how == "idle_timeout"
        assert line.runner.session.is_closed


async def test_when_the_server_stops_imminent_finals_are_sent_first(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "DRAIN_S", 600.0)
    line.runner.set_load(0.9)  # no final in advance
    line.fakes.transcriber.gate = anyio.Event()
    line.socket.send(pcm(SPEECH[:16_000]))
    line.socket.tell("finalize")
    await poll_until(lambda: line.runner.session.channels.has_pending_finals)
    line.fakes.live.drain()
    await anyio.wait_all_tasks_blocked()
    line.socket.send(pcm(SPEECH[16_000:]))  # too late: it is sent again to the next server
    await anyio.wait_all_tasks_blocked()
    received = line.runner.session.received_sample
    line.fakes.transcriber.gate.set()
    end = await line.ended()
    assert (end.how, end.close_code) == ("draining", 1012)
    assert [event["type"] for event in line.socket.sent][-1] == "error"
    assert len(line.socket.of("final")) == 1
    assert line.socket.of("error")[0]["retry_after_s"] > 0
    assert received == 16_000
