"""Opus packets for tests; the product itself only decodes."""

from collections.abc import Sequence

import numpy as np
import opuslib_next

from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16


def encode_packets(
    pcm: Pcm16,
    frame_ms: float = 20,
    *,
    bitrate_bps: int = 24_000,
    constant_rate: bool = False,
) -> list[OpusPacket]:
    """Return the speech as packets of one frame; the last one is filled with silence."""
    frame_samples = int(SAMPLE_RATE_HZ * frame_ms / 1000)
    encoder = opuslib_next.Encoder(SAMPLE_RATE_HZ, 1, opuslib_next.APPLICATION_VOIP)
    encoder.bitrate = bitrate_bps
    encoder.vbr = not constant_rate
    padded = np.concatenate([pcm, np.zeros(-pcm.size % frame_samples, np.int16)])
    return [
        OpusPacket(bytes(encoder.encode(frame.tobytes(), frame_samples)))
        for frame in padded.reshape(-1, frame_samples)
    ]


def tone(hz: float, samples: int, amplitude: float = 8000.0) -> Pcm16:
    """Return a sine at 16 kHz."""
    phase = 2 * np.pi * hz * np.arange(samples) / SAMPLE_RATE_HZ
    return (amplitude * np.sin(phase)).astype(np.int16)


def drop(packets: Sequence[OpusPacket], loss_pattern: Sequence[bool]) -> list[OpusPacket | None]:
    """Return the packets with ``None`` in the place of each that the pattern loses, repeating."""
    return [
        None if loss_pattern[index % len(loss_pattern)] else packet
        for index, packet in enumerate(packets)
    ]
