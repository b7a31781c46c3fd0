import pytest

from auricle.apis.deepgram.wire.frames.splitter import MAX_JUNK_BYTES, JunkLimit, frame_of
from auricle.values.errors import AudioError
from auricle.values.types import CompressedFrame

pytestmark = pytest.mark.unit


def test_a_frame_resets_the_count() -> None:
    limit = JunkLimit("MP3")
    limit.add(MAX_JUNK_BYTES)
    limit.reset()
    limit.add(MAX_JUNK_BYTES)
    with pytest.raises(AudioError, match="no MP3 frames"):
        limit.add(1)


def test_a_frame_has_its_duration_at_16_khz() -> None:
    assert frame_of(b"x", 1152, 48_000) == CompressedFrame(b"x", 384)
