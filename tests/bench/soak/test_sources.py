import numpy as np
import pytest

from auricle.apis.native.wire.stream import parse_query
from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.protocol.framing import PacketFramer
from auricle.session.wire_formats.base import Audio, StreamCounts
from auricle.session.wire_formats.container import ContainerWire
from auricle.session.wire_formats.pcm import POSITION
from auricle.values.types import Pcm16
from bench.soak.sources import (
    PACKET_SAMPLES,
    STEP_PACKETS,
    STEP_SAMPLES,
    ContainerSource,
    OpusSource,
    PcmSource,
    steps_of,
)
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

PCM = CLIPS["fellow.wav"].pcm[: 16 * STEP_SAMPLES]


def test_pcm_comes_at_its_place_and_again_from_the_start() -> None:
    source, start = PcmSource(PCM, 100, 2**32 - STEP_SAMPLES), 2**32 - STEP_SAMPLES
    message = source.message(17)
    (position,) = POSITION.unpack_from(message)
    assert position == start + 17 * STEP_SAMPLES
    heard = np.frombuffer(message[POSITION.size :], "<i2")
    assert np.array_equal(heard, PCM[STEP_SAMPLES : 2 * STEP_SAMPLES])
    assert np.array_equal(source.samples(17 * STEP_SAMPLES, 18 * STEP_SAMPLES), heard)


def test_after_the_last_step_of_pcm_there_is_silence() -> None:
    source = PcmSource(PCM, 3, 0)
    assert not source.samples(3 * STEP_SAMPLES, 3 * STEP_SAMPLES + 512).any()


def test_numbers_of_packets_wrap() -> None:
    packets = steps_of(PCM)
    source = OpusSource(packets, packets[:5], 4, 2**32 - 8)
    framer, decoder, heard = PacketFramer(with_seq=True), OpusPacketDecoder(find_libopus()), []
    numbers = []
    for step in (0, 1, 1, 2, 3):  # one comes again after a lost connection
        framer.receive_data(source.message(step))
        while (numbered := framer.next_numbered_packet()) is not None:
            if numbered.seq not in numbers:
                heard.append(decoder.decode(numbered.packet))
            numbers.append(numbered.seq)
    assert numbers[:5] == [2**32 - 8 + index for index in range(5)]
    assert numbers[-1] == 11
    assert np.array_equal(source.samples(0, 20 * PACKET_SAMPLES), np.concatenate(heard))


@pytest.mark.parametrize("container", ["ogg", "webm"])
def test_a_recording_is_read_as_a_session_would_receive_it(container: str) -> None:
    source = ContainerSource(container, steps_of(PCM), 2**32 - 30 * STEP_PACKETS * 960)
    wire = ContainerWire(find_libopus(), parse_query({"format": container}), StreamCounts())
    heard: list[Pcm16] = []
    for message in (*map(source.message, range(60)), source.rest()):
        wire.receive_data(message)
        while (found := wire.next_decoded()) is not None:
            assert isinstance(found, Audio)
            heard.append(found.pcm)
    samples = np.concatenate(heard)
    assert samples.size == 60 * STEP_SAMPLES - source.skipped_samples
    assert source.skipped_samples > 0
    assert np.array_equal(source.samples(0, samples.size), samples)
