"""Live WebM."""

from collections.abc import Iterator
from functools import partial
from random import Random

from auricle.audio.demux.webm import WebmDemuxer
from fuzz.checks import same_in_any_split
from fuzz.demuxing import demuxed
from fuzz.grammars import join_elements, split_elements
from fuzz.material import PACKETS
from fuzz.mutation import Grammar, blind
from fuzz.target import Blind, Target
from tests.support.clips import TESTDATA
from tests.support.containers import (
    EBML_LACING,
    FIXED,
    XIPH,
    block_group,
    cluster,
    element,
    simple_block,
    track_entry,
    webm_head,
    webm_stream,
)

MODULES = ("auricle.audio.demux.webm", "auricle.audio.demux.feed", "auricle.audio.demux.track")
_TRACKS = b"\x16\x54\xae\x6b"
_NESTED = (b"\xae", b"\x1a\x45\xdf\xa3")


def run(data: bytes) -> None:
    """Demux, whole and in pieces."""
    same_in_any_split(partial(demuxed, WebmDemuxer, len(data)), data)


def seeds() -> Iterator[bytes]:
    """Give streams with blocks of all kinds."""
    yield webm_stream(PACKETS[:3])
    yield (TESTDATA / "fellow.webm").read_bytes()[:1400]
    even = b"".join(packet[:20] for packet in PACKETS[:3])
    blocks = (
        block_group(PACKETS[0]),
        simple_block(b"\2" + even, lacing=FIXED),
        simple_block(bytes((2, 20, 20)) + even, lacing=XIPH),
        simple_block(b"\2\x94\xbf" + even, lacing=EBML_LACING),
        simple_block(PACKETS[1], number=2),
    )
    yield webm_head() + cluster(*blocks)
    yield webm_head(track_entry(2, b"V_VP8"), track_entry()) + cluster(*blocks)
    yield webm_head(track_entry(2, b"V_VP8"))
    for lacing in (FIXED, XIPH, EBML_LACING):
        yield webm_head() + cluster(simple_block(b"", lacing=lacing))
        yield webm_head() + cluster(simple_block(b"\2\xff", lacing=lacing))
    yield webm_head() + cluster(simple_block(bytes(4001)))
    yield webm_head(track_entry(more=element(0x6D80, b"")))
    yield webm_head(doc_type=b"matroska") + element(0xEC, bytes(100)) + cluster(blocks[0])


def _change(record: bytes, rng: Random, change: Blind) -> bytes:
    """Mutate an element; the tracks' own elements stay elements most of the time."""
    for name in (_TRACKS, *_NESTED):
        if record.startswith(name) and rng.random() < 0.8:
            children = Grammar(split_elements, join_elements, _change).mutate(
                record[len(name) :], rng, change
            )
            return name + children
    return blind(record, rng, change)


TARGET = Target(
    run,
    seeds,
    Grammar(split_elements, join_elements, _change).mutate,
    words=(
        b"\x1a\x45\xdf\xa3",
        b"\x18\x53\x80\x67",
        b"\x1f\x43\xb6\x75",
        _TRACKS,
        b"A_OPUS",
        b"OpusHead\1",
        b"\x63\xa2",
        b"\x6d\x80",
        b"\xa3\x81",
        b"\x01" + b"\xff" * 7,
        b"\x1c\x53\xbb\x6b",
    ),
    max_bytes=700,
    loop_bytes=2**18,
)
