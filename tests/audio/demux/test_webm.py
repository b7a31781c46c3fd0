import pytest

from auricle.audio.demux.webm import WebmDemuxer
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat
from auricle.values.types import OpusPacket
from tests.support.containers import (
    EBML_LACING,
    FIXED,
    UNKNOWN,
    XIPH,
    block_group,
    cluster,
    element,
    opus_head,
    simple_block,
    track_entry,
    vint,
    webm_head,
    webm_stream,
)

pytestmark = pytest.mark.unit


def packet(number: int, size: int = 20) -> OpusPacket:
    return OpusPacket(bytes([9 << 3]) + bytes([number] * (size - 1)))


def packets(stream: bytes) -> list[OpusPacket]:
    demuxer = WebmDemuxer()
    demuxer.receive_data(stream)
    demuxer.receive_eof()
    return [track_packet.packet for track_packet in iter(demuxer.next_packet, None)]


def xiph(frames: list[OpusPacket]) -> bytes:
    sizes = [b"\xff" * (len(f) // 255) + bytes([len(f) % 255]) for f in frames[:-1]]
    return bytes([len(frames) - 1]) + b"".join(sizes) + b"".join(frames)


def ebml_laced(frames: list[OpusPacket]) -> bytes:
    sizes = [len(frame) for frame in frames[:-1]]
    deltas = [b - a for a, b in zip(sizes, sizes[1:], strict=False)]
    coded = [vint(size, 2) for size in sizes[:1]] + [vint(d + 8_191, 2) for d in deltas]
    return bytes([len(frames) - 1]) + b"".join(coded) + b"".join(frames)


def fixed(frames: list[OpusPacket]) -> bytes:
    return bytes([len(frames) - 1]) + b"".join(frames)


UNEVEN = [packet(1, 300), packet(2, 20), packet(3, 255), packet(4, 254), packet(5, 700)]
EVEN = [packet(number, 80) for number in range(5)]


@pytest.mark.parametrize("block", [simple_block, block_group])
@pytest.mark.parametrize(
    ("payload", "lacing", "frames"),
    [
        (xiph(UNEVEN), XIPH, UNEVEN),
        (ebml_laced(UNEVEN), EBML_LACING, UNEVEN),
        (fixed(EVEN), FIXED, EVEN),
        (xiph(EVEN[:1]), XIPH, EVEN[:1]),
        (ebml_laced(EVEN[:1]), EBML_LACING, EVEN[:1]),
        (fixed(EVEN[:1]), FIXED, EVEN[:1]),
        (bytes([1, 80]) + b"".join(EVEN[:2]), XIPH, EVEN[:2]),
        (bytes([2, 0xD0, 0xBF]) + b"".join(EVEN[:3]), EBML_LACING, EVEN[:3]),
    ],
    ids=["xiph", "ebml", "fixed", "xiph one", "ebml one", "fixed one", "xiph short", "ebml short"],
)
def test_laced_frames_come_one_by_one(
    block: type, payload: bytes, lacing: int, frames: list[OpusPacket]
) -> None:
    laced = block(payload, lacing=lacing)
    assert packets(webm_head() + cluster(laced, simple_block(packet(9)))) == [*frames, packet(9)]


@pytest.mark.parametrize(
    ("payload", "lacing"),
    [
        (b"", XIPH),
        (b"\x01", XIPH),
        (b"\x01\xff", XIPH),
        (b"\x01\x05abcd", XIPH),
        (b"", EBML_LACING),
        (b"\x01", EBML_LACING),
        (b"\x01\x00abcd", EBML_LACING),
        (b"\x01\xffabcd", EBML_LACING),
        (b"\x01\x40", EBML_LACING),
        (b"\x01\x85abcd", EBML_LACING),
        (b"\x02\x82\x80abcd", EBML_LACING),
        (b"", FIXED),
        (b"\x01abc", FIXED),
    ],
)
def test_broken_lacing_is_refused(payload: bytes, lacing: int) -> None:
    with pytest.raises(RemoteProtocolError):
        packets(webm_head() + cluster(simple_block(payload, lacing=lacing)))


@pytest.mark.parametrize("content", [b"", b"\x81", b"\x81\0\0", b"\x00\0\0\0", b"\x40"])
def test_a_block_too_short_for_its_head_is_refused(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        packets(webm_head() + cluster(element(0xA3, content)))


def test_blocks_of_other_tracks_are_skipped_however_large() -> None:
    tracks = (track_entry(1, b"V_VP8"), track_entry(2), track_entry(3))
    blocks = (
        simple_block(bytes(300_000), number=1),
        simple_block(packet(2), number=2),
        simple_block(packet(3), number=3),
        block_group(bytes(70_000), number=1),
        block_group(packet(4), number=2),
    )
    assert packets(webm_head(*tracks) + cluster(*blocks)) == [packet(2), packet(4)]


def test_a_track_number_may_have_two_bytes() -> None:
    entry = element(
        0xAE, element(0xD7, b"\x01\x02") + element(0x86, b"A_OPUS") + element(0x63A2, opus_head())
    )
    block = element(0xA3, vint(0x102, 2) + b"\0\0\x80" + packet(1))
    assert packets(webm_head(entry) + cluster(block)) == [packet(1)]


def test_what_is_not_known_or_not_needed_is_skipped() -> None:
    extras = (
        element(0xEC, bytes(100_000)),
        element(0x1254C367, bytes(70_000)),
        element(0x1C53BB6B, b"cues"),
        element(0x7F01, b"something new"),
        element(0xBF, bytes(4)),
    )
    assert packets(webm_head() + cluster(*extras, simple_block(packet(1)))) == [packet(1)]


def test_clusters_of_known_size_are_as_good() -> None:
    known = element(0x1F43B675, element(0xE7, b"\0") + simple_block(packet(1)))
    assert packets(webm_head() + known + known + cluster(simple_block(packet(2)))) == [
        packet(1),
        packet(1),
        packet(2),
    ]


def test_an_empty_frame_is_passed_over() -> None:
    assert packets(webm_head() + cluster(simple_block(b""), simple_block(packet(1)))) == [packet(1)]


def test_a_recording_that_starts_again_is_followed() -> None:
    again = webm_head(track_entry(4, private=opus_head(2, 960)))
    demuxer = WebmDemuxer()
    demuxer.receive_data(webm_stream([packet(1), packet(2)]) + again)
    demuxer.receive_data(cluster(simple_block(packet(3), number=4)))
    track_packets = list(iter(demuxer.next_packet, None))
    assert [(f.skip_samples, f.channels) for f in track_packets] == [(104, 1), (0, 1), (320, 2)]


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (webm_head(track_entry(codec=b"V_VP8")), "no Opus"),
        (webm_head(b""), "no Opus"),
        (webm_head(track_entry(more=element(0x6D80))), "compressed or encrypted"),
        (webm_head(track_entry(private=opus_head(6))), "two channels"),
        (webm_head(doc_type=b"other"), "not WebM"),
    ],
    ids=["video only", "no tracks", "encodings", "surround", "doc type"],
)
def test_what_can_not_be_decoded_is_not_supported(stream: bytes, words: str) -> None:
    with pytest.raises(UnsupportedFormat, match=words):
        packets(stream)


def test_names_may_be_padded_with_zeros() -> None:
    head = webm_head(track_entry(codec=b"A_OPUS\0\0"), doc_type=b"webm\0")
    assert packets(head + cluster(simple_block(packet(1)))) == [packet(1)]


@pytest.mark.parametrize(
    "stream",
    [
        element(0x18538067, size=UNKNOWN),
        element(0x1A45DFA3, element(0x4282, b"webm")) + cluster(simple_block(packet(1))),
        webm_head(track_entry(private=b"")),
        webm_head(element(0xAE, b"\x86\x40")),
        webm_head(element(0xAE, b"\x86\xff")),
        webm_head(element(0xAE, b"\x0f")),
        webm_head(element(0xAE, b"\x1f\x43")),
        webm_head() + element(0x1654AE6B, size=UNKNOWN),
        webm_head() + element(0x1654AE6B, size=64 * 1024 + 1),
        webm_head() + element(0x1254C367, size=16 * 2**20 + 1),
        webm_head() + element(0x7F01, size=64 * 1024 + 1),
        webm_head() + element(0xA3, b"\x81", size=64 * 1024 + 2),
        webm_head() + element(0xA3, size=UNKNOWN),
        webm_head() + b"\x08",
        webm_head() + b"\xec\x00",
    ],
)
def test_what_breaks_the_container_is_refused_before_it_is_kept(stream: bytes) -> None:
    demuxer = WebmDemuxer()
    demuxer.receive_data(stream)
    with pytest.raises(RemoteProtocolError):
        demuxer.next_packet()


def test_a_packet_larger_than_speech_needs_is_refused() -> None:
    demuxer = WebmDemuxer()
    frames = [packet(1), packet(2, 4_001)]
    demuxer.receive_data(webm_head() + cluster(simple_block(xiph(frames), lacing=XIPH)))
    assert demuxer.next_packet() is not None
    with pytest.raises(RemoteProtocolError, match="4000"):
        demuxer.next_packet()
