"""The spectrogram is that of faster-whisper, bit by bit."""

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from auricle.engines.log_mel import FOURIER_SAMPLES, Spectrogram
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS

pytestmark = pytest.mark.model

SPEECH = CLIPS["fellow.wav"].pcm


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize(
    "pcm",
    [SPEECH, SPEECH[:5000], np.ones(FOURIER_SAMPLES, np.int16), np.zeros(560, np.int16)],
    ids=["speech", "start", "constant", "silence"],
)
def test_it_is_what_faster_whisper_computes(mels: int, pcm: Pcm16) -> None:
    samples = pcm.astype(np.float32) / np.float32(32768)
    expected = FeatureExtractor(feature_size=mels)(samples)[:, :-1]
    features = Spectrogram(mels)(samples)
    assert features.shape == expected.shape == (mels, max(1, pcm.size // 160))
    assert features.dtype == expected.dtype
    assert features.tobytes() == expected.tobytes()
