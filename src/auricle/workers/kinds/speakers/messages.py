"""Messages to and from workers of speakers."""

from msgspec import msgpack

from auricle.workers.wire.messages import (
    Message,
    StartFailed,
    StartModel,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)


class EmbedStretches(Message, frozen=True):
    """Embed parts of this audio, each (start, end) in samples.

    ``pcm`` is PCM16 little endian, 16 kHz mono.
    """

    pcm: memoryview
    stretches: tuple[tuple[int, int], ...]


class StretchesEmbedded(Message, frozen=True):
    """The embeddings of all stretches, in order: float32 little endian, one row each."""

    vectors: bytes


TO_CHILD = msgpack.Decoder(StartModel | Submit[EmbedStretches] | StopWorker)
FROM_CHILD = msgpack.Decoder(WorkerReady | StartFailed | WorkDone[StretchesEmbedded])
