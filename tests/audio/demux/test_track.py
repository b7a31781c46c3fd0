import pytest

from auricle.audio.demux.track import OpusTrack, parse_opus_head
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat
from tests.support.containers import opus_head

pytestmark = pytest.mark.unit

PACKET = bytes([9 << 3]) + bytes(20)  # 20 ms


def skips(track: OpusTrack, payload: bytes = PACKET, packets: int = 6) -> list[int]:
    return [track.take(payload).skip_samples for _ in range(packets)]


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        (0, [0, 0, 0, 0, 0, 0]),
        (312, [104, 0, 0, 0, 0, 0]),
        (960, [320, 0, 0, 0, 0, 0]),
        (3_840, [320, 320, 320, 320, 0, 0]),
        (1_000, [320, 13, 0, 0, 0, 0]),
    ],
)
def test_the_pre_skip_is_spread_over_the_first_packets(ticks: int, expected: list[int]) -> None:
    assert skips(parse_opus_head(opus_head(pre_skip_ticks=ticks))) == expected


def test_nothing_is_skipped_of_a_packet_that_can_not_be_decoded() -> None:
    track = parse_opus_head(opus_head())
    assert skips(track, b"\x03", 1) == [0]
    assert skips(track, packets=2) == [104, 0]


@pytest.mark.parametrize("channels", [1, 2])
def test_channels_are_reported(channels: int) -> None:
    assert parse_opus_head(opus_head(channels)).take(PACKET).channels == channels
    mapped = opus_head(channels, mapping=b"\x01\x01\x00\x00\x01")
    assert parse_opus_head(mapped).take(PACKET).channels == channels


@pytest.mark.parametrize(
    "head",
    [
        opus_head(3),
        opus_head(0),
        opus_head(6, mapping=b"\x01\x04\x02\x00\x04\x01\x02\x03\x05"),
        opus_head(2, mapping=b"\xff\x02\x00\x00\x01"),
        opus_head(version=16),
    ],
    ids=["three channels", "none", "surround", "two streams", "later version"],
)
def test_what_one_decoder_can_not_take_is_not_supported(head: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        parse_opus_head(head)


@pytest.mark.parametrize("head", [b"", b"OpusHead", opus_head()[:18], b"x" + opus_head()[1:]])
def test_a_broken_header_is_the_peers_fault(head: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_opus_head(head)


def test_a_packet_may_have_4000_bytes_and_no_more() -> None:
    track = parse_opus_head(opus_head())
    assert len(track.take(bytes(4_000)).packet) == 4_000
    with pytest.raises(RemoteProtocolError, match="4000"):
        track.take(bytes(4_001))
