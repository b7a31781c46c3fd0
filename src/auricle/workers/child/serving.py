"""The loop of a worker: load, report that it is ready, and do work until a stop message."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from auricle.values.errors import SetupError
from auricle.workers.child.channel import (
    EXIT_START_FAILED,
    EXIT_STOPPED,
    Channel,
    WireBroken,
    armed,
    limit_memory,
    rss_bytes,
)
from auricle.workers.wire.messages import (
    Message,
    StartFailed,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)


class Start(Protocol):
    """The first message to a worker."""

    @property
    def hard_limit_bytes(self) -> int:
        """Maximum growth over the memory in use once ready; 0 sets no limit."""
        ...


S = TypeVar("S", bound=Start)


def _ignore(_: Any) -> None:
    pass


class Loaded(NamedTuple):
    """What a worker has loaded.

    Attributes:
        work: Does the work of a message, and returns its result.
        warm_up_s: Duration of the warm-up.
        answered: Called with each result that was sent.
        notice: Handles a message that has no answer.
    """

    work: Callable[[Any], Message]
    warm_up_s: float = 0.0
    answered: Callable[[Any], None] = _ignore
    notice: Callable[[Any], None] = _ignore


def serve_messages(
    channel: Channel,
    seal: Callable[[], tuple[str, ...]],
    messages: msgspec.msgpack.Decoder[Any],
    start_type: type[S],
    load: Callable[[S], Loaded],
) -> int:
    """Load, then do work until a stop message; return the exit code.

    Args:
        channel: The pool's pipes.
        seal: Blocks what only loading needs, and returns the restrictions that were not applied.
        messages: Decodes a message of the pool.
        start_type: The first message.
        load: Loads what the first message says; its ``SetupError`` is reported to the pool.

    Raises:
        WireBroken: The first message is another one, or a second one follows.
    """
    start: Any = messages.decode(channel.receive_body())
    if not isinstance(start, start_type):
        raise WireBroken
    try:
        loaded = load(start)
    except SetupError as exc:
        channel.send(StartFailed(str(exc)))
        return EXIT_START_FAILED
    limit_memory(start.hard_limit_bytes)
    channel.send(WorkerReady(os.getpid(), rss_bytes(), loaded.warm_up_s, unconfined=seal()))
    while True:
        message: Any = messages.decode(channel.receive_body())
        if isinstance(message, Submit):
            with armed(message.dump_after_s):
                result = loaded.work(message.work)
            channel.send(WorkDone(message.id, result))
            loaded.answered(result)
        elif isinstance(message, StopWorker):
            return EXIT_STOPPED
        elif isinstance(message, start_type):
            raise WireBroken
        else:
            loaded.notice(message)
