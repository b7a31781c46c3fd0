"""Messages to and from workers of turns."""

from typing import Annotated

from msgspec import Meta, msgpack

from auricle.workers.wire.messages import (
    Message,
    StartFailed,
    StartModel,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)


class JudgeTurn(Message, frozen=True):
    """Judge whether the speaker has finished; ``pcm`` is PCM16 little endian, 16 kHz mono."""

    pcm: memoryview


class TurnJudged(Message, frozen=True):
    """The probability that the speaker has finished."""

    probability: Annotated[float, Meta(ge=0, le=1)]


TO_CHILD = msgpack.Decoder(StartModel | Submit[JudgeTurn] | StopWorker)
FROM_CHILD = msgpack.Decoder(WorkerReady | StartFailed | WorkDone[TurnJudged])
