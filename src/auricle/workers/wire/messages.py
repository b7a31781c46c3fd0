"""Messages between a pool and its workers: length-prefixed msgpack on stdin and stdout.

Layout of a message: ``[uint32_le length][msgpack map]``. Both sides reject a length above their
limits. What work and its result are is the matter of each kind of workers (its ``messages``), which
also has the decoders of both sides. The parent decodes strictly into these classes, which contain
the values of :mod:`auricle.values.types`, and validates all lengths and numbers. A worker imports
this module in its sandbox only: NumPy starts threads, which the sandbox would not cover.
"""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

MAX_START_ANSWER_BYTES = 64 * 2**10
"""Maximum size of a message from a child that has no work."""

W = TypeVar("W")
R = TypeVar("R")


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; the class name is the tag on the wire."""


# Parent to child. The first message is the kind's own.


class StartModel(Message, frozen=True):
    """First message to a worker that needs one file: the model to load."""

    model: str
    threads: int
    hard_limit_bytes: int


class Submit(Message, Generic[W], frozen=True):
    """Do this work; the child dumps its stack after ``dump_after_s``."""

    id: int
    dump_after_s: float
    work: W


class CloseStream(Message, frozen=True):
    """Close what the worker keeps open under this name; there is no answer."""

    stream: str


class StopWorker(Message, frozen=True):
    """Exit with status 0."""


# Child to parent.


class WorkerReady(Message, frozen=True):
    """The worker is loaded and warmed up."""

    pid: int
    rss_bytes: int
    warm_up_s: float = 0.0
    """Duration of the warm-up transcription: the first estimate of this machine's speed."""
    unconfined: Annotated[tuple[str, ...], Meta(max_length=10)] = ()
    """Sandbox restrictions that the system could not apply."""


class StartFailed(Message, frozen=True):
    """The model cannot be loaded; ``message`` gives the operator the reason."""

    message: str


class WorkDone(Message, Generic[R], frozen=True):
    """The result of the work with this ID; untrusted until the kind has validated it."""

    id: int
    result: R


FromChild = WorkerReady | StartFailed | WorkDone[Any]
