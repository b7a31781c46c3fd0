"""The interface of wire formats: decoded audio and packet counts."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from auricle.values.events import SwitchFormat, Warned
from auricle.values.types import Pcm16


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class Audio:
    """The next samples; ``seq`` is the sequence number of their packet.

    ``pcm`` has shape [samples]; [channels, samples] if channels are transcribed apart.
    """

    pcm: npt.NDArray[np.int16]
    seq: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """A gap of ``samples``: ``pcm`` conceals its beginning, silence fills the rest.

    ``seq`` is the sequence number of the last lost packet.
    """

    samples: int
    pcm: Pcm16
    seq: int | None = None


DecodedAudio = Audio | Lost | Warned | SwitchFormat


@dataclass(slots=True)
class StreamCounts:
    """Packet counts over all connections and wire formats of a session."""

    packets: int = 0
    lost_packets: int = 0
    decode_errors: int = 0


class WireFormat(Protocol):
    """Audio in one format: messages in, samples out.

    Attributes:
        is_resumable: Whether the client can resume at a known position after a lost connection.
        received_seq: The sequence number of the last accepted packet; ``None`` if there is none, or
            packets have no numbers.
    """

    is_resumable: bool
    received_seq: int | None

    def receive_data(self, data: bytes) -> None:
        """Receive one message."""
        ...

    def next_decoded(self) -> DecodedAudio | None:
        """Return the next audio, at most one second; ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The data violates the wire format; raised by every later call
                until :meth:`reconnect`.
            AudioError: The container is invalid.
            UnsupportedFormat: The data is not in the declared format.
        """
        ...

    def reconnect(self) -> None:
        """Prepare for a new connection; drop the partial data of the old one."""
        ...

    def finish(self) -> DecodedAudio | None:
        """End the audio, at least for a while; return what is still buffered."""
        ...
