import pytest

from auricle.audio.demux.ogg import OggDemuxer
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat
from auricle.values.types import OpusPacket
from tests.support.containers import (
    CONTINUED,
    FIRST,
    LAST,
    ogg_page,
    ogg_stream,
    opus_head,
)

pytestmark = pytest.mark.unit

HEAD = ogg_page([opus_head()], flags=FIRST)
TAGS = ogg_page([b"OpusTags" + bytes(8)], number=1)


def packet(number: int, size: int = 20) -> OpusPacket:
    return OpusPacket(bytes([9 << 3]) + bytes([number] * (size - 1)))


def packets(stream: bytes) -> list[OpusPacket]:
    demuxer = OggDemuxer()
    demuxer.receive_data(stream)
    demuxer.receive_eof()
    return [track_packet.packet for track_packet in iter(demuxer.next_packet, None)]


@pytest.mark.parametrize("size", [1, 254, 255, 256, 509, 510, 511, 3_999, 4_000])
def test_packets_of_all_sizes_are_whole(size: int) -> None:
    sent = [packet(1, size), packet(2, size), packet(3)]
    assert packets(ogg_stream(sent)) == sent
    assert packets(HEAD + TAGS + ogg_page(sent, number=2)) == sent


def test_a_packet_continues_over_pages() -> None:
    long = packet(5, 900)
    stream = (
        HEAD
        + TAGS
        + ogg_page([packet(1), long[:255]], number=2, is_last_open=True)
        + ogg_page([long[255:510]], number=3, flags=CONTINUED, is_last_open=True)
        + ogg_page([long[510:], packet(2)], number=4, flags=CONTINUED)
    )
    assert packets(stream) == [packet(1), long, packet(2)]


def test_a_packet_that_ends_with_a_full_segment_ends_on_the_next_page() -> None:
    full = packet(5, 510)
    stream = (
        HEAD
        + TAGS
        + ogg_page([full], number=2, is_last_open=True)
        + ogg_page([b"", packet(2)], number=3, flags=CONTINUED)
    )
    assert packets(stream) == [full, packet(2)]


def test_tags_of_many_pages_are_skipped() -> None:
    tags = b"OpusTags" + bytes(255 * 254 - 8)
    pages = [ogg_page([tags], number=1, is_last_open=True)]
    pages += [
        ogg_page([bytes(255 * 255)], number=n, flags=CONTINUED, is_last_open=True)
        for n in range(2, 20)
    ]
    stream = HEAD + b"".join(pages) + ogg_page([b"end", packet(1)], number=20, flags=CONTINUED)
    assert packets(stream) == [packet(1)]


def test_lost_pages_cost_the_packets_on_them_and_no_other() -> None:
    long = packet(5, 900)
    first = ogg_page([packet(1), long[:510]], number=2, is_last_open=True)
    lost = ogg_page([long[510:765]], number=3, flags=CONTINUED, is_last_open=True)
    middle = ogg_page([long[765:], packet(2)], number=4, flags=CONTINUED)
    last = ogg_page([packet(3)], number=5)
    assert packets(HEAD + TAGS + first + lost + middle + last)[1] == long
    expected = [packet(1), packet(2), packet(3)]
    assert packets(HEAD + TAGS + first + middle + last) == expected
    assert packets(HEAD + TAGS + lost + middle + last) == expected[1:]
    assert packets(HEAD + TAGS + first + last) == [packet(1), packet(3)]


def test_an_empty_packet_is_passed_over() -> None:
    assert packets(HEAD + TAGS + ogg_page([b"", packet(1), b""], number=2)) == [packet(1)]


def test_page_numbers_may_wrap() -> None:
    long = packet(5, 300)
    stream = HEAD + TAGS + ogg_page([long[:255]], number=2**32 - 1, is_last_open=True)
    assert packets(stream + ogg_page([long[255:]], number=0, flags=CONTINUED)) == [long]


@pytest.mark.parametrize("last_flags", [LAST, 0])
def test_streams_one_after_another_are_followed(last_flags: int) -> None:
    first = HEAD + TAGS + ogg_page([packet(1)], number=2, flags=last_flags)
    second = ogg_stream([packet(2)], serial=8, head=opus_head(pre_skip_ticks=960))
    demuxer = OggDemuxer()
    demuxer.receive_data(first + second)
    track_packets = list(iter(demuxer.next_packet, None))
    assert [(f.packet, f.skip_samples) for f in track_packets] == [
        (packet(1), 104),
        (packet(2), 320),
    ]


def test_other_streams_in_the_file_are_skipped() -> None:
    foreign = ogg_page([b"\x80theora"], flags=FIRST, serial=1)
    other = ogg_page([opus_head()], flags=FIRST, serial=9)
    stream = (
        foreign
        + HEAD
        + other
        + ogg_page([bytes(3_000)], number=1, serial=1)
        + TAGS
        + ogg_page([b"OpusTags"], number=1, serial=9)
        + ogg_page([packet(1)], number=2, flags=LAST)
        + ogg_page([packet(9)], number=2, serial=9)
        + ogg_page([bytes(3_000)], number=2, serial=1)
    )
    assert packets(stream) == [packet(1)]


def test_another_codec_after_the_opus_is_not_supported() -> None:
    stream = ogg_stream([packet(1)]) + ogg_page([b"\x01vorbis"], flags=FIRST, serial=2)
    assert packets(stream) == [packet(1)]
    with pytest.raises(UnsupportedFormat):
        packets(stream + ogg_page([b"\x03vorbis"], number=1, serial=2))


@pytest.mark.parametrize("at", [4, 5, 6, 14, 18, 22, 26, 27, 28, 47])
def test_every_byte_of_a_page_is_checked(at: int) -> None:
    page = bytearray(ogg_page([packet(1)], number=2))
    page[at] ^= 1
    with pytest.raises(RemoteProtocolError):
        packets(HEAD + TAGS + bytes(page) + bytes(255))


def test_a_stream_that_is_joined_in_its_middle_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="first page"):
        packets(ogg_page([packet(1)], number=200))


def test_a_first_page_without_a_header_is_another_codec() -> None:
    with pytest.raises(UnsupportedFormat):
        packets(ogg_page([], flags=FIRST) + TAGS)


def test_a_packet_that_never_ends_is_refused_before_it_is_kept() -> None:
    pages = [ogg_page([bytes(255 * 10)], number=2, is_last_open=True)]
    pages += [ogg_page([bytes(255 * 10)], number=3, flags=CONTINUED, is_last_open=True)]
    with pytest.raises(RemoteProtocolError, match="4000"):
        packets(HEAD + TAGS + b"".join(pages))
