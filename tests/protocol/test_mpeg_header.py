import pytest

from auricle.protocol.mpeg_header import MpegHeader, parse_adts_header, parse_mp3_header

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("head", "header"),
    [
        ("fffb9000", MpegHeader(417, 44_100, 1152)),  # MPEG-1, 128 kbit/s
        ("fffb9200", MpegHeader(418, 44_100, 1152)),  # padded
        ("fff348c4", MpegHeader(144, 16_000, 576)),  # MPEG-2, 32 kbit/s
        ("ffe318c4", MpegHeader(72, 8_000, 576)),  # MPEG-2.5
        ("fffb00c4", None),  # free format
        ("fffbf0c4", None),  # forbidden bit rate
        ("fffb9cc4", None),  # reserved sample rate
        ("fffd9000", None),  # layer II
        ("fffb90", None),
    ],
)
def test_headers_of_mp3(head: str, header: MpegHeader | None) -> None:
    assert parse_mp3_header(bytes.fromhex(head)) == header


@pytest.mark.parametrize(
    ("head", "header"),
    [
        ("fff16040039ffc", MpegHeader(28, 16_000, 1024)),
        ("fff16040039ffd", MpegHeader(28, 16_000, 2048)),  # two blocks
        ("fff17440039ffc", None),  # reserved sample rate
        ("fff160400000fc", None),  # shorter than its header
        ("fff16040039f", None),
    ],
)
def test_headers_of_adts(head: str, header: MpegHeader | None) -> None:
    assert parse_adts_header(bytes.fromhex(head)) == header
