import pytest

from auricle.apis.readers.wire.hls import encode_playlist

pytestmark = pytest.mark.unit

ZERO = 1_700_000_000.5


def test_a_live_playlist_lists_segments_by_their_number() -> None:
    playlist = encode_playlist(range(3, 5), 31_000, ZERO, "?token=t", is_ended=False).decode()
    assert playlist.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        "#EXT-X-TARGETDURATION:6",
        "#EXT-X-MEDIA-SEQUENCE:3",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:38.500+00:00",
        "#EXTINF:6.000,",
        "captions/3.vtt?token=t",
        "#EXTINF:6.000,",
        "captions/4.vtt?token=t",
    ]


def test_the_last_segment_of_an_ended_session_may_be_shorter() -> None:
    lines = encode_playlist(range(2), 7250, ZERO, "", is_ended=True).decode().splitlines()
    assert lines[-4:] == ["captions/0.vtt", "#EXTINF:1.250,", "captions/1.vtt", "#EXT-X-ENDLIST"]


def test_a_playlist_may_be_empty() -> None:
    lines = encode_playlist(range(0), 0, ZERO, "", is_ended=True).decode().splitlines()
    assert lines[-2:] == ["#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-ENDLIST"]
