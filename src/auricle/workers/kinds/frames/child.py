"""The worker of live streams, run by :mod:`auricle.workers.child.main`.

Each ``DecodeFrames`` is answered by one ``FramesDecoded``. Streams stay open between steps. An
unknown exception ends the process; the pool counts the crash and continues on another worker.
"""

from collections.abc import Callable

from auricle.workers.child.channel import Channel, WireBroken
from auricle.workers.child.serving import Loaded, serve_messages
from auricle.workers.kinds.frames.decoder import LiveFrameDecoder
from auricle.workers.kinds.frames.messages import (
    TO_CHILD,
    DecodeFrames,
    FrameMessage,
    FramesDecoded,
    StartFrames,
)
from auricle.workers.wire.messages import CloseStream


class OpenFrameStreams:
    """The open streams of this worker; the pool bounds their number."""

    def __init__(self) -> None:
        self._decoders: dict[str, LiveFrameDecoder] = {}

    def step(self, step: DecodeFrames) -> FramesDecoded:
        """Decode the frames of a step.

        Raises:
            WireBroken: The stream is not open.
        """
        if step.opens:
            decoder = LiveFrameDecoder(step.codec, step.header)
            decoder.decode(_plain(step.warm_up))
            decoder.failures = 0
            self._decoders[step.stream] = decoder
        elif (known := self._decoders.get(step.stream)) is not None:
            decoder = known
        else:
            raise WireBroken
        pcm = decoder.decode(_plain(step.frames))
        failures = min(decoder.failures, len(step.frames))
        return FramesDecoded(pcm.astype("<i2", copy=False).tobytes(), failures)

    def close(self, message: CloseStream) -> None:
        """Close a stream; names that are not open are ignored."""
        self._decoders.pop(message.stream, None)


def _plain(frames: tuple[FrameMessage, ...]) -> list[tuple[bytes, int]]:
    return [(frame.data, frame.samples) for frame in frames]


def serve(channel: Channel, seal: Callable[[], tuple[str, ...]]) -> int:
    """Run steps until a stop message; return the exit code.

    ``seal`` blocks what only loading needs, and returns the restrictions that were not applied.
    """

    def load(start: StartFrames) -> Loaded:
        streams = OpenFrameStreams()
        return Loaded(streams.step, notice=streams.close)

    return serve_messages(channel, seal, TO_CHILD, StartFrames, load)
