"""Opus packets to samples."""

import numpy as np
import pytest

from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.audio.pipeline import MAX_CONCEALED_SAMPLES
from auricle.session.wire_formats.base import Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.packets import FAILURES_IN_A_ROW, PacketReceiver
from auricle.values.commands import StreamParameters
from auricle.values.events import SwitchFormat, Warned, WarningCode, Wire
from auricle.values.types import OpusPacket, Pcm16
from tests.support.opus import encode_packets, tone

pytestmark = pytest.mark.unit

LIBOPUS = find_libopus()
PACKETS = encode_packets(tone(300, 16_000))
DAMAGED = OpusPacket(b"\x03")  # ends before its frame count
LIAR = OpusPacket(b"\x03\x82\xfb")  # declares 20 ms, but its frames are missing


def receiver(
    declared: StreamParameters | None = None, counts: StreamCounts | None = None
) -> PacketReceiver:
    return PacketReceiver(LIBOPUS, counts or StreamCounts(), declared)


def heard(it: PacketReceiver, *packets: OpusPacket) -> list[DecodedAudio]:
    return [heard for packet in packets for heard in it.receive_packet(packet)]


def samples(found: list[DecodedAudio]) -> list[int]:
    return [item.pcm.size for item in found if isinstance(item, Audio)]


def warnings(found: list[DecodedAudio]) -> list[Warned]:
    return [item for item in found if isinstance(item, Warned)]


def switches(found: list[DecodedAudio]) -> list[SwitchFormat]:
    return [item for item in found if isinstance(item, SwitchFormat)]


def stereo_packet(pcm: Pcm16) -> OpusPacket:
    encoder = OpusPacketEncoder(LIBOPUS, 48_000, channels=2, bitrate_bps=64_000)
    return encoder.encode(np.repeat(pcm[: encoder.frame_samples], 2))


def test_good_packets_become_their_samples_with_their_numbers() -> None:
    counts = StreamCounts()
    it = receiver(counts=counts)
    found = list(it.receive_packet(PACKETS[0], 7))
    (audio,) = found
    assert isinstance(audio, Audio)
    assert (audio.pcm.size, audio.seq) == (320, 7)
    assert (counts.packets, counts.decode_errors, counts.lost_packets) == (1, 0, 0)


def test_all_clean_packets_decode() -> None:
    counts = StreamCounts()
    found = heard(receiver(StreamParameters(), counts), *PACKETS)
    assert samples(found) == [320] * len(PACKETS)
    assert len(found) == len(PACKETS)
    assert counts.decode_errors == 0


def test_a_damaged_packet_costs_its_usual_time_and_nothing_more() -> None:
    counts = StreamCounts()
    found = heard(receiver(counts=counts), *PACKETS[:3], DAMAGED, *PACKETS[4:6])
    assert samples(found) == [320] * 6
    assert [warned.code for warned in warnings(found)] == [WarningCode.DECODE_ERRORS]
    assert (counts.packets, counts.decode_errors) == (6, 1)


def test_what_a_damaged_packet_says_of_its_length_is_not_believed() -> None:
    it = receiver()
    heard(it, *encode_packets(tone(300, 9600), 60))
    assert samples(heard(it, LIAR)) == [960]


@pytest.mark.parametrize("frame_ms", [2.5, 20, 60])
def test_a_first_packet_that_is_damaged_lasts_as_was_declared(frame_ms: float) -> None:
    found = heard(receiver(StreamParameters(frame_ms=frame_ms)), DAMAGED)
    assert samples(found) == [frame_ms * 16]


def test_three_failures_in_a_row_cost_the_decoder_once_and_then_the_format() -> None:
    it = receiver()
    heard(it, *PACKETS[:20])
    assert not switches(heard(it, *[DAMAGED] * FAILURES_IN_A_ROW))
    (after,) = heard(it, PACKETS[20])
    fresh = OpusPacketDecoder(LIBOPUS).decode(PACKETS[20])
    assert isinstance(after, Audio)
    assert np.array_equal(after.pcm, fresh)  # the old decoder's state is gone
    found = heard(it, *[DAMAGED] * FAILURES_IN_A_ROW)
    assert switches(found) == [SwitchFormat(Wire.PCM16, "3 packets in a row could not be decoded")]


def test_a_switch_is_asked_for_once_a_connection() -> None:
    it = receiver()
    assert len(switches(heard(it, *[DAMAGED] * 30))) == 1
    assert not switches(heard(it, *[DAMAGED] * 30))
    it.reconnect()
    assert len(switches(heard(it, *[DAMAGED] * 30))) == 1


def test_a_good_packet_in_between_starts_the_count_again() -> None:
    it = receiver()
    for good in PACKETS[:20]:
        assert not switches(heard(it, *[DAMAGED] * (FAILURES_IN_A_ROW - 1), good))
    assert not switches(heard(it, *[DAMAGED] * FAILURES_IN_A_ROW))  # only the decoder is replaced


def test_a_gap_is_concealed_for_100_ms_at_most_and_counted() -> None:
    counts = StreamCounts()
    it = receiver(counts=counts)
    heard(it, *PACKETS[:10])
    short = it.receive_gap(3, seq=12)
    assert (short.samples, short.pcm.size, short.seq) == (960, 960, 12)
    assert short.pcm.any()
    long = it.receive_gap(50)
    assert (long.samples, long.pcm.size) == (16_000, MAX_CONCEALED_SAMPLES)
    assert counts.lost_packets == 53


def test_a_gap_is_as_long_as_packets_are() -> None:
    it = receiver(StreamParameters(frame_ms=10))
    assert it.receive_gap(2).samples == 320
    heard(it, *encode_packets(tone(300, 9600), 60))
    assert (it.packet_samples, it.receive_gap(2).samples) == (960, 1920)


def test_packets_of_another_length_than_was_declared_are_reported_once_and_decoded() -> None:
    found = heard(receiver(StreamParameters(frame_ms=20)), *encode_packets(tone(300, 9600), 60))
    assert samples(found) == [960] * 10
    (warned,) = warnings(found)
    assert warned.code is WarningCode.FORMAT_MISMATCH
    assert "Declared frame_ms=20, but packets last 60 ms" in warned.message


def test_stereo_where_mono_was_declared_is_reported_once_and_mixed() -> None:
    packet = stereo_packet(tone(300, 16_000))
    found = heard(receiver(StreamParameters()), packet, packet)
    assert samples(found) == [320, 320]
    (warned,) = warnings(found)
    assert warned.code is WarningCode.FORMAT_MISMATCH
    assert "stereo" in warned.message


def test_mono_where_stereo_was_declared_is_fine() -> None:
    assert not warnings(heard(receiver(StreamParameters(channels=2)), *PACKETS[:5]))


def test_a_container_declares_nothing() -> None:
    packets = encode_packets(tone(300, 9600), 60)
    assert not warnings(heard(receiver(None), *packets, stereo_packet(tone(300, 16_000))))
