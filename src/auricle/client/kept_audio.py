"""Buffer audio that a server may still need: sent and not yet safe, or not yet sent. No I/O.

Speech is split into frames of 20 ms. Each frame is one Opus packet, encoded once and in order. The
number of a frame is the ``seq`` of its packet and defines its position. The send position advances,
and can be set back after a lost connection::

    dropped | safe, kept | sent, kept | not yet sent
            ^ first      ^ safe       ^ next

Some seconds before the safe position are kept too. They are sent first to a new session, so that
its decoder and voice detector are in the same state as those of the expired session.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from auricle.values.limits import DEFAULT_PACKET_MS
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

FRAME_MS = DEFAULT_PACKET_MS
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000

PCM_KEPT_SAMPLES = 40 * SAMPLE_RATE_HZ
"""How long to keep the samples of encoded frames, in case the server requests PCM. After that, only
the packet is kept: an hour of Opus is 14 MB, an hour of samples 115 MB."""

LEAD_IN_SAMPLES = 15 * SAMPLE_RATE_HZ
"""A decoder that starts in mid-stream usually produces identical samples after 0.7 s, but in speech
without pauses only after 11 s (``tests/resilience/live_chaos.py``, 2026-11-25)."""

ENCODER_DELAY_SAMPLES = SAMPLE_RATE_HZ * 65 // 10_000
"""libopus delays audio by 6.5 ms, so this much silence must follow the last speech."""

Encode = Callable[[Pcm16], OpusPacket]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """20 ms of speech; ``packet`` is ``None`` if PCM is sent, ``pcm`` is ``None`` if it is old."""

    seq: int
    start_sample: int
    pcm: Pcm16 | None
    packet: OpusPacket | None


class KeptAudio:
    """Frames in order, each kept until :data:`LEAD_IN_SAMPLES` after it are safe.

    Args:
        start_sample: Position of the first sample on the session's clock.
        encode: Encodes a frame as an Opus packet; ``None`` to send PCM.
    """

    def __init__(self, start_sample: int = 0, encode: Encode | None = None) -> None:
        self._origin = self._safe = start_sample
        self._encode = encode
        self._frames: deque[Frame] = deque()
        self._cut = 0  # total number of frames
        self._next = 0  # the frame to send next
        self._rest = np.zeros(0, np.int16)
        self.dropped_samples = 0
        """Speech dropped before it was sent, because the buffer was full."""

    @property
    def end_sample(self) -> int:
        """The end of the newest frame."""
        return self._sample(self._cut)

    @property
    def next_sample(self) -> int:
        """The start of the next frame to send."""
        return self._sample(self._next)

    @property
    def first_sample(self) -> int:
        """The start of the oldest kept frame, or the end if there is none."""
        return self._sample(self._first)

    @property
    def safe_sample(self) -> int:
        """The position before which audio is in finals or was dropped."""
        return max(self._safe, self.first_sample)

    @property
    def kept_samples(self) -> int:
        """Length of the kept speech that is not safe."""
        return self.end_sample - self.safe_sample

    @property
    def unsent_samples(self) -> int:
        """Length of the unsent speech."""
        return (self._cut - self._next) * FRAME_SAMPLES

    def stop_encoding(self) -> None:
        """Switch to PCM; drop the frames whose samples are gone."""
        self._encode = None
        while self._frames and self._frames[0].pcm is None:
            self._drop_oldest()

    def receive_pcm(self, pcm: Pcm16) -> None:
        """Append samples; an incomplete frame waits for more."""
        self._rest = np.concatenate([self._rest, pcm])
        frames, left = divmod(self._rest.size, FRAME_SAMPLES)
        for index in range(frames):
            self._append(self._rest[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES])
        self._rest = self._rest[self._rest.size - left :].copy()

    def finish(self) -> None:
        """Pad the last frame with silence and append it."""
        if self._encode is not None and self._cut + self._rest.size:
            self.receive_pcm(np.zeros(ENCODER_DELAY_SAMPLES, np.int16))
        if self._rest.size:
            self.receive_pcm(np.zeros(FRAME_SAMPLES - self._rest.size, np.int16))

    def next_frames(self, max_frames: int, before_sample: int | None = None) -> list[Frame]:
        """Return the next frames, if any, and mark them as sent.

        Args:
            max_frames: Maximum number of frames.
            before_sample: Return only frames that start before this position.
        """
        end = self._cut if before_sample is None else min(self._cut, self._index(before_sample))
        end = max(self._next, min(end, self._next + max_frames))
        at = self._next - self._first
        frames = [self._frames[at + step] for step in range(end - self._next)]
        self._next = end
        return frames

    def rewind(self, sample: int) -> None:
        """Set the send position to the frame of this sample, or to the oldest kept frame."""
        self._next = min(max(self._index_at(sample), self._first), self._cut)

    def forget(self, safe_sample: int) -> None:
        """Set the safe position, and drop the frames before the lead-in."""
        self._safe = max(self._safe, min(safe_sample, self.end_sample))
        until_sample = safe_sample - LEAD_IN_SAMPLES
        while self._frames and self._frames[0].start_sample + FRAME_SAMPLES <= until_sample:
            self._frames.popleft()
        self._next = max(self._next, self._first)

    def drop_above(self, max_samples: int) -> None:
        """Drop the oldest frames above this length, sent or not."""
        while self.kept_samples > max_samples:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        frame = self._frames.popleft()
        if frame.seq >= self._next:
            self.dropped_samples += FRAME_SAMPLES
            self._next = frame.seq + 1

    @property
    def _first(self) -> int:
        return self._cut - len(self._frames)

    def _append(self, pcm: Pcm16) -> None:
        packet = None if self._encode is None else self._encode(pcm)
        self._frames.append(Frame(self._cut, self.end_sample, pcm, packet))
        self._cut += 1
        old = len(self._frames) - PCM_KEPT_SAMPLES // FRAME_SAMPLES - 1
        if old >= 0 and self._frames[old].packet is not None:
            self._frames[old] = replace(self._frames[old], pcm=None)

    def _sample(self, index: int) -> int:
        return self._origin + index * FRAME_SAMPLES

    def _index(self, sample: int) -> int:
        """Return the index of the first frame that starts at or after this sample."""
        return -((self._origin - sample) // FRAME_SAMPLES)

    def _index_at(self, sample: int) -> int:
        """Return the index of the frame that contains this sample."""
        return (sample - self._origin) // FRAME_SAMPLES
