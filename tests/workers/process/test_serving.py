"""The loop that all workers share, over real pipes."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from auricle.values.errors import SetupError
from auricle.workers.process.channel import EXIT_START_FAILED, EXIT_STOPPED, Channel, WireBroken
from auricle.workers.process.framing import LENGTH
from auricle.workers.process.messages import (
    JudgeTurn,
    Message,
    StartFailed,
    StartModel,
    StopWorker,
    TurnJudged,
    WorkerReady,
    parse_for_turns,
    parse_from_child,
)
from auricle.workers.process.serving import Loaded, serve_messages

pytestmark = pytest.mark.unit

START = StartModel("model", 1, 0)
JUDGE = JudgeTurn(7, memoryview(b"\0\0"), 1.0)


class Pipes:
    """A worker's pipes; the messages to it are written before it starts."""

    def __init__(self) -> None:
        self.in_read, self.in_write = os.pipe()
        self.out_read, self.out_write = os.pipe()
        self.channel = Channel(self.in_read, self.out_write)

    def serve(self, *messages: Message, error: SetupError | None = None) -> int:
        sender = Channel(self.in_read, self.in_write)
        for message in messages:
            sender.send(message)

        def load(start: StartModel) -> Loaded:
            if error is not None:
                raise error
            assert start == START

            def handle(message: Any) -> None:
                self.channel.send(TurnJudged(message.id, 0.5))

            return Loaded(handle, 2.5)

        return serve_messages(self.channel, lambda: ("network",), parse_for_turns, StartModel, load)

    def answers(self) -> list[Message]:
        os.close(self.out_write)
        answers: list[Message] = []
        with os.fdopen(self.out_read, "rb", closefd=False) as sent:
            while head := sent.read(LENGTH.size):
                answers.append(parse_from_child(sent.read(*LENGTH.unpack(head))))
        self.out_write = os.open(os.devnull, os.O_WRONLY)
        return answers


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    for fd in (pipes.in_read, pipes.in_write, pipes.out_read, pipes.out_write):
        os.close(fd)


def test_messages_are_handled_until_the_stop(pipes: Pipes) -> None:
    assert pipes.serve(START, JUDGE, JUDGE, StopWorker()) == EXIT_STOPPED
    ready, *answers = pipes.answers()
    assert isinstance(ready, WorkerReady)
    assert (ready.pid, ready.warm_up_s, ready.unconfined) == (os.getpid(), 2.5, ("network",))
    assert answers == [TurnJudged(7, 0.5)] * 2


def test_what_cannot_be_loaded_is_reported(pipes: Pipes) -> None:
    assert pipes.serve(START, error=SetupError("Pull it first.")) == EXIT_START_FAILED
    assert pipes.answers() == [StartFailed("Pull it first.")]


@pytest.mark.parametrize("messages", [(JUDGE,), (StopWorker(),), (START, START)])
def test_another_order_breaks_the_protocol(pipes: Pipes, messages: tuple[Message, ...]) -> None:
    with pytest.raises(WireBroken):
        pipes.serve(*messages)
