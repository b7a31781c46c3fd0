import numpy as np
import pytest

from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.audio.pipeline import (
    MAX_CONCEALED_SAMPLES,
    OpusPacketDecodingPipeline,
    PipelineStatistics,
)
from auricle.values.errors import TooLong
from auricle.values.types import OpusPacket, Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets

pytestmark = pytest.mark.unit

SPEECH = CLIPS["short.wav"].pcm
PACKETS = encode_packets(SPEECH)
NO_FRAMES = OpusPacket(b"\x4b\x00")
SIX_FRAMES_CUT_SHORT = OpusPacket(b"\x4b\x86\xfb")  # says 120 ms, and then its lengths end


def make_pipeline(max_samples: int | None = None) -> OpusPacketDecodingPipeline:
    return OpusPacketDecodingPipeline(OpusPacketDecoder(find_libopus()), max_samples)


def decode(packets: list[OpusPacket]) -> Pcm16:
    decoder = OpusPacketDecoder(find_libopus())
    return np.concatenate([decoder.decode(packet) for packet in packets])


def test_good_packets_come_out_as_the_decoder_gives_them() -> None:
    pipeline = make_pipeline()
    pcm = np.concatenate([pipeline.receive_packet(packet) for packet in PACKETS])
    assert np.array_equal(pcm, decode(PACKETS))
    assert pipeline.statistics == PipelineStatistics(packets=98, samples=98 * 320)


@pytest.mark.parametrize(
    ("damaged", "samples"),
    [
        (NO_FRAMES, 320),
        (OpusPacket(b""), 320),
        (SIX_FRAMES_CUT_SHORT, 1920),
        (OpusPacket(b"\x48" * 4001), 320),
    ],
    ids=["no frames", "empty", "120 ms", "too large"],
)
def test_a_damaged_packet_costs_its_own_time_and_nothing_more(
    damaged: OpusPacket, samples: int
) -> None:
    pipeline = make_pipeline()
    for packet in PACKETS[:50]:
        pipeline.receive_packet(packet)
    assert pipeline.receive_packet(damaged).size == samples
    statistics = pipeline.statistics
    assert statistics.failures == 1
    assert pipeline.receive_packet(PACKETS[51]).size == 320
    statistics = pipeline.statistics
    assert statistics.failures == 1
    assert statistics.samples == 51 * 320 + samples
    assert statistics.packets == 52


def test_packets_that_can_not_be_decoded_are_reported() -> None:
    pipeline = make_pipeline()
    decoded = [pipeline.receive_packet(p) for p in [*PACKETS[:50], NO_FRAMES, *PACKETS[51:60]]]
    decoder = OpusPacketDecoder(find_libopus())
    expected = [decoder.decode(packet) for packet in PACKETS[:50]]
    expected.append(decoder.conceal(320))
    expected += [decoder.decode(packet) for packet in PACKETS[51:60]]
    assert np.array_equal(np.concatenate(decoded), np.concatenate(expected))
    assert np.abs(expected[50]).max() > 0


def test_packets_that_can_not_be_decoded_are_counted() -> None:
    pipeline = make_pipeline()
    for packet in [PACKETS[0], NO_FRAMES, NO_FRAMES, NO_FRAMES, PACKETS[4], NO_FRAMES]:
        pipeline.receive_packet(packet)
    assert pipeline.statistics.failures == 4


def test_damage_before_any_good_packet_gives_nothing() -> None:
    pipeline = make_pipeline()
    assert pipeline.receive_packet(NO_FRAMES).size == 0
    assert pipeline.statistics == PipelineStatistics(packets=1, failures=1)


@pytest.mark.parametrize("samples", [0, 40, 100, 320, 1_599, 1_600, 1_601, 16_000])
def test_a_gap_of_any_length_keeps_the_clock(samples: int) -> None:
    pipeline = make_pipeline()
    for packet in PACKETS[:50]:
        pipeline.receive_packet(packet)
    gap = pipeline.receive_gap(samples)
    assert gap.size == samples
    assert not gap[MAX_CONCEALED_SAMPLES:].any()
    assert pipeline.statistics.samples == 50 * 320 + samples


@pytest.mark.parametrize(("over", "fits"), [(-1, False), (0, True), (1, True)])
def test_the_limit_is_exact(over: int, fits: bool) -> None:
    pipeline = make_pipeline(max_samples=10 * 320 + over)
    for packet in PACKETS[:9]:
        pipeline.receive_packet(packet)
    if fits:
        pipeline.receive_packet(PACKETS[9])
    for _ in range(2):
        with pytest.raises(TooLong, match="allowed"):
            pipeline.receive_packet(PACKETS[10])
    with pytest.raises(TooLong):
        pipeline.receive_gap(0)
    assert pipeline.statistics.samples == (10 if fits else 9) * 320


def test_gaps_and_damage_count_towards_the_limit() -> None:
    pipeline = make_pipeline(max_samples=1_000)
    pipeline.receive_packet(PACKETS[0])
    with pytest.raises(TooLong):
        pipeline.receive_gap(10**12)
    pipeline = make_pipeline(max_samples=2_000)
    pipeline.receive_packet(PACKETS[0])
    with pytest.raises(TooLong):
        pipeline.receive_packet(SIX_FRAMES_CUT_SHORT)


def test_ten_hours_in_a_few_bytes_stop_at_the_limit() -> None:
    pipeline = make_pipeline(max_samples=60 * 16_000)
    for _ in range(500):  # of 120 ms
        pipeline.receive_packet(OpusPacket(b"\x4b\x06"))
    with pytest.raises(TooLong, match="60 s"):
        pipeline.receive_packet(OpusPacket(b"\x4b\x06"))


def test_thousands_of_random_packets_leave_the_count_right() -> None:
    rng = np.random.default_rng(5)
    pipeline = make_pipeline()
    samples = 0
    for index in range(3_000):
        if rng.random() < 0.7:
            packet = OpusPacket(rng.bytes(int(rng.integers(0, 90))))
        else:
            packet = PACKETS[index % len(PACKETS)]
        samples += pipeline.receive_packet(packet).size
    statistics = pipeline.statistics
    assert statistics.packets == 3_000
    assert statistics.samples == samples
    assert 0 < statistics.failures < 2_100
