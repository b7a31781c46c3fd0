import numpy as np
import pytest

from auricle.values.types import FrameCodec
from auricle.workers.child.channel import WireBroken
from auricle.workers.kinds.frames.child import OpenFrameStreams
from auricle.workers.kinds.frames.messages import DecodeFrames, FrameMessage
from auricle.workers.wire.messages import CloseStream
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, split, splitter_of

pytestmark = pytest.mark.unit

FRAMES = tuple(
    FrameMessage(frame.data, frame.samples)
    for frame in split(encoded(CLIPS["short.wav"].pcm, FrameCodec.MP3), splitter_of(FrameCodec.MP3))
)


def step(
    frames: tuple[FrameMessage, ...],
    *,
    opens: bool = False,
    warm_up: tuple[FrameMessage, ...] = (),
) -> DecodeFrames:
    return DecodeFrames("s", FrameCodec.MP3, b"", opens, warm_up, frames)


def test_a_stream_that_opens_again_has_the_samples_that_follow() -> None:
    streams = OpenFrameStreams()
    streams.step(step(FRAMES[:20], opens=True))
    expected = np.frombuffer(streams.step(step(FRAMES[20:])).pcm, "<i2").astype(int)
    again = OpenFrameStreams().step(step(FRAMES[20:], opens=True, warm_up=FRAMES[:20]))
    resumed = np.frombuffer(again.pcm, "<i2").astype(int)
    assert again.failures == 0
    assert resumed.tolist() == expected.tolist()


def test_failures_are_those_at_the_end_of_the_step() -> None:
    streams = OpenFrameStreams()
    broken = FrameMessage(b"no frame", 576)
    opened = step((broken, FRAMES[0], broken, broken), opens=True, warm_up=(broken,))
    assert streams.step(opened).failures == 2
    assert streams.step(step((broken, broken))).failures == 2
    assert streams.step(step((broken, FRAMES[1]))).failures == 0


def test_a_closed_stream_is_not_open() -> None:
    streams = OpenFrameStreams()
    streams.step(step(FRAMES[:1], opens=True))
    streams.close(CloseStream("s"))
    streams.close(CloseStream("s"))
    with pytest.raises(WireBroken):
        streams.step(step(FRAMES[:1]))
