"""The audio that a server may still want: sent and not yet safe, or not yet sent. I/O-free.

Speech comes in and is cut into frames of 20 ms, each of them one Opus packet, encoded once and in
order. A frame's number is the packet's ``seq``, and says where it lies in time. Frames are sent
from a place that moves on, and that can be set back after a connection was lost::

    forgotten | safe, kept | sent, kept | not yet sent
              ^ first      ^ safe       ^ next

Some seconds before the safe place are kept, too. A server that has forgotten all hears them before
what it has to tell: then its decoder and its voice detector are in the state in which they were.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from auricle.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16

FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000

PCM_KEPT_SAMPLES = 40 * SAMPLE_RATE_HZ
"""Samples of frames that have a packet are kept for this long, for a server that asks for PCM. Then
the packet alone is kept: an hour of Opus is 14 MB, an hour of samples 115 MB."""

LEAD_IN_SAMPLES = 15 * SAMPLE_RATE_HZ
"""A decoder that starts in mid-stream gives the very same samples after 0.7 s as a rule, but not
before 11 s where nobody draws breath (``bench/live_chaos.py``, 2026-11-25)."""

ENCODER_DELAY_SAMPLES = SAMPLE_RATE_HZ * 65 // 10_000
"""libopus gives speech back 6.5 ms late, so that much more silence has to follow the last of it."""

Encode = Callable[[Pcm16], OpusPacket]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """20 ms of speech; ``packet`` is ``None`` where only PCM is sent, ``pcm`` once it is old."""

    seq: int
    start_sample: int
    pcm: Pcm16 | None
    packet: OpusPacket | None


class KeptAudio:
    """Frames in their order, each kept until it has been safe for a while.

    Args:
        start_sample: Where the first sample lies on the session's clock.
        encode: Makes a packet of a frame; ``None`` where only PCM is sent.
    """

    def __init__(self, start_sample: int = 0, encode: Encode | None = None) -> None:
        self._origin = self._safe = start_sample
        self._encode = encode
        self._frames: deque[Frame] = deque()
        self._cut = 0  # how many frames there were in all
        self._next = 0  # the frame to send next
        self._rest = np.zeros(0, np.int16)
        self.dropped_samples = 0
        """Speech that was given up before it was sent, because too much of it waited."""

    @property
    def end_sample(self) -> int:
        """Where the newest frame ends."""
        return self._sample(self._cut)

    @property
    def next_sample(self) -> int:
        """Where the frame to send next starts."""
        return self._sample(self._next)

    @property
    def first_sample(self) -> int:
        """Where the oldest frame that is kept starts; the end if there is none."""
        return self._sample(self._first)

    @property
    def safe_sample(self) -> int:
        """Nothing before this place has to be heard again; or it is gone."""
        return max(self._safe, self.first_sample)

    @property
    def kept_samples(self) -> int:
        """How much speech is kept that is not safe."""
        return self.end_sample - self.safe_sample

    @property
    def unsent_samples(self) -> int:
        """How much speech waits to be sent."""
        return (self._cut - self._next) * FRAME_SAMPLES

    def stop_encoding(self) -> None:
        """Keep samples alone from now on; frames that have none any more are dropped."""
        self._encode = None
        while self._frames and self._frames[0].pcm is None:
            self._drop_oldest()

    def receive_pcm(self, pcm: Pcm16) -> None:
        """Take the next samples; what doesn't fill a frame waits for more."""
        self._rest = np.concatenate([self._rest, pcm])
        frames, left = divmod(self._rest.size, FRAME_SAMPLES)
        for index in range(frames):
            self._append(self._rest[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES])
        self._rest = self._rest[self._rest.size - left :].copy()

    def finish(self) -> None:
        """Let the last samples out too, with silence to fill their frame."""
        if self._encode is not None and self._cut + self._rest.size:
            self.receive_pcm(np.zeros(ENCODER_DELAY_SAMPLES, np.int16))
        if self._rest.size:
            self.receive_pcm(np.zeros(FRAME_SAMPLES - self._rest.size, np.int16))

    def next_frames(self, most: int, before_sample: int | None = None) -> list[Frame]:
        """Return the frames to send now, maybe none, and count them as sent.

        Args:
            most: How many at most.
            before_sample: Only frames that start before it.
        """
        end = self._cut if before_sample is None else min(self._cut, self._index(before_sample))
        end = max(self._next, min(end, self._next + most))
        at = self._next - self._first
        found = [self._frames[at + step] for step in range(end - self._next)]
        self._next = end
        return found

    def rewind(self, sample: int) -> None:
        """Send again from the frame that holds this sample, or from the oldest that is kept."""
        self._next = min(max(self._index_at(sample), self._first), self._cut)

    def forget(self, safe_sample: int) -> None:
        """Take note that all before this sample is safe, and let go of what is so for a while."""
        self._safe = max(self._safe, min(safe_sample, self.end_sample))
        until_sample = safe_sample - LEAD_IN_SAMPLES
        while self._frames and self._frames[0].start_sample + FRAME_SAMPLES <= until_sample:
            self._frames.popleft()
        self._next = max(self._next, self._first)

    def drop_above(self, most_samples: int) -> None:
        """Keep no more than this: the oldest go first, sent or not."""
        while self.kept_samples > most_samples:
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
        """Return the first frame that starts at or after this sample."""
        return -((self._origin - sample) // FRAME_SAMPLES)

    def _index_at(self, sample: int) -> int:
        """Return the frame that holds this sample."""
        return (sample - self._origin) // FRAME_SAMPLES
