"""FFmpeg's filters without its threads: the same samples as PyAV's own resampler."""

import av
import numpy as np
import psutil
import pytest
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from auricle.workers.kinds.decode.resampler import FrameResampler

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(1)


def noise(sample_format: str, layout: str, rate_hz: int, samples: int) -> AudioFrame:
    channels = len(av.AudioLayout(layout).channels)
    is_planar = sample_format.endswith("p")
    shape = (channels, samples) if is_planar else (1, channels * samples)
    data = RNG.standard_normal(shape)
    is_float = sample_format.startswith("flt")
    typed = (data * 0.5).astype(np.float32) if is_float else (data * 10_000).astype(np.int16)
    frame = AudioFrame.from_ndarray(typed, format=sample_format, layout=layout)
    frame.sample_rate = rate_hz
    return frame


def samples_of(frames: list[AudioFrame]) -> list[float]:
    return [sample for frame in frames for sample in frame.to_ndarray().reshape(-1).tolist()]


@pytest.mark.parametrize("sample_format", ["s16", "s16p", "fltp"])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_its_samples_are_those_of_pyavs_resampler(
    sample_format: str, layout: str, rate_hz: int
) -> None:
    ours, theirs = FrameResampler(), AudioResampler(format="s16", layout="mono", rate=16_000)
    expected: list[float] = []
    found: list[float] = []
    for length in (rate_hz, 1, rate_hz // 3):
        frame = noise(sample_format, layout, rate_hz, length)
        found += samples_of(ours.resample(frame))
        expected += samples_of(theirs.resample(frame))
    found += samples_of(ours.resample(None))
    expected += samples_of(theirs.resample(None))
    assert found == expected
    assert abs(len(found) - (rate_hz + 1 + rate_hz // 3) * 16_000 / rate_hz) < 2


def test_nothing_in_gives_nothing() -> None:
    assert FrameResampler().resample(None) == []


def test_it_starts_no_threads() -> None:
    before = psutil.Process().num_threads()
    resamplers = [FrameResampler() for _ in range(8)]
    assert all(resampler.resample(noise("s16", "mono", 48_000, 4800)) for resampler in resamplers)
    assert psutil.Process().num_threads() <= before


@pytest.mark.parametrize("sample_format", ["s16", "s16p", "fltp"])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_one_channel_is_as_if_it_were_alone(sample_format: str, layout: str) -> None:
    frame = noise(sample_format, layout, 8_000, 8_000)
    channels = frame.layout.nb_channels
    data = frame.to_ndarray()
    columns = data if frame.format.is_planar else data.reshape(-1, channels).T
    for channel, column in enumerate(columns):
        single = AudioFrame.from_ndarray(
            np.ascontiguousarray(column)[None], format=sample_format, layout="mono"
        )
        single.sample_rate = 8_000
        apart, alone = FrameResampler(channel), FrameResampler()
        found = samples_of(apart.resample(frame)) + samples_of(apart.resample(None))
        expected = samples_of(alone.resample(single)) + samples_of(alone.resample(None))
        assert np.abs(np.subtract(found, expected)).max() <= 1


def test_a_channel_that_frames_do_not_have_is_silence_of_their_length() -> None:
    resampler = FrameResampler(1)
    samples = samples_of(resampler.resample(noise("s16", "mono", 16_000, 1600)))
    assert samples == [0] * 1600
