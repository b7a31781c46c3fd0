import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.apis.deepgram.wire.frames.mpeg import MpegSplitter
from auricle.apis.deepgram.wire.frames.splitter import MAX_JUNK_BYTES
from auricle.values.errors import AudioError
from auricle.values.types import FrameCodec
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, split

pytestmark = pytest.mark.unit

CODECS = (FrameCodec.MP3, FrameCodec.AAC)
PCM = CLIPS["short.wav"].pcm
FILES = {codec: encoded(PCM, codec) for codec in CODECS}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size_bytes", [1, 100, 1_000_000])
def test_a_stream_is_split_into_its_frames_however_it_arrives(
    codec: FrameCodec, size_bytes: int
) -> None:
    data = FILES[codec]
    frames = split(data, MpegSplitter(codec), size_bytes)
    joined = b"".join(frame.data for frame in frames)
    assert data.endswith(joined)  # all but the tag of MP3
    assert len(data) - len(joined) < 100
    assert sum(frame.samples for frame in frames) == pytest.approx(PCM.size, abs=3000)


@pytest.mark.parametrize("codec", CODECS)
def test_a_frame_is_returned_with_its_last_byte(codec: FrameCodec) -> None:
    splitter = MpegSplitter(codec)
    first, second, third, *_ = split(FILES[codec], MpegSplitter(codec))
    splitter.receive_data(first.data)
    assert splitter.next_frame() is None  # it may be no frame
    splitter.receive_data(second.data)
    assert (splitter.next_frame(), splitter.next_frame()) == (first, second)
    splitter.receive_data(third.data[:-1])
    assert splitter.next_frame() is None
    splitter.receive_data(third.data[-1:])
    assert splitter.next_frame() == third


@pytest.mark.parametrize("codec", CODECS)
def test_other_bytes_between_frames_are_passed_over(codec: FrameCodec) -> None:
    frames = split(FILES[codec], MpegSplitter(codec))
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\xff\xfb\x90\x00" * 32
    noise = b"\xff\xe0 no frame \xff ID3 is\xff no tag \xff"
    data = b"".join(frame.data for frame in frames[:5])
    rest = b"".join(frame.data for frame in frames[5:])
    assert split(tag + data + noise + tag + rest, MpegSplitter(codec)) == frames


@pytest.mark.parametrize("codec", CODECS)
def test_too_many_bytes_without_a_frame_are_an_error(codec: FrameCodec) -> None:
    with pytest.raises(AudioError, match="no .* frames in 64 KiB"):
        split(bytes(MAX_JUNK_BYTES + 1), MpegSplitter(codec))
    with pytest.raises(AudioError, match="tag"):
        split(b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", MpegSplitter(codec))


@given(st.sampled_from(CODECS), st.binary(max_size=3000), st.data())
def test_any_bytes_are_split_without_an_unexpected_error(
    codec: FrameCodec, noise: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(FILES[codec])))
    content = FILES[codec][:at] + noise + FILES[codec][at:]
    try:
        frames = split(content, MpegSplitter(codec))
    except AudioError:
        return  # noise may state a huge tag
    assert all(frame.data in content and 0 < frame.samples < 16_000 for frame in frames)
