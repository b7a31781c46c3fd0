"""Framed and single packets, with and without sequence numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.opus import find_libopus
from auricle.protocol.framing import SEQ, pack
from auricle.session.wire_formats.base import Audio, DecodedAudio, Lost, StreamCounts
from auricle.session.wire_formats.opus import MAX_GAP_S, OpusWire
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import Warned, WarningCode, Wire
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import OpusPacket
from tests.support.opus import encode_packets, tone

pytestmark = pytest.mark.unit

PACKETS = encode_packets(tone(300, 16_000))
HOUR_PACKETS = MAX_GAP_S * 50


def wire(
    format: Wire = Wire.OPUS, *, seq: bool = True, counts: StreamCounts | None = None
) -> OpusWire:
    return OpusWire(
        find_libopus(), StreamParameters(format=format, seq=seq), counts or StreamCounts()
    )


def drain(it: OpusWire) -> list[DecodedAudio]:
    found = []
    while (heard := it.next_decoded()) is not None:
        found.append(heard)
    return found


def take(it: OpusWire, *numbers: int) -> list[DecodedAudio]:
    """Send numbered packets; return the decoded audio, without the empty audio of repeats."""
    for number in numbers:
        it.receive_data(pack(PACKETS[number % len(PACKETS)], number))
    return [heard for heard in drain(it) if not (isinstance(heard, Audio) and not heard.pcm.size)]


def seqs(found: list[DecodedAudio]) -> list[int | None]:
    return [item.seq for item in found if isinstance(item, Audio)]


def sound(found: list[DecodedAudio]) -> list[bytes]:
    return [item.pcm.tobytes() for item in found if isinstance(item, Audio) and item.pcm.size]


@pytest.mark.parametrize("seq", [True, False])
@given(cuts=st.lists(st.integers(0, 800), max_size=12).map(sorted))
def test_however_the_bytes_are_split_the_same_is_transcribed(seq: bool, cuts: list[int]) -> None:
    stream = b"".join(pack(packet, 5 + i if seq else None) for i, packet in enumerate(PACKETS[:8]))
    whole, split = wire(seq=seq), wire(seq=seq)
    whole.receive_data(stream)
    found = []
    for start, end in pairwise([0, *cuts, len(stream)]):
        split.receive_data(stream[start:end])
        found += drain(split)
    expected = drain(whole)
    assert sound(found) == sound(expected)
    assert seqs(found) == seqs(expected) == ([*range(5, 13)] if seq else [None] * 8)


def test_a_packet_may_come_a_byte_at_a_time() -> None:
    it = wire()
    found = []
    for byte in pack(PACKETS[0], 3):
        it.receive_data(bytes([byte]))
        found.append(len(drain(it)))
    assert found == [0] * (len(found) - 1) + [1]


@pytest.mark.parametrize("length", [0, MAX_PACKET_BYTES + 1, 0xFFFF])
def test_a_length_that_can_not_be_is_the_peers_fault_at_its_place(length: int) -> None:
    it = wire()
    it.receive_data(pack(PACKETS[0], 0) + length.to_bytes(2, "little"))
    assert seqs([heard for heard in [it.next_decoded()] if heard]) == [0]
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match=str(length)):
            it.next_decoded()
    it.reconnect()
    assert seqs(take(it, 1)) == [1]


def test_the_largest_packet_is_accepted() -> None:
    it = wire()
    it.receive_data(pack(OpusPacket(bytes(MAX_PACKET_BYTES)), 0))
    assert seqs(drain(it)) == [0]


def test_a_packet_that_the_old_connection_left_unfinished_is_forgotten() -> None:
    it = wire()
    it.receive_data(pack(PACKETS[0], 0)[:20])
    assert drain(it) == []
    it.reconnect()
    assert seqs(take(it, 0, 1)) == [0, 1]


def test_the_first_number_is_the_one_that_was_expected() -> None:
    assert seqs(take(wire(), 4_000_000_000, 4_000_000_001)) == [4_000_000_000, 4_000_000_001]


def test_missing_numbers_are_a_gap_of_their_length() -> None:
    counts = StreamCounts()
    it = wire(counts=counts)
    before, lost, after = take(it, 10, 21)
    assert isinstance(before, Audio)
    assert isinstance(lost, Lost)
    assert (lost.samples, lost.pcm.size, lost.seq) == (10 * 320, 1600, 20)
    assert isinstance(after, Audio)
    assert after.seq == 21
    assert (counts.packets, counts.lost_packets) == (2, 10)


def test_repeated_numbers_are_dropped_counted_and_reported() -> None:
    counts = StreamCounts()
    it = wire(counts=counts)
    take(it, *range(10))
    found = take(it, 9, 3, 0, 10)
    assert seqs(found) == [10]
    assert {heard.code for heard in found if isinstance(heard, Warned)} == {
        WarningCode.AUDIO_DROPPED
    }
    assert (counts.packets, counts.lost_packets) == (11, 0)


def test_repeated_audio_of_a_resumed_session_is_not_reported() -> None:
    counts = StreamCounts()
    it = wire(counts=counts)
    take(it, *range(10))
    it.reconnect()
    found = take(it, *range(4, 12))
    assert seqs(found) == [10, 11]
    assert len(found) == 2


@pytest.mark.parametrize("is_new_connection", [False, True])
def test_each_repeat_is_a_separate_step(is_new_connection: bool) -> None:
    it = wire()
    take(it, 5)
    if is_new_connection:
        it.reconnect()
    it.receive_data(pack(PACKETS[0], 5) * 3)
    assert len(drain(it)) == 3


def test_numbers_wrap_round() -> None:
    it = wire()
    last = 2**32 - 1
    assert seqs(take(it, last - 1, last, 0, 1)) == [last - 1, last, 0, 1]
    assert seqs(take(it, last, 0)) == []
    assert it.received_seq == 1


def test_a_gap_may_lie_over_the_wrap() -> None:
    it = wire()
    _, lost, _, other, _ = take(it, 2**32 - 4, 2**32 - 1, 5)
    assert isinstance(lost, Lost)
    assert isinstance(other, Lost)
    assert (lost.samples, lost.seq) == (2 * 320, 2**32 - 2)
    assert (other.samples, other.seq) == (5 * 320, 4)
    it = wire()
    _, lost, _ = take(it, 2**32 - 3, 0)
    assert isinstance(lost, Lost)
    assert (lost.samples, lost.seq) == (2 * 320, 2**32 - 1)


def test_half_the_numbers_are_behind_and_the_others_ahead() -> None:
    it = wire()
    take(it, 0)
    assert seqs(take(it, 2**31 + 1)) == []  # RFC 1982: 2**31 - 1 behind
    assert it.received_seq == 0
    with pytest.raises(RemoteProtocolError):
        take(it, 2**31 - 1)


def test_an_hour_ahead_is_a_gap_and_more_is_nonsense() -> None:
    it = wire()
    take(it, 0)
    found = take(it, HOUR_PACKETS + 1)
    assert isinstance(found[0], Lost)
    assert found[0].samples == MAX_GAP_S * 16_000
    with pytest.raises(RemoteProtocolError, match="ahead"):
        take(it, 2 * HOUR_PACKETS + 3)


def test_the_number_of_the_newest_packet_is_known() -> None:
    it = wire()
    assert it.received_seq is None
    take(it, 7, 9, 8)
    assert it.received_seq == 9


def test_without_numbers_nothing_can_be_resumed() -> None:
    it = wire(seq=False)
    assert not it.is_resumable
    it.receive_data(pack(PACKETS[0]) + pack(PACKETS[0]))
    assert seqs(drain(it)) == [None, None]
    assert it.received_seq is None
    assert wire().is_resumable


def test_a_message_may_be_a_packet() -> None:
    it = wire(Wire.OPUS_MESSAGE, seq=False)
    for packet in PACKETS[:3]:
        it.receive_data(packet)
    assert sound(drain(it)) == sound(take(wire(), 0, 1, 2))


def test_a_message_may_be_a_packet_with_its_number() -> None:
    it = wire(Wire.OPUS_MESSAGE)
    for number in (3, 4, 4, 6):
        it.receive_data(PACKETS[number] + SEQ.pack(number))
    assert seqs(drain(it)) == [3, 4, 6]


@pytest.mark.parametrize(
    ("seq", "size_bytes"), [(False, 0), (False, MAX_PACKET_BYTES + 1), (True, 4), (True, 3)]
)
def test_a_message_that_is_no_packet_is_the_peers_fault(seq: bool, size_bytes: int) -> None:
    it = wire(Wire.OPUS_MESSAGE, seq=seq)
    it.receive_data(bytes(size_bytes))
    with pytest.raises(RemoteProtocolError, match="send 1 to 4000 bytes per packet"):
        it.next_decoded()
