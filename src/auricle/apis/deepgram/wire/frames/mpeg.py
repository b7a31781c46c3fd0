"""Split live MP3, or AAC in ADTS, into frames.

Each frame states its size. The first frame, and the first after other bytes, is recognised by the
header of the next one. ID3v2 tags are skipped.
"""

from auricle.apis.deepgram.wire.frames.splitter import MAX_TAG_BYTES, JunkLimit, frame_of
from auricle.protocol.mpeg_header import (
    ADTS_HEADER_BYTES,
    MP3_HEADER_BYTES,
    parse_adts_header,
    parse_mp3_header,
)
from auricle.values.errors import AudioError
from auricle.values.types import CompressedFrame, FrameCodec

_TAG = b"ID3"
_TAG_HEADER_BYTES = 10  # ID3v2.4 §3.1: "ID3", version, flags, size in four bytes of seven bits


class MpegSplitter:
    """See :class:`.FrameSplitter`.

    Args:
        codec: MP3 or AAC.
    """

    header = b""

    def __init__(self, codec: FrameCodec) -> None:
        is_mp3 = codec is FrameCodec.MP3
        self._parse = parse_mp3_header if is_mp3 else parse_adts_header
        self._header_bytes = MP3_HEADER_BYTES if is_mp3 else ADTS_HEADER_BYTES
        self._buffer = bytearray()
        self._skip_bytes = 0
        self._is_synced = self._is_at_eof = False
        self._junk = JunkLimit("MP3" if is_mp3 else "AAC")

    def receive_data(self, data: bytes) -> None:
        """Receive bytes, split anywhere."""
        self._buffer += data

    def receive_eof(self) -> None:
        """End the stream: a frame needs no other one after it."""
        self._is_at_eof = True

    def next_frame(self) -> CompressedFrame | None:
        """Return the next frame; ``None`` when more bytes are needed.

        Raises:
            AudioError: There are too many bytes without a frame.
        """
        while True:
            self._skip()
            if self._skip_bytes or len(self._buffer) < self._header_bytes:
                return None
            if self._buffer.startswith(_TAG):
                if len(self._buffer) < _TAG_HEADER_BYTES:
                    return None
                self._skip_bytes = _tag_bytes(self._buffer)
                if not self._skip_bytes:
                    self._pass_over()
                continue
            header = self._parse(bytes(self._buffer[: self._header_bytes]))
            if header is None:
                self._pass_over()
                continue
            size_bytes = header.size_bytes
            needed_bytes = size_bytes
            if not self._is_synced and not self._is_at_eof:
                needed_bytes += self._header_bytes
            if len(self._buffer) < needed_bytes:
                return None
            following = bytes(self._buffer[size_bytes : size_bytes + self._header_bytes])
            if not self._is_synced and following and self._parse(following) is None:
                self._pass_over()
                continue
            data = bytes(self._buffer[:size_bytes])
            del self._buffer[:size_bytes]
            self._is_synced = True
            self._junk.reset()
            return frame_of(data, header.samples, header.rate_hz)

    def _skip(self) -> None:
        skipped_bytes = min(self._skip_bytes, len(self._buffer))
        del self._buffer[:skipped_bytes]
        self._skip_bytes -= skipped_bytes

    def _pass_over(self) -> None:
        """Drop bytes up to what may be the next frame or tag."""
        self._is_synced = False
        places = [self._buffer.find(start, 1) for start in (b"\xff", _TAG[:1])]
        at = min((place for place in places if place > 0), default=len(self._buffer))
        del self._buffer[:at]
        self._junk.add(at)


def _tag_bytes(head: bytearray) -> int:
    """Return the size of the ID3v2 tag at the start, 0 if it is none.

    Raises:
        AudioError: It is too large.
    """
    size_bytes = 0
    for byte in head[6:_TAG_HEADER_BYTES]:
        if byte > 0x7F:
            return 0
        size_bytes = size_bytes << 7 | byte
    if size_bytes > MAX_TAG_BYTES:
        raise AudioError(f"The ID3 tag has more than {MAX_TAG_BYTES // 2**20} MiB.")
    return _TAG_HEADER_BYTES + size_bytes
