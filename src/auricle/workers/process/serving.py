"""The loop of a worker: load, report that it is ready, and answer messages until a stop message."""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar

from auricle.values.errors import SetupError
from auricle.workers.process.channel import (
    EXIT_START_FAILED,
    EXIT_STOPPED,
    Channel,
    WireBroken,
    limit_memory,
    rss_bytes,
)
from auricle.workers.process.messages import Message, StartFailed, StopWorker, WorkerReady


class Start(Protocol):
    """The first message to a worker."""

    @property
    def hard_limit_bytes(self) -> int:
        """Maximum growth over the memory in use once ready; 0 sets no limit."""
        ...


S = TypeVar("S", bound=Start)


class Loaded(NamedTuple):
    """What a worker has loaded.

    Attributes:
        handle: Does the work of a message, and sends the answer.
        warm_up_s: Duration of the warm-up.
    """

    handle: Callable[[Any], None]
    warm_up_s: float = 0.0


def serve_messages(
    channel: Channel,
    seal: Callable[[], tuple[str, ...]],
    parse: Callable[[bytearray], Message],
    start_type: type[S],
    load: Callable[[S], Loaded],
) -> int:
    """Load, then handle messages until a stop message; return the exit code.

    Args:
        channel: The pool's pipes.
        seal: Blocks what only loading needs, and returns the restrictions that were not applied.
        parse: Parses a message of the pool.
        start_type: The first message.
        load: Loads what the first message says; its ``SetupError`` is reported to the pool.

    Raises:
        WireBroken: The first message is another one, or a second one follows.
    """
    start: Any = parse(channel.receive_body())
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
        message: Any = parse(channel.receive_body())
        if isinstance(message, StopWorker):
            return EXIT_STOPPED
        if isinstance(message, start_type):
            raise WireBroken
        loaded.handle(message)
