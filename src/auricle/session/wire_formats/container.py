"""Live Ogg and WebM: whatever a browser's recorder or ffmpeg writes, as it is written.

Nothing in it says where a new connection goes on: it can't be resumed.
"""

from collections import deque

from auricle.audio.demux.ogg import OggDemuxer
from auricle.audio.demux.webm import WebmDemuxer
from auricle.audio.opus import LibOpus
from auricle.events import Wire
from auricle.protocol.native.stream import StreamParameters
from auricle.session.wire_formats.base import NO_AUDIO, Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.packets import PacketReceiver

SLICE_BYTES = 64
"""A demuxer gets so much at once: a message may hold half a million elements without a packet."""


class ContainerWire:
    """Opus packets in a live container.

    Args:
        libopus: The library.
        parameters: Which container, and nothing of its packets: a recorder chooses those itself.
        counts: Where packets are counted.
    """

    def __init__(
        self, libopus: LibOpus, parameters: StreamParameters, counts: StreamCounts
    ) -> None:
        self._libopus = libopus
        self._parameters = parameters
        self._counts = counts
        self.reconnect()

    @property
    def is_resumable(self) -> bool:
        """A container has no place to go on from."""
        return False

    @property
    def received_seq(self) -> int | None:
        """Its packets have no numbers."""
        return None

    def reconnect(self) -> None:
        """A new connection brings a new container."""
        is_ogg = self._parameters.format is Wire.OGG
        self._demuxer = OggDemuxer() if is_ogg else WebmDemuxer()
        self._receiver = PacketReceiver(self._libopus, self._counts)
        self._message, self._taken_bytes = b"", 0
        self._waiting: deque[DecodedAudio] = deque()

    def receive_data(self, data: bytes) -> None:
        """Take one message; containers don't care where it begins or ends."""
        self._message, self._taken_bytes = self._message[self._taken_bytes :] + data, 0

    def next_decoded(self) -> DecodedAudio | None:
        """See :class:`auricle.session.wire_formats.base.WireFormat`."""
        if not self._waiting:
            demuxed = self._demuxer.next_packet()
            if demuxed is None:
                return self._take_slice()
            for heard in self._receiver.receive_packet(demuxed.packet):
                if isinstance(heard, Audio):
                    heard = Audio(heard.pcm[demuxed.skip_samples :])
                self._waiting.append(heard)
        return self._waiting.popleft()

    def _take_slice(self) -> DecodedAudio | None:
        """Let the demuxer have more, if there is more."""
        start = self._taken_bytes
        if start == len(self._message):
            return None
        self._taken_bytes = min(start + SLICE_BYTES, len(self._message))
        self._demuxer.receive_data(self._message[start : self._taken_bytes])
        return Audio(NO_AUDIO)

    def finish(self) -> DecodedAudio | None:
        """Nothing is held back: half a packet is no packet."""
        return None
