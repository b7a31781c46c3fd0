import numpy as np
import pytest

from auricle.values.types import FrameCodec
from auricle.workers.kinds.frames.decoder import LiveFrameDecoder
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, likeness, split, splitter_of

pytestmark = pytest.mark.unit

PCM = CLIPS["short.wav"].pcm


@pytest.mark.parametrize("codec", FrameCodec)
def test_frames_become_the_samples_that_were_encoded(codec: FrameCodec) -> None:
    splitter = splitter_of(codec)
    frames = [(frame.data, frame.samples) for frame in split(encoded(PCM, codec), splitter)]
    decoder = LiveFrameDecoder(codec, splitter.header)
    parts = [decoder.decode(frames[at : at + 3]) for at in range(0, len(frames), 3)]
    decoded = np.concatenate(parts)
    assert decoder.failures == 0
    assert decoded.dtype == np.int16
    assert decoded.size == pytest.approx(PCM.size, abs=3000)  # encoders fill their last frame
    assert likeness(decoded, PCM) > 0.98
    whole = LiveFrameDecoder(codec, splitter.header).decode(frames)
    assert whole.tolist() == decoded.tolist()


@pytest.mark.parametrize("codec", FrameCodec)
def test_a_frame_that_can_not_be_decoded_is_silence_of_its_length(codec: FrameCodec) -> None:
    splitter = splitter_of(codec)
    frames = [(frame.data, frame.samples) for frame in split(encoded(PCM, codec), splitter)]
    whole = LiveFrameDecoder(codec, splitter.header).decode(frames)
    decoder = LiveFrameDecoder(codec, splitter.header)
    broken = [(b"no frame", samples) for _, samples in frames[5:8]]
    before = decoder.decode([*frames[:5], *broken])
    assert decoder.failures == 3
    after = decoder.decode(frames[8:])
    assert decoder.failures == 0
    assert before.size + after.size == pytest.approx(whole.size, abs=64)
    assert not before[-2 * frames[5][1] :].any()


def test_channels_are_mixed_and_rates_may_change() -> None:
    stereo = encoded(PCM, FrameCodec.MP3)
    frames = [(each.data, each.samples) for each in split(stereo, splitter_of(FrameCodec.MP3))]
    other = [
        (each.data, each.samples)
        for each in split(CLIPS["fellow.mp3"].path.read_bytes(), splitter_of(FrameCodec.MP3))
    ]
    decoder = LiveFrameDecoder(FrameCodec.MP3, b"")
    decoded = decoder.decode([*frames, *other])
    expected = sum(samples for _, samples in [*frames, *other])
    assert decoded.size == pytest.approx(expected, rel=0.01)
