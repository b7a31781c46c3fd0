"""Demux Opus from live WebM (Matroska, RFC 9559), as browsers' MediaRecorder writes it.

::

    EBML header
    Segment (size unknown)
        Info, Tracks [TrackEntry: number, codec, CodecPrivate = OpusHead], …
        Cluster (size unknown): time, SimpleBlock, SimpleBlock, …, BlockGroup [Block, …]
        Cluster …
    block: [track number][int16 time][flags][frames, laced as the flags say]

Elements are ``[id][size][content]``. The parser enters elements that hold blocks and does not track
their ends, since the next element implies them; so an unknown size makes no difference. It skips
all others without storing them. A new EBML header starts a new stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from auricle.audio.demux.feed import ByteFeed, Packets, PushDemuxer, Step
from auricle.audio.demux.track import OpusTrack, parse_opus_head
from auricle.values.errors import RemoteProtocolError, UnsupportedFormat

# RFC 8794 §11.2.1 and RFC 9559 §5.1; an element's id includes the bits of its length.
_EBML, _DOC_TYPE = 0x1A45DFA3, 0x4282
_SEGMENT, _CLUSTER, _BLOCK_GROUP = 0x18538067, 0x1F43B675, 0xA0
_SIMPLE_BLOCK, _BLOCK = 0xA3, 0xA1
_TRACKS, _TRACK_ENTRY, _TRACK_NUMBER, _CODEC_ID = 0x1654AE6B, 0xAE, 0xD7, 0x86
_CODEC_PRIVATE, _CONTENT_ENCODINGS = 0x63A2, 0x6D80
_CUES, _TAGS, _ATTACHMENTS, _CHAPTERS, _VOID = (
    0x1C53BB6B,
    0x1254C367,
    0x1941A469,
    0x1043A770,
    0xEC,
)

_MAY_BE_LARGE = frozenset({_CUES, _TAGS, _ATTACHMENTS, _CHAPTERS, _VOID})
_MAX_SKIPPED_BYTES = 16 * 2**20
_MAX_ELEMENT_BYTES = 64 * 1024
"""Limit for elements that are stored, and for unknown elements."""

_LACING, _XIPH, _FIXED, _EBML_LACING = 0x06, 0x02, 0x04, 0x06


class WebmDemuxer(PushDemuxer):
    """Demux packets from one live WebM stream; the first Opus track is used."""

    def __init__(self) -> None:
        super().__init__(_parse)


@dataclass(frozen=True, slots=True)
class _NumberedTrack:
    number: int
    track: OpusTrack


def _parse(feed: ByteFeed) -> Packets:
    chosen: _NumberedTrack | None = None
    is_begun = False
    while feed.holds(1) or (yield from feed.has_more()):
        element, size_bytes = yield from _read_head(feed)
        if element == _EBML:
            _check_doc_type((yield from _read_whole(feed, size_bytes)))
            chosen, is_begun = None, True
        elif not is_begun:
            raise RemoteProtocolError("The stream is not WebM: it has no EBML header.")
        elif element == _TRACKS:
            chosen = _choose((yield from _read_whole(feed, size_bytes)))
        elif element in (_SIMPLE_BLOCK, _BLOCK):
            if chosen is None:
                raise RemoteProtocolError("The WebM stream has sound before its tracks.")
            block = yield from _read_block(feed, size_bytes, chosen.number)
            for frame in () if block is None else _frames(block):
                if frame:
                    yield chosen.track.take(frame)
        elif element not in (_SEGMENT, _CLUSTER, _BLOCK_GROUP):
            max_bytes = _MAX_SKIPPED_BYTES if element in _MAY_BE_LARGE else _MAX_ELEMENT_BYTES
            yield from feed.skip(_checked_size(size_bytes, max_bytes))


def _read_head(feed: ByteFeed) -> Step[tuple[int, int | None]]:
    """Read an element's id and size; a size of ``None`` is not known yet.

    A stream has one such head for each few milliseconds of speech, so it is read in one step.
    """
    first = feed.peek(0)
    if first < 0x10:  # ids have at most 4 bytes (RFC 9559 §4.4)
        _refuse()
    id_bytes = 9 - first.bit_length()
    if not feed.holds(id_bytes + 1):
        yield from feed.wait_for(id_bytes + 1)
    first = feed.peek(id_bytes)
    if not first:
        _refuse()
    head_bytes = id_bytes + 9 - first.bit_length()
    if not feed.holds(head_bytes):
        yield from feed.wait_for(head_bytes)
    head = feed.take(head_bytes)
    # RFC 8794 §4: the size without its length marker bit; all ones mean "unknown".
    unknown = (1 << 7 * (head_bytes - id_bytes)) - 1
    size_bytes = int.from_bytes(head[id_bytes:], "big") & unknown
    return int.from_bytes(head[:id_bytes], "big"), None if size_bytes == unknown else size_bytes


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """Return the integer at a position, and the position after it."""
    if at >= len(data) or not data[at]:
        _refuse()
    end = at + 9 - data[at].bit_length()
    if end > len(data):
        _refuse()
    mask = (1 << 7 * (end - at)) - 1
    value = int.from_bytes(data[at:end], "big") & mask
    return None if value == mask else value, end


def _read_whole(feed: ByteFeed, size_bytes: int | None) -> Step[bytes]:
    whole_bytes = _checked_size(size_bytes, _MAX_ELEMENT_BYTES)
    if not feed.holds(whole_bytes):
        yield from feed.wait_for(whole_bytes)
    return feed.take(whole_bytes)


def _checked_size(size_bytes: int | None, max_bytes: int) -> int:
    if size_bytes is None:
        raise RemoteProtocolError("The WebM stream is broken: an element has no size.")
    if size_bytes > max_bytes:
        raise RemoteProtocolError("The WebM stream is broken: an element is too large.")
    return size_bytes


def _read_block(feed: ByteFeed, size_bytes: int | None, number: int) -> Step[bytes | None]:
    """Read a block after its track number; return ``None`` for a block of another track."""
    whole_bytes = _checked_size(size_bytes, _MAX_SKIPPED_BYTES)
    if not whole_bytes:
        _refuse()
    if not feed.holds(1):
        yield from feed.wait_for(1)
    first = feed.peek(0)
    if not first or (number_bytes := 9 - first.bit_length()) > whole_bytes:
        _refuse()
    if not feed.holds(number_bytes):
        yield from feed.wait_for(number_bytes)
    left_bytes = whole_bytes - number_bytes
    if _vint(feed.take(number_bytes), 0)[0] != number:
        yield from feed.skip(left_bytes)
        return None
    return (yield from _read_whole(feed, left_bytes))


def _frames(block: bytes) -> Iterator[bytes]:
    """Yield the frames of a block (RFC 9559 §10.3)."""
    if len(block) < 3:
        _refuse()
    lacing, at = block[2] & _LACING, 3
    if not lacing:
        yield block[at:]
        return
    if at == len(block):
        _refuse()
    count, at = block[at] + 1, at + 1
    if lacing == _FIXED:
        size_bytes, surplus = divmod(len(block) - at, count)
        if surplus:
            _refuse()
        sizes = [size_bytes] * (count - 1)
    else:
        sizes, at = (_xiph_sizes if lacing == _XIPH else _ebml_sizes)(block, at, count - 1)
    if min(sizes, default=0) < 0 or at + sum(sizes) > len(block):
        _refuse()
    for size_bytes in sizes:
        yield block[at : at + size_bytes]
        at += size_bytes
    yield block[at:]


def _xiph_sizes(block: bytes, at: int, count: int) -> tuple[list[int], int]:
    sizes = []
    for _ in range(count):
        size_bytes = 0
        while True:
            if at == len(block):
                _refuse()
            size_bytes += block[at]
            at += 1
            if block[at - 1] < 255:
                break
        sizes.append(size_bytes)
    return sizes, at


def _ebml_sizes(block: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Read the first size, then the difference of each to the one before (§10.3.3)."""
    sizes: list[int] = []
    for _ in range(count):
        start = at
        value, at = _vint(block, at)
        if value is None:
            _refuse()
        if sizes:  # "signed by subtracting half of the range"
            value += sizes[-1] - ((1 << 7 * (at - start) - 1) - 1)
        sizes.append(value)
    return sizes, at


