"""Messages to and from workers that decode live streams."""

from typing import Annotated

from msgspec import Meta, msgpack

from auricle.values.types import FrameCodec
from auricle.workers.wire.messages import (
    CloseStream,
    Message,
    StartFailed,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)


class StartFrames(Message, frozen=True):
    """First message to a worker that decodes live streams."""

    hard_limit_bytes: int


class FrameMessage(Message, frozen=True):
    """A frame, and its duration in samples at 16 kHz."""

    data: bytes
    samples: int


class DecodeFrames(Message, frozen=True):
    """Decode the next frames of a live stream; open it first if it ``opens``.

    A stream that opens again has frames from before to warm up; their samples are dropped.
    """

    stream: str
    codec: FrameCodec
    header: bytes
    opens: bool
    warm_up: tuple[FrameMessage, ...]
    frames: tuple[FrameMessage, ...]


class FramesDecoded(Message, frozen=True):
    """The samples of the frames of a step, PCM16 little endian, 16 kHz mono.

    ``failures`` counts the frames at the end that were not decoded: all since the last good one.
    """

    pcm: bytes
    failures: Annotated[int, Meta(ge=0)]


TO_CHILD = msgpack.Decoder(StartFrames | Submit[DecodeFrames] | CloseStream | StopWorker)
FROM_CHILD = msgpack.Decoder(WorkerReady | StartFailed | WorkDone[FramesDecoded])
