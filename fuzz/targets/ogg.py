"""Live Ogg."""

from collections.abc import Iterator
from functools import partial

from auricle.audio.demux.ogg import OggDemuxer
from fuzz.checks import same_in_any_split
from fuzz.demuxing import demuxed
from fuzz.grammars import join_pages, split_pages
from fuzz.material import PACKETS
from fuzz.mutation import Grammar
from fuzz.target import Target
from tests.support.clips import TESTDATA
from tests.support.containers import CONTINUED, FIRST, LAST, ogg_page, ogg_stream, opus_head

MODULES = ("auricle.audio.demux.ogg", "auricle.audio.demux.feed", "auricle.audio.demux.track")


def run(data: bytes) -> None:
    """Demux, whole and in pieces."""
    same_in_any_split(partial(demuxed, OggDemuxer, len(data)), data)


def seeds() -> Iterator[bytes]:
    """Give streams alone, side by side, one after another, and broken ones."""
    stream = ogg_stream(PACKETS[:3])
    yield stream
    yield stream + ogg_stream(PACKETS[3:5], serial=8)
    yield (TESTDATA / "fellow.ogg").read_bytes()[:1400]
    head, tags = ogg_page([opus_head()], flags=FIRST), ogg_page([b"OpusTags" + bytes(8)], number=1)
    foreign = ogg_page([b"\x01vorbis"], flags=FIRST, serial=9)
    yield foreign + head + tags + ogg_page(PACKETS[:2], number=2, flags=LAST)
    yield foreign + ogg_page([b"x"], serial=9, number=1)
    long = bytes([9 << 3]) + bytes(899)
    yield (
        head
        + tags
        + ogg_page([PACKETS[0], long[:255]], number=2, is_last_open=True)
        + ogg_page([long[255:510]], number=3, flags=CONTINUED, is_last_open=True)
        + ogg_page([long[510:], PACKETS[1]], number=4, flags=CONTINUED)
    )
    yield ogg_page([opus_head(channels=2, mapping=b"\1\1\1\0\1")], flags=FIRST) + tags
    yield ogg_page([opus_head(version=16)], flags=FIRST)
    yield head + tags + ogg_page([bytes(4001)], number=2)


TARGET = Target(
    run,
    seeds,
    Grammar(split_pages, join_pages).mutate,
    words=(b"OggS\0", b"OpusHead\1", b"OpusTags", b"\xff" * 16),
    max_bytes=1500,
    loop_bytes=2**18,
)