def _children(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(content):
        if content[at] < 0x10:
            _refuse()
        id_end = at + 9 - content[at].bit_length()
        element = int.from_bytes(content[at:id_end], "big")
        size_bytes, at = _vint(content, id_end)
        if size_bytes is None or at + size_bytes > len(content):
            _refuse()
        yield element, content[at : at + size_bytes]
        at += size_bytes


def _check_doc_type(header: bytes) -> None:
    doc_type = dict(_children(header)).get(_DOC_TYPE, b"matroska").rstrip(b"\0")
    if doc_type not in (b"webm", b"matroska"):
        raise UnsupportedFormat("The stream is EBML, but not WebM.")


def _choose(tracks: bytes) -> _NumberedTrack:
    """Return the first Opus track."""
    for element, content in _children(tracks):
        entry = dict(_children(content)) if element == _TRACK_ENTRY else {}
        if entry.get(_CODEC_ID, b"").rstrip(b"\0") != b"A_OPUS":
            continue
        if _CONTENT_ENCODINGS in entry:
            raise UnsupportedFormat("The WebM stream's track is compressed or encrypted.")
        number = int.from_bytes(entry.get(_TRACK_NUMBER, b""), "big")
        return _NumberedTrack(number, parse_opus_head(entry.get(_CODEC_PRIVATE, b"")))
    raise UnsupportedFormat("The WebM stream holds no Opus; record with codecs=opus.")


def _refuse() -> NoReturn:
    raise RemoteProtocolError("The WebM stream is broken.")
