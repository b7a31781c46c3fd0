"""The compressed audio of one connection: frames in, PCM16 out."""

from collections.abc import Callable

import numpy as np

from auricle.protocol.dialect import EncodedFrames
from auricle.values.optional_workers import NO_FRAME_DECODER
from auricle.values.transcriber import DecodingStream, FrameDecoder
from auricle.values.types import ClientId


class FrameStream:
    """Decodes the frames of a connection; its first frame opens the stream.

    Args:
        decoder: Decodes frames.
        client: The connection's client.
        channels: Channels of the PCM16 that the session expects; all get the same samples.
    """

    def __init__(self, decoder: FrameDecoder, client: ClientId, channels: int) -> None:
        self._decoder = decoder
        self._client = client
        self._channels = channels
        self._stream: DecodingStream | None = None

    async def decode(self, step: EncodedFrames, receive: Callable[[bytes], None]) -> None:
        """Decode the frames of a step, and pass on their samples, PCM16 at 16 kHz.

        Raises:
            UnsupportedFormat: The server decodes no such streams.
            AuricleError: See :class:`auricle.values.transcriber.FrameDecoder`.
        """
        if not step.frames and self._decoder is not NO_FRAME_DECODER:
            return
        if self._stream is None:
            self._stream = self._decoder.open(step.codec, step.header, client=self._client)
        pcm = await self._stream.decode(step.frames)
        receive(np.repeat(pcm, self._channels).astype("<i2", copy=False).tobytes())

    def close(self) -> None:
        """Close the stream; idempotent."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
