"""A connection of another dialect: its own messages, end and patience."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from auricle.protocol.dialect import ClosingMessages, Companded, End, Law, Reply, Step
from auricle.server.live.connection import MAX_BAD_MESSAGES, LiveConnection
from auricle.values.commands import Flush, StreamParameters
from auricle.values.errors import BadRequest, Overloaded
from auricle.values.events import SessionEvent, Wire
from tests.server.live.connection.helpers import PLAIN, Line
from tests.support.live_sessions import sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.web_socket import FakeWebSocket

pytestmark = pytest.mark.server


class Toy:
    """A small dialect, which records the events it encodes."""

    is_resumable = False
    idle_timeout_s: float | None = None

    def __init__(self) -> None:
        self.slices = 0
        self.told: list[SessionEvent] = []

    def receive_text(self, text: str) -> Iterator[Step]:
        command = json.loads(text)
        match command["type"]:
            case "flush":
                yield Flush()
            case "say":
                yield Reply((json.dumps(command), json.dumps(command)))
            case "slices":
                for _ in range(command["number"]):
                    self.slices += 1
                    yield pcm(SPEECH[:16_000])
            case "half":
                yield Reply((json.dumps({"type": "first"}),))
                raise BadRequest("The second half makes no sense.")
            case "telephone":
                yield Companded(bytes(8_000), Law.MU)

    def receive_bytes(self, data: bytes) -> tuple[Step, ...]:
        return (data,)

    def encode(self, event: SessionEvent) -> tuple[str, ...]:
        self.told.append(event)
        return tuple(json.dumps({"type": type(event).__name__}) for _ in range(2))

    def closing_messages(self, end: End) -> ClosingMessages:
        last = () if end.failed is None else (json.dumps({"type": end.failed.code}),)
        return ClosingMessages(last, 4000, "toy")


@asynccontextmanager
async def toy_line(toy: Toy | None = None, **changes: Any) -> AsyncIterator[Line]:
    async with sessions() as fakes:
        runner = await fakes.open(StreamParameters(format=Wire.PCM16, **changes))
        socket = FakeWebSocket()
        connection = LiveConnection(await socket.accept(), fakes.live, runner, toy or Toy())
        line = Line(fakes, runner, socket, connection)
        fakes.group.start_soon(line.serve)
        await poll_until(lambda: bool(socket.of("Ready")))
        yield line


async def test_a_dialect_reports_events_and_replies_in_its_own_words() -> None:
    async with toy_line() as line:
        line.socket.send(pcm(SPEECH[:16_000]))
        line.socket.tell("flush")
        await poll_until(lambda: bool(line.socket.of("Finalized")))
        line.socket.tell("say", word="yes")
        await poll_until(lambda: len(line.socket.of("say")) == 2)
        kinds = [event["type"] for event in line.socket.sent]
        assert kinds.count("Final") == kinds.count("Flushed") == 2
        assert kinds.index("Flushed") < kinds.index("Final") < kinds.index("Finalized")


async def test_its_session_ends_with_the_connection_and_its_jobs_with_it() -> None:
    async with toy_line() as line:
        line.fakes.transcriber.gate = anyio.Event()
        line.socket.send(pcm(SPEECH[:16_000]))
        line.socket.tell("flush")
        await poll_until(lambda: bool(line.socket.of("Flushed")))
        line.socket.leave()
        assert await line.ended() == End("client_left", 1000)
        assert line.runner.is_over
        assert line.find_again() is None
        await poll_until(lambda: not line.fakes.transcriber.reserved)


async def test_it_parts_in_its_own_words() -> None:
    async with toy_line() as line:
        line.connection.dismiss(Overloaded("why", 3))
        assert (await line.ended()).how == "queue_full"
        assert line.socket.sent[-1] == {"type": "queue_full"}
        assert line.socket.closed == (4000, "toy")


async def test_a_message_of_which_a_part_is_wrong_is_answered_and_not_the_end() -> None:
    async with toy_line() as line:
        for number in range(1, MAX_BAD_MESSAGES):
            line.socket.tell("half")
            await poll_until(lambda number=number: len(line.socket.of("Failed")) == 2 * number)
        assert len(line.socket.of("first")) == MAX_BAD_MESSAGES - 1
        line.socket.tell("half")
        assert (await line.ended()).how == "bad_request"


async def test_a_large_message_is_worked_off_in_turns_and_not_faster_than_wanted() -> None:
    toy = Toy()
    async with toy_line(toy) as line:
        line.fakes.transcriber.gate = anyio.Event()
        line.socket.tell("slices", number=100)
        turns = 0
        while toy.slices <= 60:
            turns += 1
            await anyio.lowlevel.checkpoint()
        assert turns >= 60
        await poll_until(lambda: not line.runner.session.wants_data)
        assert toy.slices < 70
        line.fakes.transcriber.gate.set()
        await poll_until(lambda: toy.slices == 100)


async def test_telephone_audio_becomes_pcm() -> None:
    async with toy_line(sample_rate=8000) as line:
        line.socket.tell("telephone")
        await poll_until(lambda: line.runner.session.received_sample > 14_000)


async def test_finals_are_sent_before_the_server_stops() -> None:
    async with toy_line() as line:
        line.socket.send(pcm(SPEECH[:16_000]))
        await poll_until(lambda: bool(line.socket.of("SpeechStarted")))
        line.fakes.live.drain()
        assert (await line.ended()).how == "draining"
        assert line.socket.of("Final")
        assert line.socket.sent[-1] == {"type": "draining"}


@pytest.mark.wall_clock
async def test_a_session_without_resume_is_not_idle_while_finals_are_due() -> None:
    async with sessions() as fakes:
        fakes.transcriber.gate = anyio.Event()
        toy = Toy()
        toy.idle_timeout_s = 0.05
        line, mute = [
            Line(
                fakes,
                runner,
                socket,
                LiveConnection(await socket.accept(), fakes.live, runner, toy),
            )
            for socket in (FakeWebSocket(), FakeWebSocket())
            for runner in [await fakes.open(PLAIN)]
        ]
        line.socket.send(pcm(SPEECH[:16_000]))
        line.socket.tell("flush")
        fakes.group.start_soon(line.serve)
        await poll_until(lambda: line.runner.session.channels.has_pending_finals)
        await mute.serve()  # longer than that
        assert mute.end is not None
        assert mute.end.how == "idle_timeout"
        assert line.end is None
        fakes.transcriber.gate.set()
        assert (await line.ended()).how == "idle_timeout"
        assert line.socket.of("Finalized")


async def test_a_received_message_is_processed_before_the_server_stops() -> None:
    async with toy_line() as line:
        line.socket.send(pcm(SPEECH))
        while line.socket.unread or line.runner.session.wants_data:
            await anyio.lowlevel.checkpoint()
        line.fakes.live.drain()
        assert (await line.ended()).how == "draining"
        assert line.runner.session.received_sample == SPEECH.size
        assert len(line.socket.of("Final")) == len(line.socket.of("SpeechStarted")) > 0


async def test_words_are_waited_for_as_long_as_it_may_take_and_no_longer() -> None:
    async with sessions() as fakes:
        fakes.transcriber.gate = anyio.Event()
        patient, other = [
            Line(
                fakes,
                runner,
                socket,
                LiveConnection(await socket.accept(), fakes.live, runner, Toy(), drain_s=drain_s),
            )
            for socket, drain_s in ((FakeWebSocket(), 1000.0), (FakeWebSocket(), 0.05))
            for runner in [await fakes.open(PLAIN)]
        ]
        for line in (patient, other):
            line.socket.send(pcm(SPEECH[:16_000]))
            line.socket.tell("flush")
            fakes.group.start_soon(line.serve)
            await poll_until(lambda line=line: line.runner.session.channels.has_pending_finals)
        fakes.live.drain()
        assert (await other.ended()).how == "draining"
        assert not other.socket.of("Final")
        assert patient.end is None
        fakes.transcriber.gate.set()
        assert (await patient.ended()).how == "draining"
        assert patient.socket.of("Final")


async def test_a_dialect_may_be_more_patient_or_less_than_the_operator() -> None:
    async with sessions() as fakes:
        toy = Toy()
        toy.idle_timeout_s = 0.05
        runner, socket = await fakes.open(PLAIN), FakeWebSocket()
        connection = LiveConnection(await socket.accept(), fakes.live, runner, toy)
        assert (await connection.run()).how == "idle_timeout"
