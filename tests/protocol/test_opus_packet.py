import ctypes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auricle.audio.opus import find_libopus
from auricle.protocol.opus_packet import MAX_PACKET_TICKS, PacketShape, parse_packet
from auricle.values.errors import RemoteProtocolError
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets

pytestmark = pytest.mark.unit

WIDEBAND_20_MS = 9


def toc(config: int, code: int, stereo: bool = False) -> int:
    return config << 3 | stereo << 2 | code


def frames_by_libopus(packet: bytes) -> int:
    """Return libopus's frame count, or a negative number if it rejects the packet."""
    sizes = (ctypes.c_int16 * 48)()
    functions = find_libopus().functions
    return int(functions.opus_packet_parse(packet, len(packet), None, None, sizes, None))


# Packets near the limits: any TOC, any frame count, and then bytes that make likely lengths.
PACKETS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda first, count, body, fill: bytes([first, count]) + body + bytes(fill),
        st.integers(0, 255),
        st.integers(0, 255),
        st.lists(st.sampled_from([0, 1, 2, 5, 100, 251, 252, 253, 254, 255]), max_size=12).map(
            bytes
        ),
        st.integers(0, 2_700),
    ),
)


@settings(max_examples=1_500)
@given(PACKETS)
@example(bytes([toc(9, 0)]) + bytes(1275))
@example(bytes([toc(9, 0)]) + bytes(1276))
@example(bytes([toc(9, 1)]) + bytes(2550))
@example(bytes([toc(9, 1)]) + bytes(2552))
@example(bytes([toc(9, 1)]) + bytes(3))
@example(bytes([toc(9, 2)]))
@example(bytes([toc(9, 2), 252]))
@example(bytes([toc(9, 2), 252, 0]) + bytes(252))
@example(bytes([toc(9, 2), 255, 255]) + bytes(1275 + 1275))
@example(bytes([toc(9, 2), 255, 255]) + bytes(1275 + 1276))
@example(bytes([toc(9, 3), 0x41, 255, 1]) + bytes(255))
@example(bytes([toc(9, 3), 0x41, 255, 1]) + bytes(254))
@example(bytes([toc(9, 3), 0x41, 255]))
@example(bytes([toc(9, 3), 0xC2, 0, 3]) + bytes(3))
@example(bytes([toc(9, 3), 0xC2, 1, 3]) + bytes(3))
@example(bytes([toc(9, 1)]) + bytes(2551))
@example(bytes([toc(9, 2), 252]) + bytes(251))
@example(bytes([toc(9, 2), 251]) + bytes(251))
@example(bytes([toc(9, 3), 0x81]) + bytes(1275))
@example(bytes([toc(9, 3), 0x81]) + bytes(1276))
@example(bytes([toc(16, 3), 1, 0]))
@example(bytes([toc(9, 3), 0x41, 255, 255, 1]) + bytes(254 + 254 + 1))
@example(bytes([toc(9, 3), 0x41, 255, 255, 1]) + bytes(254 + 254))
def test_it_agrees_with_libopus_on_every_packet(packet: bytes) -> None:
    theirs = frames_by_libopus(packet)
    if theirs < 0:
        with pytest.raises(RemoteProtocolError):
            parse_packet(packet)
    else:
        assert parse_packet(packet).frames == theirs


@pytest.mark.parametrize(
    ("first", "ticks"),
    [(0, 480), (1, 960), (2, 1920), (3, 2880), (11, 2880), (12, 480), (15, 960), (16, 120)]
    + [(17, 240), (18, 480), (19, 960), (31, 960)],
)
def test_the_configuration_reports_the_length_of_a_frame(first: int, ticks: int) -> None:
    packet = bytes([toc(first, 0, stereo=True), 1, 2])
    assert parse_packet(packet) == PacketShape(first, is_stereo=True, frames=1, ticks=ticks)


@pytest.mark.parametrize(("code", "frames"), [(0, 1), (1, 2)])
def test_the_number_of_frames_does_not_make_a_packet_stereo(code: int, frames: int) -> None:
    packet = bytes([toc(WIDEBAND_20_MS, code), 1, 2])
    assert parse_packet(packet) == PacketShape(WIDEBAND_20_MS, False, frames, frames * 960)


@pytest.mark.parametrize("frames", [0, 1, 5, 6, 7, 63])
def test_a_packet_lasts_120_ms_at_most(frames: int) -> None:
    packet = bytes([toc(WIDEBAND_20_MS, 3), frames])
    if 1 <= frames <= 6:
        assert parse_packet(packet).ticks == frames * 960 <= MAX_PACKET_TICKS
    else:
        with pytest.raises(RemoteProtocolError, match=r"\[R5\]"):
            parse_packet(packet)


@pytest.mark.parametrize(
    ("packet", "rule"),
    [
        (b"", "R1"),
        (bytes([toc(9, 0)]) + bytes(1276), "R2"),
        (bytes([toc(9, 1), 1]), "R3"),
        (bytes([toc(9, 2), 5, 0]), "R4"),
        (bytes([toc(9, 2)]), "R4"),
        (bytes([toc(9, 3)]), "R6"),
        (bytes([toc(9, 3), 2, 0, 0, 0]), "R6"),
        (bytes([toc(9, 3), 0x82, 9, 0]), "R7"),
        (bytes([toc(9, 3), 0x41, 255]), "R6"),
    ],
)
def test_the_broken_rule_is_named(packet: bytes, rule: str) -> None:
    with pytest.raises(RemoteProtocolError, match=rule):
        parse_packet(packet)


@pytest.mark.parametrize(("frame_ms", "ticks"), [(2.5, 120), (10, 480), (20, 960), (60, 2880)])
def test_real_packets_are_well_formed(frame_ms: float, ticks: int) -> None:
    for packet in encode_packets(CLIPS["short.wav"].pcm, frame_ms):
        shape = parse_packet(packet)
        assert (shape.ticks, shape.is_stereo) == (ticks, False)
