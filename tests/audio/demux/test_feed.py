"""What holds for every container."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.demux.feed import PushDemuxer
from auricle.audio.demux.ogg import OggDemuxer
from auricle.audio.demux.track import DemuxedPacket
from auricle.audio.demux.webm import WebmDemuxer
from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.values.errors import LocalProtocolError, RemoteProtocolError, UnsupportedFormat
from auricle.values.types import OpusPacket
from tests.support.clips import CLIPS, TESTDATA
from tests.support.containers import demuxed, muxed, ogg_stream, webm_stream
from tests.support.opus import encode_packets

pytestmark = pytest.mark.unit

SPEECH = CLIPS["fellow.wav"].pcm
Stream = tuple[Callable[[], PushDemuxer], bytes]


def receive(demuxer: PushDemuxer, data: bytes) -> list[DemuxedPacket]:
    demuxer.receive_data(data)
    return list(iter(demuxer.next_packet, None))


def receive_all(stream: Stream) -> list[DemuxedPacket]:
    demuxer = stream[0]()
    packets = receive(demuxer, stream[1])
    demuxer.receive_eof()
    assert demuxer.next_packet() is None
    return packets


STREAMS: dict[str, Stream] = {
    "ogg file": (OggDemuxer, (TESTDATA / "fellow.ogg").read_bytes()),
    "webm file": (WebmDemuxer, (TESTDATA / "fellow.webm").read_bytes()),
    "live ogg": (OggDemuxer, muxed(SPEECH, "ogg", options={"page_duration": "60000"})),
    "live webm": (WebmDemuxer, muxed(SPEECH, "webm", options={"live": "1"})),
    "matroska": (WebmDemuxer, muxed(SPEECH, "matroska", is_live=False)),
    "webm with video": (WebmDemuxer, muxed(SPEECH, "webm", with_video=True)),
    "handmade ogg": (OggDemuxer, ogg_stream(encode_packets(SPEECH[:16_000]))),
    "handmade webm": (WebmDemuxer, webm_stream(encode_packets(SPEECH[:16_000], 60))),
}
EVERY = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
ANY = st.sampled_from(list(STREAMS.values()))


@EVERY
def test_the_packets_are_those_that_ffmpeg_finds(stream: Stream) -> None:
    packets = receive_all(stream)
    assert [packet.packet for packet in packets] == demuxed(stream[1])
    assert {packet.channels for packet in packets} == {1}


def test_live_webm_is_one_of_unknown_sizes() -> None:
    for name in ("live webm", "handmade webm"):
        assert b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" in STREAMS[name][1]


@pytest.mark.parametrize("name", ["live ogg", "live webm"])
def test_what_is_left_after_the_skip_is_the_speech_from_its_first_sample_on(name: str) -> None:
    decoder = OpusPacketDecoder(find_libopus())
    packets = receive_all(STREAMS[name])
    decoded = np.concatenate([decoder.decode(p.packet)[p.skip_samples :] for p in packets])
    size = min(decoded.size, SPEECH.size)
    assert abs(decoded.size - SPEECH.size) < 2 * 320
    assert np.corrcoef(decoded[:size], SPEECH[:size])[0, 1] > 0.95


@EVERY
def test_byte_by_byte_gives_the_same_packets(stream: Stream) -> None:
    demuxer = stream[0]()
    received = [packet for byte in stream[1] for packet in receive(demuxer, bytes([byte]))]
    assert received == receive_all(stream)


@settings(max_examples=60)
@given(stream=ANY, data=st.data())
def test_any_split_gives_the_same_packets(stream: Stream, data: st.DataObject) -> None:
    size = len(stream[1])
    cuts = data.draw(st.lists(st.integers(0, size), max_size=20).map(sorted))
    demuxer = stream[0]()
    received = [
        packet
        for start, end in pairwise([0, *cuts, size])
        for packet in receive(demuxer, stream[1][start:end])
    ]
    assert received == receive_all(stream)


@settings(max_examples=150)
@given(stream=ANY, data=st.data())
def test_a_cut_stream_gives_what_was_whole_and_says_so_unless_it_may_end_there(
    stream: Stream, data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(stream[1]) - 1))
    demuxer = stream[0]()
    packets = receive(demuxer, stream[1][:size])
    assert packets == receive_all(stream)[: len(packets)]
    demuxer.receive_eof()
    try:
        assert demuxer.next_packet() is None
    except RemoteProtocolError as error:
        assert "ends" in str(error)  # noqa: PT017  # either is right


@settings(max_examples=300)
@given(stream=ANY, data=st.data())
def test_a_damaged_stream_is_decoded_or_an_error_of_the_peer(
    stream: Stream, data: st.DataObject
) -> None:
    broken = bytearray(stream[1][:4_000])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken) - 1))
        broken[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    demuxer = stream[0]()
    try:
        receive(demuxer, bytes(broken))
        demuxer.receive_eof()
        list(iter(demuxer.next_packet, None))
    except (RemoteProtocolError, UnsupportedFormat) as error:
        with pytest.raises(type(error), match=str(error)):  # and again on each call
            demuxer.next_packet()


@given(demuxer=st.sampled_from([OggDemuxer, WebmDemuxer]), data=st.binary(min_size=27))
def test_what_is_not_the_container_is_blamed_on_the_peer(
    demuxer: Callable[[], PushDemuxer], data: bytes
) -> None:
    with pytest.raises(RemoteProtocolError):
        receive(demuxer(), bytes([data[0] & 0x0F]) + data)


@EVERY
def test_packets_before_the_damage_still_come_out(stream: Stream) -> None:
    demuxer = stream[0]()
    whole = receive_all(stream)
    demuxer.receive_data(stream[1] + bytes(100))
    assert [demuxer.next_packet() for _ in whole] == whole
    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            demuxer.next_packet()
    demuxer.receive_data(stream[1])  # is of no use any more, and not kept
    with pytest.raises(RemoteProtocolError):
        demuxer.next_packet()


@pytest.mark.parametrize("container", [OggDemuxer, WebmDemuxer])
def test_a_stream_of_no_bytes_has_no_packets(container: Callable[[], PushDemuxer]) -> None:
    demuxer = container()
    assert demuxer.next_packet() is None
    demuxer.receive_eof()
    demuxer.receive_eof()
    assert demuxer.next_packet() is None
    with pytest.raises(LocalProtocolError):
        demuxer.receive_data(b"x")


@pytest.mark.parametrize(
    ("container", "stream"),
    [
        (OggDemuxer, ogg_stream([OpusPacket(b"x")], head=b"\x7fFLAC")),
        (WebmDemuxer, muxed(SPEECH[:16_000], "matroska", codec="pcm_s16le")),
    ],
)
def test_another_codec_is_not_supported(
    container: Callable[[], PushDemuxer], stream: bytes
) -> None:
    with pytest.raises(UnsupportedFormat, match="no Opus"):
        receive(container(), stream)
