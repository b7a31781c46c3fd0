"""Live Ogg and WebM."""

import numpy as np
import pytest

from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.session.wire_formats.base import Audio, DecodedAudio, StreamCounts
from auricle.session.wire_formats.container import ContainerWire
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat
from auricle.values.events import Warned, WarningCode, Wire
from auricle.values.types import OpusPacket, Pcm16
from tests.support.containers import FIRST, element, ogg_page, ogg_stream, webm_head, webm_stream
from tests.support.opus import encode_packets, tone

pytestmark = pytest.mark.unit

PACKETS = encode_packets(tone(300, 16_000))
STREAMS = {Wire.OGG: ogg_stream(PACKETS), Wire.WEBM: webm_stream(PACKETS)}
BOTH = pytest.mark.parametrize("format", list(STREAMS))
PRE_SKIP = 104  # 312 ticks of 48 kHz, as in the headers


def wire(format: Wire, counts: StreamCounts | None = None) -> ContainerWire:
    return ContainerWire(find_libopus(), StreamParameters(format=format), counts or StreamCounts())


def drain(it: ContainerWire) -> list[DecodedAudio]:
    found = []
    while (heard := it.next_decoded()) is not None:
        found.append(heard)
    return found


def samples(found: list[DecodedAudio]) -> Pcm16:
    return np.concatenate([np.zeros(0, np.int16)] + [h.pcm for h in found if isinstance(h, Audio)])


def decoded() -> Pcm16:
    decoder = OpusPacketDecoder(find_libopus())
    return np.concatenate([decoder.decode(packet) for packet in PACKETS])


@BOTH
def test_its_packets_are_transcribed_without_the_encoders_delay(format: Wire) -> None:
    counts = StreamCounts()
    it = wire(format, counts)
    it.receive_data(STREAMS[format])
    assert np.array_equal(samples(drain(it)), decoded()[PRE_SKIP:])
    assert counts.packets == len(PACKETS)


@BOTH
@pytest.mark.parametrize("step", [1, 63, 64, 65, 1000])
def test_it_may_be_cut_anywhere(format: Wire, step: int) -> None:
    it, stream = wire(format), STREAMS[format]
    found: list[DecodedAudio] = []
    for at in range(0, len(stream), step):
        it.receive_data(stream[at : at + step])
        found += drain(it)
    assert np.array_equal(samples(found), decoded()[PRE_SKIP:])


@BOTH
def test_a_message_may_come_before_the_one_before_it_is_worked_off(format: Wire) -> None:
    it, stream = wire(format), STREAMS[format]
    it.receive_data(stream[:1000])
    found = [heard for heard in (it.next_decoded() for _ in range(5)) if heard is not None]
    it.receive_data(stream[1000:])
    assert np.array_equal(samples(found + drain(it)), decoded()[PRE_SKIP:])


@BOTH
def test_a_new_connection_brings_a_new_container(format: Wire) -> None:
    it = wire(format)
    it.receive_data(STREAMS[format][: len(STREAMS[format]) // 2])
    assert samples(drain(it)).size
    it.reconnect()
    it.receive_data(STREAMS[format])
    assert np.array_equal(samples(drain(it)), decoded()[PRE_SKIP:])


@BOTH
def test_it_can_not_be_resumed(format: Wire) -> None:
    assert not wire(format).is_resumable


def test_a_damaged_packet_costs_its_usual_time() -> None:
    counts = StreamCounts()
    it = wire(Wire.OGG, counts)
    it.receive_data(ogg_stream([*PACKETS[:5], OpusPacket(b"\x03"), *PACKETS[6:10]]))
    found = drain(it)
    assert samples(found).size == 10 * 320 - PRE_SKIP
    assert [heard.code for heard in found if isinstance(heard, Warned)] == [
        WarningCode.DECODE_ERRORS
    ]
    assert counts.decode_errors == 1


@BOTH
def test_garbage_is_the_peers_fault_until_there_is_a_new_connection(format: Wire) -> None:
    it = wire(format)
    it.receive_data(STREAMS[format] + bytes(100))
    with pytest.raises(RemoteProtocolError):
        drain(it)
    with pytest.raises(RemoteProtocolError):
        it.next_decoded()
    it.reconnect()
    it.receive_data(STREAMS[format])
    assert samples(drain(it)).size == decoded().size - PRE_SKIP


def test_another_codec_is_reported_as_such() -> None:
    it = wire(Wire.OGG)
    foreign = [ogg_page([b"\x01vorbis" + bytes(30)], flags=FIRST), ogg_page([b"x"], number=1)]
    it.receive_data(b"".join(foreign))
    with pytest.raises(UnsupportedFormat):
        drain(it)


def test_half_a_million_empty_elements_are_read_in_steps() -> None:
    void = element(0xEC)
    it = wire(Wire.WEBM)
    it.receive_data(webm_head() + void * 10_000)
    steps = len(drain(it))
    assert steps >= len(void) * 10_000 // 100
