"""An Opus track of a container: its header, and its packets with the samples to skip.

The header is the same in Ogg and in WebM's CodecPrivate (RFC 7845 §5.1):

::

    "OpusHead" [version][channels][uint16_le pre-skip][uint32_le input rate][int16_le gain][family]
    family 1 to 255: [streams][coupled streams][channel mapping]

The gain is not applied: recognition doesn't depend on it.
"""

from dataclasses import dataclass
from struct import Struct

from auricle.audio.opus import packet_samples
from auricle.values.errors import AudioError, RemoteProtocolError, UnsupportedFormat
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket

_HEAD = Struct("<8sBBHIhB")
_MAGIC = b"OpusHead"
_TICKS_HZ = 48_000  # RFC 7845 §4.2: unit of the pre-skip


@dataclass(frozen=True, slots=True)
class DemuxedPacket:
    """One packet of a container.

    Attributes:
        packet: The packet; decode in order.
        skip_samples: Number of 16 kHz samples at the start of the decoded packet that are not part
            of the audio.
        channels: Channel count that the container states: 1 or 2.
    """

    packet: OpusPacket
    skip_samples: int
    channels: int


class OpusTrack:
    """The Opus stream of a container.

    Args:
        channels: 1 or 2.
        pre_skip_samples: Number of 16 kHz samples to skip at its start.
    """

    def __init__(self, channels: int, pre_skip_samples: int) -> None:
        self._channels = channels
        self._skip_samples = pre_skip_samples

    def take(self, payload: bytes) -> DemuxedPacket:
        """Return the track's next packet.

        Raises:
            RemoteProtocolError: The packet is larger than :data:`MAX_PACKET_BYTES`.
        """
        if len(payload) > MAX_PACKET_BYTES:
            raise RemoteProtocolError(f"An Opus packet has more than {MAX_PACKET_BYTES} bytes.")
        packet = OpusPacket(payload)
        skip_samples = 0
        if self._skip_samples:
            skip_samples = min(self._skip_samples, _claimed_samples(packet))
            self._skip_samples -= skip_samples
        return DemuxedPacket(packet, skip_samples, self._channels)


def is_opus_head(head: bytes) -> bool:
    """Return whether this is the header of an Opus track, valid or not."""
    return head.startswith(_MAGIC)


def parse_opus_head(head: bytes) -> OpusTrack:
    """Return the track that this header describes.

    Raises:
        RemoteProtocolError: The header is malformed.
        UnsupportedFormat: The track has more than two channels, or is of a later version.
    """
    if len(head) < _HEAD.size or not is_opus_head(head):
        raise RemoteProtocolError("The header of the Opus track is malformed.")
    _, version, channels, pre_skip_ticks, _, _, family = _HEAD.unpack_from(head)
    if version & 0xF0:  # §5.1: "the upper four bits … MUST be zero" to be compatible
        raise UnsupportedFormat("The version of the Opus track is not supported.")
    streams = head[_HEAD.size] if family and len(head) > _HEAD.size else 1
    if channels not in (1, 2) or streams != 1:
        raise UnsupportedFormat("The Opus track has more than two channels; send one or two.")
    return OpusTrack(channels, pre_skip_ticks * SAMPLE_RATE_HZ // _TICKS_HZ)


def _claimed_samples(packet: OpusPacket) -> int:
    try:
        return packet_samples(packet)
    except AudioError:
        return 0  # the decoder will report the error
