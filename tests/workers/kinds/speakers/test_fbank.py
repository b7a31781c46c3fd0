import numpy as np
import pytest

from auricle.values.types import SAMPLE_RATE_HZ
from auricle.workers.kinds.speakers.fbank import BANDS, FRAME_SAMPLES, STEP_SAMPLES, filter_bank

pytestmark = pytest.mark.unit

# kaldi-native-fbank 1.23.0: 80 bands from 20 Hz, povey window, no dither, samples in [-1, 1]; the
# mean of each band was removed. Frames 0, 23 and 47; bands 0, 1, 10, 40 and 79.
REFERENCE = [
    [3.8028, 4.4420, 5.5736, 4.4271, 3.8307],
    [3.2731, 3.7639, 5.3266, 3.5684, 4.5528],
    [-3.5409, -4.0073, -4.8938, -4.2754, -4.8445],
]


def test_the_features_are_kaldi_s() -> None:
    noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLE_RATE_HZ // 2, np.int16)
    noise[4000:] //= 100
    features = filter_bank(noise)
    assert features.shape == (48, BANDS)
    assert features.dtype == np.float32
    assert features[[0, 23, 47]][:, [0, 1, 10, 40, 79]] == pytest.approx(
        np.array(REFERENCE), abs=1e-3
    )


@pytest.mark.parametrize(
    ("samples", "frames"),
    [
        (0, 0),
        (FRAME_SAMPLES - 1, 0),
        (FRAME_SAMPLES, 1),
        (FRAME_SAMPLES + STEP_SAMPLES - 1, 1),
        (FRAME_SAMPLES + STEP_SAMPLES, 2),
    ],
)
def test_only_whole_frames_count(samples: int, frames: int) -> None:
    assert filter_bank(np.ones(samples, np.int16)).shape == (frames, BANDS)


@pytest.mark.parametrize("level", [0, 1, -32768])
def test_a_constant_signal_has_no_features(level: int) -> None:
    assert filter_bank(np.full(SAMPLE_RATE_HZ, level, np.int16)) == pytest.approx(0, abs=1e-4)


def test_features_do_not_depend_on_the_level() -> None:
    noise = np.random.default_rng(0).integers(-3000, 3000, SAMPLE_RATE_HZ, np.int16)
    assert filter_bank(noise * 8) == pytest.approx(filter_bank(noise), abs=1e-3)
