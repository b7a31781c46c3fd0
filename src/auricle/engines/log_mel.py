"""Whisper's log-mel spectrogram, bit by bit as in faster-whisper; other models use it, too."""

import numpy as np
import numpy.typing as npt

from auricle.values.types import SAMPLE_RATE_HZ

SAMPLES_PER_FRAME = 160
FOURIER_SAMPLES = 400
"""Length of a Fourier window: 25 ms."""
MAX_MEL = 45.245640471924965
"""8 kHz on the mel scale."""
MIN_LOG_HZ, HZ_PER_MEL, LOG_STEP = 1000.0, 200.0 / 3, np.log(6.4) / 27.0
"""Slaney's scale: linear up to 1 kHz, logarithmic above."""
MIN_POWER = 1e-10
DYNAMIC_RANGE = 8.0
"""Decades below the loudest value at which the spectrogram is clipped."""

Samples = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]
"""Log-mel spectrogram, float32, shape [mels, frames]."""


class Spectrogram:
    """Computes spectrograms of one number of mel bands: 80, or 128 for large-v3."""

    def __init__(self, mels: int) -> None:
        self._filters = mel_filters(mels).astype(np.float32)
        self._window = np.hanning(FOURIER_SAMPLES + 1)[:-1].astype(np.float32)

    def __call__(self, samples: Samples) -> Features:
        """Return the spectrogram, shape [mels, samples / 160].

        Args:
            samples: At least ``FOURIER_SAMPLES``, -1..1.
        """
        half = FOURIER_SAMPLES // 2
        padded = np.pad(np.pad(samples, (0, SAMPLES_PER_FRAME)), half, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, FOURIER_SAMPLES)
        windows = windows[::SAMPLES_PER_FRAME][:-1] * self._window
        spectrum = np.fft.rfft(windows, axis=-1).astype(np.complex64).T
        mels = self._filters @ np.abs(spectrum) ** 2
        logarithms = np.log10(np.clip(mels, MIN_POWER, None))
        logarithms = np.maximum(logarithms, logarithms.max() - DYNAMIC_RANGE)
        features: Features = (logarithms + 4.0) / 4.0
        return features[:, :-1]  # the last frame is padding


def mel_filters(mels: int) -> npt.NDArray[np.float64]:
    """Return triangular filters of constant energy, shape [mels, Fourier bins]."""
    bins_hz = np.fft.rfftfreq(FOURIER_SAMPLES, 1.0 / SAMPLE_RATE_HZ)
    scale = np.linspace(0.0, MAX_MEL, mels + 2)
    edges_hz = HZ_PER_MEL * scale
    min_log_mel = MIN_LOG_HZ / HZ_PER_MEL
    is_log = scale >= min_log_mel
    edges_hz[is_log] = MIN_LOG_HZ * np.exp(LOG_STEP * (scale[is_log] - min_log_mel))
    widths = np.diff(edges_hz)
    ramps = edges_hz[:, np.newaxis] - bins_hz
    rising = -ramps[:-2] / widths[:-1, np.newaxis]
    falling = ramps[2:] / widths[1:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis])
