"""Packets through libopus: ``[what to do][uint16_le length][packet]``, again and again."""

from collections.abc import Iterator

import numpy as np

from auricle.audio.opus import (
    CONCEAL_STEP_SAMPLES,
    MAX_PACKET_SAMPLES,
    OpusPacketDecoder,
    find_libopus,
    packet_samples,
)
from auricle.audio.pipeline import OpusPacketDecodingPipeline
from auricle.values.errors import AudioError, TooLong
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket
from fuzz.grammars import join_steps, split_steps
from fuzz.material import PACKETS
from fuzz.mutation import blind, script_mutation
from fuzz.target import Target

MODULES = ("auricle.audio.opus", "auricle.audio.pipeline")
_DECODE, _GAP, _CONCEAL = range(3)
_MAX_STEPS = 8
_LIMIT_SAMPLES = 3 * SAMPLE_RATE_HZ

_LIBRARY = find_libopus()
_GOOD = PACKETS[:4]


class _Neighbour:
    """Another stream in the same process, which must not notice anything."""

    def __init__(self) -> None:
        self._decoder = OpusPacketDecoder(_LIBRARY)
        self._expected = self._decode()

    def _decode(self) -> bytes:
        self._decoder.reset()
        return b"".join(self._decoder.decode(packet).tobytes() for packet in _GOOD)

    def check(self) -> None:
        """Decode the same packets again."""
        assert self._decode() == self._expected, "another stream decodes something else"


_neighbour = _Neighbour()
_decoder = OpusPacketDecoder(_LIBRARY)


def run(data: bytes) -> None:
    """Decode good and bad packets and gaps: the clock is always right."""
    pipeline = OpusPacketDecodingPipeline(OpusPacketDecoder(_LIBRARY), _LIMIT_SAMPLES)
    samples = packets = 0
    last_samples = 0
    _decoder.reset()
    for step in split_steps(data)[:_MAX_STEPS]:
        kind, packet = step[0] % 3, OpusPacket(step[1:])
        try:
            if kind == _GAP:
                samples += _gap(pipeline, len(packet) * 97)
            elif kind == _DECODE:
                failures = pipeline.failures
                pcm = pipeline.receive_packet(packet)
                packets += 1
                assert pcm.dtype == np.int16
                assert pcm.size == _claimed(packet, last_samples), "the clock drifts"
                samples += pcm.size
                if pipeline.failures == failures:
                    last_samples = pcm.size
            else:
                _conceal(packet)
        except TooLong:
            assert samples + MAX_PACKET_SAMPLES + len(packet) * 97 > _LIMIT_SAMPLES
            break
    statistics = pipeline.statistics
    assert (statistics.samples, statistics.packets) == (samples, packets)
    assert statistics.failures <= packets
    if len(data) % 8 == 0:
        _neighbour.check()


def _claimed(packet: OpusPacket, last_samples: int) -> int:
    try:
        return packet_samples(packet)
    except AudioError:
        return last_samples


def _gap(pipeline: OpusPacketDecodingPipeline, samples: int) -> int:
    pcm = pipeline.receive_gap(samples)
    assert pcm.size == samples, "a gap is not as long as it was"
    return pcm.size


def _conceal(packet: OpusPacket) -> None:
    """Use the decoder by itself, as those who know of loss may."""
    samples = CONCEAL_STEP_SAMPLES * (1 + len(packet) % 48)
    try:
        assert _decoder.conceal(samples).size == samples
        assert 0 < _decoder.decode(packet).size <= MAX_PACKET_SAMPLES
    except AudioError:
        pass


def seeds() -> Iterator[bytes]:
    """Give good packets with gaps, and packets of all modes with noise in them."""
    yield join_steps([bytes([_DECODE]) + packet for packet in _GOOD])
    yield join_steps([bytes([kind]) + packet for kind, packet in enumerate(_GOOD)])
    for config in range(0, 32, 5):
        packets = [bytes([config << 3 | code]) + bytes(range(40)) for code in range(8)]
        yield join_steps([bytes([_DECODE]) + packet for packet in packets])
    yield join_steps([bytes([_DECODE]) + _GOOD[0], b"\1" + bytes(400), b"\0", b"\0\xff\xff"])


TARGET = Target(
    run,
    seeds,
    script_mutation(
        split_steps,
        join_steps,
        (blind,),
        tuple(b"\0" + packet for packet in _GOOD) + (b"\1xxxxxxxxx",),
    ),
)
