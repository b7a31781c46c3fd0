"""The loop that all workers share, over real pipes."""

import os
from collections.abc import Iterator

import msgspec
import pytest

from auricle.values.errors import SetupError
from auricle.workers.child.channel import EXIT_START_FAILED, EXIT_STOPPED, Channel, WireBroken
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.turns.messages import FROM_CHILD, JudgeTurn, TurnJudged
from auricle.workers.wire.framing import LENGTH
from auricle.workers.wire.messages import (
    CloseStream,
    Message,
    StartFailed,
    StartModel,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)

pytestmark = pytest.mark.unit

START = StartModel("model", 1, 0)
JUDGE = Submit(7, 1.0, JudgeTurn(memoryview(b"\0\0")))
CLOSE = CloseStream("s")
MESSAGES = msgspec.msgpack.Decoder(StartModel | Submit[JudgeTurn] | CloseStream | StopWorker)


class Pipes:
    """A worker's pipes; the messages to it are written before it starts."""

    def __init__(self) -> None:
        self.in_read, self.in_write = os.pipe()
        self.out_read, self.out_write = os.pipe()
        self.channel = Channel(self.in_read, self.out_write)
        self.calls: list[object] = []

    def serve(self, *messages: Message, error: SetupError | None = None) -> int:
        sender = Channel(self.in_read, self.in_write)
        for message in messages:
            sender.send(message)

        def load(start: StartModel) -> Loaded:
            if error is not None:
                raise error
            assert start == START

            def judge(turn: JudgeTurn) -> TurnJudged:
                self.calls.append("judge")
                return TurnJudged(0.5)

            return Loaded(judge, 2.5, self.calls.append, self.calls.append)

        return serve_messages(self.channel, lambda: ("network",), MESSAGES, StartModel, load)

    def answers(self) -> list[Message]:
        os.close(self.out_write)
        answers: list[Message] = []
        with os.fdopen(self.out_read, "rb", closefd=False) as sent:
            while head := sent.read(LENGTH.size):
                answers.append(FROM_CHILD.decode(sent.read(*LENGTH.unpack(head))))
        self.out_write = os.open(os.devnull, os.O_WRONLY)
        return answers


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    for fd in (pipes.in_read, pipes.in_write, pipes.out_read, pipes.out_write):
        os.close(fd)


def test_work_is_done_until_the_stop(pipes: Pipes) -> None:
    assert pipes.serve(START, JUDGE, CLOSE, JUDGE, StopWorker()) == EXIT_STOPPED
    ready, *answers = pipes.answers()
    assert isinstance(ready, WorkerReady)
    assert (ready.pid, ready.warm_up_s, ready.unconfined) == (os.getpid(), 2.5, ("network",))
    assert answers == [WorkDone(7, TurnJudged(0.5))] * 2
    done = TurnJudged(0.5)
    assert pipes.calls == ["judge", done, CLOSE, "judge", done]


def test_what_cannot_be_loaded_is_reported(pipes: Pipes) -> None:
    assert pipes.serve(START, error=SetupError("Pull it first.")) == EXIT_START_FAILED
    assert pipes.answers() == [StartFailed("Pull it first.")]


@pytest.mark.parametrize("messages", [(JUDGE,), (StopWorker(),), (START, START)])
def test_another_order_breaks_the_protocol(pipes: Pipes, messages: tuple[Message, ...]) -> None:
    with pytest.raises(WireBroken):
        pipes.serve(*messages)
