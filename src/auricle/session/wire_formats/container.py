"""Live Ogg and WebM, as a browser's MediaRecorder or ffmpeg writes them.

A container has no position at which a new connection could resume, so it is not resumable.
"""

from collections import deque

from auricle.audio.demux.ogg import OggDemuxer
from auricle.audio.demux.webm import WebmDemuxer
from auricle.audio.opus import LibOpus
from auricle.session.wire_formats.base import Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.packets import PacketReceiver
from auricle.values.commands import StreamParameters
from auricle.values.events import Wire
from auricle.values.types import NO_AUDIO

SLICE_BYTES = 64
"""Maximum bytes passed to a demuxer at once: a message may hold half a million elements without a
packet."""


class ContainerWire:
    """Opus packets in a live container, which has no position to resume from.

    Args:
        libopus: The library that decodes packets.
        parameters: Only the container format is used; the recorder chooses the packet format.
        counts: The packet counts to update.
    """

    is_resumable = False
    received_seq: int | None = None

    def __init__(
        self, libopus: LibOpus, parameters: StreamParameters, counts: StreamCounts
    ) -> None:
        self._libopus = libopus
        self._parameters = parameters
        self._counts = counts
        self.reconnect()

    def reconnect(self) -> None:
        """Expect a new container on the new connection."""
        is_ogg = self._parameters.format is Wire.OGG
        self._demuxer = OggDemuxer() if is_ogg else WebmDemuxer()
        self._receiver = PacketReceiver(self._libopus, self._counts)
        self._message, self._taken_bytes = b"", 0
        self._waiting: deque[DecodedAudio] = deque()

    def receive_data(self, data: bytes) -> None:
        """Receive one message; message boundaries are irrelevant."""
        self._message, self._taken_bytes = self._message[self._taken_bytes :] + data, 0

    def next_decoded(self) -> DecodedAudio | None:
        """See :class:`auricle.session.wire_formats.base.WireFormat`."""
        if not self._waiting:
            demuxed = self._demuxer.next_packet()
            if demuxed is None:
                return self._take_slice()
            for decoded in self._receiver.receive_packet(demuxed.packet):
                if isinstance(decoded, Audio):
                    decoded = Audio(decoded.pcm[demuxed.skip_samples :])
                self._waiting.append(decoded)
        return self._waiting.popleft()

    def _take_slice(self) -> DecodedAudio | None:
        """Pass the next slice of the message to the demuxer, if there is one."""
        start = self._taken_bytes
        if start == len(self._message):
            return None
        self._taken_bytes = min(start + SLICE_BYTES, len(self._message))
        self._demuxer.receive_data(self._message[start : self._taken_bytes])
        return Audio(NO_AUDIO)

    def finish(self) -> DecodedAudio | None:
        """Return ``None``: no complete packet is buffered."""
        return None
