"""Messages to and from workers that decode files."""

from typing import Annotated

from msgspec import Meta, msgpack

from auricle.values.types import Source
from auricle.workers.wire.messages import (
    CloseStream,
    Message,
    StartFailed,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)

MAX_STEP_ANSWER_BYTES = 2**20
"""30 s of PCM16 are 960 kB."""
MAX_REASON_CHARS = 1000


class StartDecode(Message, frozen=True):
    """First message to a decode worker."""

    max_samples: int
    hard_limit_bytes: int
    max_chunk_samples: int
    libopus: str | None = None


class DecodeStep(Message, frozen=True):
    """Decode the next part of a file; open it if it is not open at ``from_sample``."""

    stream: str
    path: bytes | None
    """Path encoded by ``os.fsencode``; ``None``: a file descriptor accompanies the message."""
    source: Source
    """The format; its path is empty."""
    from_sample: int


class StepDone(Message, frozen=True):
    """Result of a step: speech (``pcm`` is not empty), progress only, or the end of the file.

    ``next_sample`` is the position at which a new worker has to resume.
    """

    fraction: float
    duration_samples: int
    next_sample: int
    start_sample: int
    pcm: bytes
    done: bool
    voiced: tuple[tuple[int, int], ...] = ()
    """Speech within this chunk: start and end, in samples from the start of the file."""
    channels: Annotated[int, Meta(ge=1)] = 1
    """Channels of the file."""


class StepFailed(Message, frozen=True):
    """The file is invalid or unreadable. ``code`` is that of an error class."""

    code: str
    message: Annotated[str, Meta(max_length=MAX_REASON_CHARS)]


TO_CHILD = msgpack.Decoder(StartDecode | Submit[DecodeStep] | CloseStream | StopWorker)
FROM_CHILD = msgpack.Decoder(WorkerReady | StartFailed | WorkDone[StepDone | StepFailed])
