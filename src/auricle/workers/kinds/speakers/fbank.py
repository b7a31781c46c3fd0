"""Kaldi's filter bank, as speaker models read it: the log energy of 80 mel bands every 10 ms.

The parameters are those of ``torchaudio.compliance.kaldi.fbank(num_mel_bins=80, dither=0)``, with
which 3D-Speaker and WeSpeaker train their models.
"""

import functools

import numpy as np
import numpy.typing as npt

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

Features = npt.NDArray[np.float32]
"""float32, shape [frames, ``BANDS``]."""

BANDS = 80
FRAME_SAMPLES = 25 * SAMPLE_RATE_HZ // 1000
STEP_SAMPLES = 10 * SAMPLE_RATE_HZ // 1000

_FFT_SAMPLES = 512
_PREEMPHASIS = 0.97
_LOWEST_HZ, _HIGHEST_HZ = 20.0, SAMPLE_RATE_HZ / 2
_FLOOR = float(np.finfo(np.float32).eps)
"""Lowest energy, of samples in [-1, 1]."""


def filter_bank(pcm: Pcm16) -> Features:
    """Return the features of a stretch of speech, with the mean of each band removed.

    Returns:
        One frame for each 10 ms that has 25 ms of audio; none if there is less.
    """
    if pcm.size < FRAME_SAMPLES:
        return np.zeros((0, BANDS), np.float32)
    samples = pcm.astype(np.float32) / 32768
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::STEP_SAMPLES]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - _PREEMPHASIS * before) * _window(), _FFT_SAMPLES)
    power = spectrum.real**2 + spectrum.imag**2
    energies = np.log(np.maximum(power.astype(np.float32) @ _mel_filters(), _FLOOR))
    return np.asarray(energies - energies.mean(axis=0), np.float32)


def is_silent(pcm: Pcm16) -> bool:
    """Return whether this is digital silence, which has no features."""
    return bool(pcm.min() == pcm.max())


@functools.cache
def _window() -> npt.NDArray[np.float32]:
    """Return Kaldi's "povey" window: a Hann window to the power of 0.85."""
    hann = np.hanning(FRAME_SAMPLES)
    return (hann**0.85).astype(np.float32)


@functools.cache
def _mel_filters() -> npt.NDArray[np.float32]:
    """Return triangular filters that overlap by half, of equal width in mel; shape [bins, bands].

    Kaldi draws the triangles in mel, not in Hz.
    """
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(_HIGHEST_HZ), BANDS + 2)
    bins = _mel(np.arange(_FFT_SAMPLES // 2 + 1) * (SAMPLE_RATE_HZ / _FFT_SAMPLES))[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def _mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(frequency_hz, np.float64) / 700.0)
