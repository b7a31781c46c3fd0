"""Messages to workers of partials; their answers are those of ASR workers."""

from msgspec import msgpack

from auricle.values.types import Options
from auricle.workers.kinds.asr.messages import StartAsr
from auricle.workers.wire.messages import Message, StopWorker, Submit


class StreamStep(Message, frozen=True):
    """One job of a batch of streams: the audio that follows what the stream has.

    ``pcm`` is PCM16 little endian, 16 kHz mono. The child opens the stream first if it ``opens``.
    """

    id: str
    stream: str
    opens: bool
    pcm: memoryview
    options: Options


class RunStreams(Message, frozen=True):
    """Close streams, feed others and recognise these."""

    steps: tuple[StreamStep, ...]
    closed: tuple[str, ...]


TO_CHILD = msgpack.Decoder(StartAsr | Submit[RunStreams] | StopWorker)
