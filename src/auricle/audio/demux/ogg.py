"""Demux Opus from live Ogg (RFC 3533, RFC 7845).

::

    "OggS" [0][flags][int64 granule][uint32 serial][uint32 page number][uint32 CRC][segments]
    [size of each segment] [segments]          flags: 1 continued, 2 first, 4 last; little endian

A packet is segments of 255 bytes followed by a shorter one; it may continue on the next pages. A
stream starts with a page for ``OpusHead`` alone; then follows ``OpusTags``, which is skipped.
Parallel streams of other codecs are skipped; streams one after another (chained) are followed. The
rest of a packet with lost pages is dropped.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from auricle.audio.demux.feed import ByteFeed, Packets, PushDemuxer, Step
from auricle.audio.demux.track import DemuxedPacket, OpusTrack, is_opus_head, parse_opus_head
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat
from auricle.values.limits import MAX_PACKET_BYTES

_HEADER = Struct("<4sBBqIIIB")
_MAGIC, _VERSION = b"OggS", 0
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_CRC_AT, _CRC_BYTES = 22, 4
_FULL_SEGMENT_BYTES = 255
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ALL_ONES = 0xFFFFFFFF


class OggDemuxer(PushDemuxer):
    """Demux packets from one live Ogg stream."""

    def __init__(self) -> None:
        super().__init__(_parse)


@dataclass(frozen=True, slots=True)
class _Page:
    flags: int
    serial: int
    number: int
    parts: tuple[bytes, ...]
    """The packets, or parts of packets, on this page."""
    is_last_open: bool
    """Whether the last part continues on the next page."""


class _OpusStream:
    """One logical stream: turn pages into packets."""

    def __init__(self, serial: int, track: OpusTrack) -> None:
        self.serial = serial
        self.has_begun = False
        self._track = track
        self._next_number = 1
        self._held = bytearray()
        self._is_dropping = False  # the rest of a packet whose start was lost
        self._is_in_tags = True

    def packets(self, page: _Page) -> Iterator[DemuxedPacket]:
        self.has_begun = True
        goes_on = bool(page.flags & _CONTINUED)
        is_next = page.number == self._next_number
        self._next_number = page.number + 1 & _ALL_ONES
        if not (goes_on and is_next):
            self._held.clear()
            self._is_dropping = goes_on
        for index, part in enumerate(page.parts):
            is_open = page.is_last_open and index == len(page.parts) - 1
            if not (self._is_dropping or self._is_in_tags):
                self._held += part
                if len(self._held) > MAX_PACKET_BYTES or not is_open:
                    payload = bytes(self._held)
                    self._held.clear()
                    if payload:
                        yield self._track.take(payload)
            elif not is_open:
                self._is_in_tags = self._is_in_tags and self._is_dropping
                self._is_dropping = False


def _parse(feed: ByteFeed) -> Packets:
    stream: _OpusStream | None = None
    is_foreign = is_known = False
    while (yield from feed.has_more()):
        page = yield from _read_page(feed)
        if page.flags & _FIRST:
            is_known = True
            head = page.parts[0] if page.parts else b""
            if not is_opus_head(head):
                is_foreign = True
            elif stream is None or stream.has_begun:  # of two parallel streams, use the first
                stream = _OpusStream(page.serial, parse_opus_head(head))
                is_foreign = False
        elif not is_known:
            raise RemoteProtocolError("The Ogg stream doesn't begin with its first page.")
        elif stream is None:
            if is_foreign:
                raise UnsupportedFormat("The Ogg stream holds no Opus; send Ogg with Opus.")
        elif page.serial == stream.serial:
            yield from stream.packets(page)
            if page.flags & _LAST:
                stream = None


def _read_page(feed: ByteFeed) -> Step[_Page]:
    header = yield from feed.read(_HEADER.size)
    magic, version, flags, _, serial, number, crc, segments = _HEADER.unpack(header)
    if magic != _MAGIC or version != _VERSION:
        raise RemoteProtocolError("The Ogg stream is broken: a page doesn't begin as it must.")
    sizes = yield from feed.read(segments)
    body = yield from feed.read(sum(sizes))
    if crc != _checksum(header[:_CRC_AT] + bytes(_CRC_BYTES) + header[-1:] + sizes + body):
        raise RemoteProtocolError("The Ogg stream is broken: a page's checksum is wrong.")
    parts, at, size_bytes = [], 0, 0
    for size in sizes:
        size_bytes += size
        if size < _FULL_SEGMENT_BYTES:
            parts.append(body[at : at + size_bytes])
            at, size_bytes = at + size_bytes, 0
    is_last_open = bool(sizes) and sizes[-1] == _FULL_SEGMENT_BYTES
    if is_last_open:
        parts.append(body[at:])
    return _Page(flags, serial, number, tuple(parts), is_last_open)


def _checksum(page: bytes) -> int:
    """Return Ogg's CRC (RFC 3533 §6): zlib's polynomial, with each byte and the result mirrored.

    Ogg starts at 0 and inverts nothing; zlib's inversions are undone.
    """
    mirrored = zlib.crc32(page.translate(_MIRRORED), _ALL_ONES) ^ _ALL_ONES
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
