import pytest

from auricle.audio.demux.ogg import OggDemuxer
from auricle.audio.demux.webm import WebmDemuxer
from fuzz.grammars import (
    join_chunks,
    join_elements,
    join_packets,
    join_pages,
    join_steps,
    split_chunks,
    split_elements,
    split_packets,
    split_pages,
    split_steps,
)
from fuzz.targets import ogg, webm
from tests.support.clips import TESTDATA

pytestmark = pytest.mark.unit


def test_good_data_survive_being_taken_apart() -> None:
    packets = (TESTDATA / "fellow.opus-packets").read_bytes()
    assert join_packets(split_packets(packets)) == packets
    pages = (TESTDATA / "fellow.ogg").read_bytes()
    assert join_pages(split_pages(pages)) == pages
    wav = (TESTDATA / "fellow.wav").read_bytes()
    assert join_chunks(split_chunks(wav)) == wav
    script = join_steps([b"\1abc", b"\2"])
    assert join_steps(split_steps(script)) == script


def test_a_page_that_was_changed_gets_its_sizes_and_checksum_again() -> None:
    head, tags, first = split_pages(next(ogg.seeds()))[:3]
    demuxer = OggDemuxer()
    demuxer.receive_data(join_pages([head, tags, first[:-3]]))
    found = demuxer.next_packet()
    assert found is not None
    assert found.packet == first[28:-3]


def test_elements_get_sizes_again() -> None:
    stream = next(webm.seeds())
    demuxer = WebmDemuxer()
    demuxer.receive_data(join_elements(split_elements(stream)))
    packets = [found.packet for found in iter(demuxer.next_packet, None)]
    demuxer = WebmDemuxer()
    demuxer.receive_data(stream)
    assert packets == [found.packet for found in iter(demuxer.next_packet, None)]
    assert packets
