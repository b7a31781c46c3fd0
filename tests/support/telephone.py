"""Calls of two parties: 8 kHz, G.711, a party in each channel."""

from collections.abc import Callable
from struct import pack

import numpy as np
import soxr

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

RATE_HZ = 8000
_MU_LAW_CODE, _A_LAW_CODE = 7, 6


def companded(samples: Pcm16, expand: Callable[[bytes], bytes]) -> bytes:
    """Return what a telephone would send: the nearest of its 256 values for each sample."""
    values = np.frombuffer(expand(bytes(range(256))), "<i2").astype(int)
    order = np.argsort(values)
    places = np.searchsorted(values[order], samples).clip(0, 255)
    return bytes(order[places].astype(np.uint8))


def call_of(*parties: tuple[float, Pcm16]) -> Pcm16:
    """Return interleaved samples at 8 kHz of parties that begin to speak at these seconds."""
    tracks = [
        np.concatenate(
            [
                np.zeros(int(at_s * RATE_HZ), np.int16),
                soxr.resample(pcm.astype(np.float32), SAMPLE_RATE_HZ, RATE_HZ).astype(np.int16),
            ]
        )
        for at_s, pcm in parties
    ]
    samples = max(track.size for track in tracks) + RATE_HZ
    padded = [np.pad(track, (0, samples - track.size)) for track in tracks]
    return np.stack(padded, axis=1).reshape(-1)


def wav_of(data: bytes, *, channels: int, is_a_law: bool = False) -> bytes:
    """Return G.711 samples as a recording in WAV."""
    code = _A_LAW_CODE if is_a_law else _MU_LAW_CODE
    form = pack("<HHIIHH", code, channels, RATE_HZ, RATE_HZ * channels, channels, 8)
    chunks = b"WAVEfmt " + pack("<I", len(form)) + form + b"data" + pack("<I", len(data)) + data
    return b"RIFF" + pack("<I", len(chunks)) + chunks
