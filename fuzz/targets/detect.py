"""What kind of audio some bytes are, and how far they are framed packets."""

from collections.abc import Iterator

from auricle.protocol.detect import detect, walk_packets
from auricle.protocol.framing import PacketFramer
from auricle.protocol.opus_packet import MAX_PACKET_TICKS
from auricle.values.audio_formats import AudioFormat
from auricle.values.errors import RemoteProtocolError
from fuzz.grammars import join_packets, split_packets
from fuzz.material import PACKETS
from fuzz.mutation import Grammar
from fuzz.target import Target
from tests.support.clips import TESTDATA

MODULES = ("auricle.protocol.detect", "auricle.protocol.opus_packet")
_HEAD_BYTES = 600


def run(data: bytes) -> None:
    """Detect; a framer must find the same packets."""
    found = detect(data)
    assert detect(memoryview(data)) is found, "a view is something else than its bytes"
    cut = detect(data, len(data) + 1)
    assert isinstance(found, AudioFormat)
    assert cut is found or AudioFormat.UNKNOWN in (cut, found), "more bytes make it another format"

    walk = walk_packets(data)
    assert walk.good_bytes <= len(data)
    assert all(0 < ticks <= MAX_PACKET_TICKS for ticks in walk.ticks)
    assert (walk.fault is None) or not walk.is_cut
    assert walk.is_cut or walk.fault or walk.good_bytes == len(data), "bytes are not accounted for"

    packets, is_whole = _framed(data[: walk.good_bytes])
    assert is_whole, "a framer refuses what was found to be good"
    assert packets == len(walk.ticks), "a framer finds other packets"
    if walk.is_cut:
        assert _framed(data) == (packets, False), "a framer misses nothing"


def _framed(data: bytes) -> tuple[int, bool]:
    """Return how many packets a framer finds, and whether it has nothing to complain of."""
    framer, packets = PacketFramer(), 0
    framer.receive_data(data)
    framer.receive_eof()
    try:
        for _ in iter(framer.next_packet, None):
            packets += 1
    except RemoteProtocolError:
        return packets, False
    return packets, True


def seeds() -> Iterator[bytes]:
    """Give the first bytes of each format."""
    for path in sorted(TESTDATA.glob("fellow.*")):
        yield path.read_bytes()[:_HEAD_BYTES]
    yield join_packets(PACKETS[:3])
    yield join_packets(PACKETS[:1])
    yield bytes.fromhex("fff15c4001fffc2100fff15c4001fffc")
    yield (b"\xff\xf3\x14\x00" + bytes(20)) * 2  # MP3 of 8 kbit/s
    yield b"\0\1" * 60


TARGET = Target(
    run,
    seeds,
    Grammar(split_packets, join_packets).mutate,
    words=(b"OggS", b"fLaC", b"\x1a\x45\xdf\xa3", b"RIFF", b"RF64", b"WAVE", b"ftyp", b"ID3"),
    loop_bytes=4096,
)
