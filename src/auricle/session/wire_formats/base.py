"""What a wire format makes of its bytes, piece by piece; and the count of it all."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auricle.events import SwitchFormat, Warned
from auricle.types import Pcm16

NO_AUDIO: Pcm16 = np.zeros(0, np.int16)
NO_AUDIO.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)  # an ndarray has no useful ==
class Audio:
    """The next samples; ``seq`` is the number of the packet that they came in."""

    pcm: Pcm16
    seq: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lost:
    """A gap: ``pcm`` stands in for its beginning, silence for the rest of its ``samples``.

    ``seq`` is the number of the last packet in it.
    """

    samples: int
    pcm: Pcm16
    seq: int | None = None


DecodedAudio = Audio | Lost | Warned | SwitchFormat


@dataclass(slots=True)
class StreamCounts:
    """What came in over all connections and formats; kept by the session, counted by the wires."""

    packets: int = 0
    lost_packets: int = 0
    repeated_packets: int = 0
    decode_errors: int = 0


class WireFormat(Protocol):
    """Audio in one format: messages in, samples out."""

    @property
    def is_resumable(self) -> bool:
        """Whether the client can say after a lost connection where it goes on."""
        ...

    @property
    def received_seq(self) -> int | None:
        """The number of the last packet taken."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Take one message."""
        ...

    def next_decoded(self) -> DecodedAudio | None:
        """Return what comes next, at most a second of it; ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The peer broke the format, now and for every later call until
                :meth:`reconnect`.
            AudioError: So did the file in it.
            UnsupportedFormat: It holds something else than the format that was named.
        """
        ...

    def reconnect(self) -> None:
        """A new connection is there: forget what the old one left unfinished."""
        ...

    def finish(self) -> DecodedAudio | None:
        """Nothing more comes, or not for a while; return what was held back."""
        ...
