"""Live PCM16, little endian, at 8 to 96 kHz, with or without positions.

Channels are interleaved; they are mixed, or stay apart with ``multichannel``. A message may end
within a sample of all channels; the next one continues it.

With positions, each message is ``[uint64_le position][samples]``. The position is that of its first
sample on the session's clock, counted at the sample rate of the stream: at 48 kHz, position 48 000
is sample 16 000 of the clock. Samples before the expected position are repeats and are dropped;
missing samples are replaced by silence.
"""

from collections import deque
from struct import Struct

import numpy as np

from auricle.audio.resample import Resampler
from auricle.session.wire_formats.base import Audio, DecodedAudio, Lost
from auricle.session.wire_formats.opus import MAX_GAP_S
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import Warned, WarningCode
from auricle.values.types import NO_AUDIO, SAMPLE_BYTES, SAMPLE_RATE_HZ, Pcm16

POSITION = Struct("<Q")


class PcmWire:
    """PCM16 samples; it is resumable if messages carry positions.

    Args:
        parameters: Rate, channels, and whether messages carry positions.
        at_sample: Position of the first expected sample on the session's clock.
    """

    received_seq: int | None = None

    def __init__(self, parameters: StreamParameters, at_sample: int) -> None:
        self._rate_hz = parameters.sample_rate
        self._channels = parameters.channels
        self.is_resumable = parameters.seq
        self._frame_bytes = SAMPLE_BYTES * self._channels
        self._is_mixed = not parameters.multichannel
        self._resamplers = self._new_resamplers()
        self._at_sample = at_sample
        self._expected = _scaled(at_sample, SAMPLE_RATE_HZ, self._rate_hz)
        self._waiting: deque[DecodedAudio] = deque()
        self.reconnect()

    def reconnect(self) -> None:
        """Drop unprocessed data of the old connection."""
        self._messages: deque[bytes] = deque()
        self._buffer = bytearray()
        self._is_catching_up = True

    def receive_data(self, data: bytes) -> None:
        """Receive one message."""
        if self.is_resumable:
            self._messages.append(data)
        else:
            self._buffer += data

    def next_decoded(self) -> DecodedAudio | None:
        """See :class:`auricle.session.wire_formats.base.WireFormat`."""
        while not self._waiting:
            if len(self._buffer) < self._frame_bytes:
                if not self._messages:
                    return None
                self._open_message(self._messages.popleft())
                continue
            self._take_samples()
        return self._waiting.popleft()

    def finish(self) -> DecodedAudio | None:
        """Return the last milliseconds that the resampler buffers, and reset it."""
        rest = [resampler.finish() for resampler in self._resamplers]
        self._resamplers = self._new_resamplers()
        return self._emit(rest)

    def _new_resamplers(self) -> list[Resampler]:
        count = 1 if self._is_mixed else self._channels
        return [Resampler(self._rate_hz) for _ in range(count)]

    def _take_samples(self) -> None:
        """Resample buffered samples to 16 kHz: at most one second, of all channels together."""
        max_frames = self._rate_hz // len(self._resamplers)
        frames = min(len(self._buffer) // self._frame_bytes, max_frames)
        size_bytes = frames * self._frame_bytes
        samples = np.frombuffer(bytes(self._buffer[:size_bytes]), "<i2").astype(np.int16)
        del self._buffer[:size_bytes]
        self._expected += frames
        columns = samples.reshape(-1, self._channels)
        if self._is_mixed and self._channels > 1:
            columns = np.rint(columns.mean(axis=1, keepdims=True)).astype(np.int16)
        audio = self._emit(
            [
                resampler.receive(np.ascontiguousarray(column))
                for resampler, column in zip(self._resamplers, columns.T, strict=True)
            ]
        )
        if audio is not None:
            self._waiting.append(audio)

    def _emit(self, channels: list[Pcm16]) -> Audio | None:
        samples = channels[0].size
        self._at_sample += samples
        if not samples:
            return None
        return Audio(channels[0] if self._is_mixed else np.stack(channels))

    def _open_message(self, message: bytes) -> None:
        if len(message) < POSITION.size or (len(message) - POSITION.size) % self._frame_bytes:
            raise RemoteProtocolError(
                f"Invalid message of {len(message)} bytes; send an 8-byte position and whole "
                "samples."
            )
        (position,) = POSITION.unpack_from(message)
        frames = (len(message) - POSITION.size) // self._frame_bytes
        repeated = min(max(0, self._expected - position), frames)
        if position > self._expected:
            self._skip_to(position)
        if repeated and not self._is_catching_up:
            self._waiting.append(
                Warned(WarningCode.AUDIO_DROPPED, "Repeated samples were dropped.")
            )
        if repeated < frames:
            self._is_catching_up = False
        self._buffer += message[POSITION.size + repeated * self._frame_bytes :]

    def _skip_to(self, position: int) -> None:
        """Queue a gap, and restart the resampler after it so that the clock is exact."""
        if position - self._expected > MAX_GAP_S * self._rate_hz:
            raise RemoteProtocolError("Position is more than an hour ahead of the expected one.")
        tail = self.finish()
        if tail is not None:
            self._waiting.append(tail)
        lost_samples = _scaled(position, self._rate_hz, SAMPLE_RATE_HZ) - self._at_sample
        if lost_samples > 0:
            self._at_sample += lost_samples
            self._waiting.append(Lost(lost_samples, NO_AUDIO))
        self._expected = position


def _scaled(position: int, from_hz: int, to_hz: int) -> int:
    """Return the nearest position at another rate, in exact integer arithmetic."""
    return (position * to_hz + from_hz // 2) // from_hz
