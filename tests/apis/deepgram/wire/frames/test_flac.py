import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.apis.deepgram.wire.frames.flac import MAX_FRAME_BYTES, FlacSplitter, parse_flac_header
from auricle.apis.deepgram.wire.frames.splitter import MAX_JUNK_BYTES
from auricle.values.errors import AudioError
from auricle.values.types import FrameCodec
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, split

pytestmark = pytest.mark.unit

PCM = CLIPS["short.wav"].pcm
FILE = encoded(PCM, FrameCodec.FLAC)


@pytest.mark.parametrize("size_bytes", [1, 100, 1_000_000])
def test_a_stream_is_split_into_its_frames_however_it_arrives(size_bytes: int) -> None:
    splitter = FlacSplitter()
    frames = split(FILE, splitter, size_bytes)
    joined = b"".join(frame.data for frame in frames)
    assert FILE.endswith(joined)
    assert splitter.header == FILE[8:42]
    assert sum(frame.samples for frame in frames) == PCM.size
    assert len(frames) > 10


def test_a_frame_is_returned_with_the_header_of_the_next() -> None:
    frames = split(FILE, FlacSplitter())
    splitter = FlacSplitter()
    splitter.receive_data(FILE[: FILE.index(frames[0].data)] + frames[0].data)
    assert splitter.next_frame() is None
    splitter.receive_data((frames[1].data + frames[2].data)[:16])
    assert splitter.next_frame() == frames[0]


def test_a_beginning_of_another_number_is_a_part_of_the_frame() -> None:
    frames = split(FILE, FlacSplitter())
    start = FILE[: FILE.index(frames[0].data)]
    odd = frames[0].data + frames[7].data[:20]  # a valid header, but not the next one
    content = start + odd + frames[1].data + frames[2].data
    assert [frame.data for frame in split(content, FlacSplitter())] == [
        odd,
        frames[1].data,
        frames[2].data,
    ]


def test_a_stream_that_starts_anew_continues() -> None:
    frames = split(FILE, FlacSplitter())
    again = split(FILE + FILE, FlacSplitter())
    assert len(again) == 2 * len(frames)


def test_other_bytes_between_frames_are_passed_over() -> None:
    frames = split(FILE, FlacSplitter())
    start = FILE[: FILE.index(frames[0].data)]
    content = start + b"\xff\xf8 no header \xff" + b"".join(frame.data for frame in frames)
    assert split(content, FlacSplitter()) == frames


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"RIFF", "no header"),
        (b"fLaC\x04\x00\x00\x22" + bytes(34), "STREAMINFO"),
        (b"fLaC\x00\x00\x00\x22" + bytes(34), "sample rate 0"),
        (FILE[:4] + b"\x80" + FILE[5:42] + bytes(MAX_JUNK_BYTES + 20), "64 KiB"),
    ],
)
def test_what_is_no_flac_is_an_error(content: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        split(content, FlacSplitter())


def test_a_frame_without_an_end_is_an_error() -> None:
    frames = split(FILE, FlacSplitter())
    start = FILE[: FILE.index(frames[0].data)]
    with pytest.raises(AudioError, match="1 MiB"):
        split(start + frames[0].data + bytes(MAX_FRAME_BYTES), FlacSplitter(), 100_000)


def test_headers_with_their_own_rate_and_size() -> None:
    frame = split(FILE, FlacSplitter())[3]
    header = parse_flac_header(frame.data[:16])
    assert header is not None
    assert (header.samples, header.rate_hz, header.number) == (1152, 16_000, 3)
    assert header.next_number == 4
    broken = bytearray(frame.data[:16])
    broken[4] ^= 1
    assert parse_flac_header(bytes(broken)) is None


@given(st.binary(max_size=3000), st.data())
def test_any_bytes_are_split_without_an_unexpected_error(noise: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(42, len(FILE)))
    content = FILE[:at] + noise + FILE[at:]
    try:
        frames = split(content, FlacSplitter())
    except AudioError:
        return
    assert all(frame.data in content for frame in frames)
