"""Split live FLAC into frames (RFC 9639).

::

    "fLaC" [block header][STREAMINFO] ([block header][other metadata]…) (frame…)

Frames do not state their size: a frame ends where the next one begins. A beginning is a header with
the right check sum and the next number, so the last frame is complete only at the end of the stream
or with the next frame.
"""

from dataclasses import dataclass

from auricle.apis.deepgram.wire.frames.splitter import JunkLimit, frame_of
from auricle.values.errors import AudioError
from auricle.values.types import CompressedFrame

_MAGIC = b"fLaC"
_BLOCK_HEADER_BYTES = 4
_STREAMINFO, _STREAMINFO_BYTES = 0, 34
MAX_FRAME_BYTES = 2**20
"""65,535 samples of eight channels with 16 bits."""
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 768_000
MAX_HEADER_BYTES = 16
_FIXED, _VARIABLE = b"\xff\xf8", b"\xff\xf9"
_RATES_HZ = {
    **{1: 88_200, 2: 176_400, 3: 192_000, 4: 8_000, 5: 16_000, 6: 22_050},
    **{7: 24_000, 8: 32_000, 9: 44_100, 10: 48_000, 11: 96_000},
}


@dataclass(frozen=True, slots=True)
class FlacHeader:
    """The header of a frame (RFC 9639 §9.1).

    Attributes:
        samples: Samples of each channel in the frame.
        rate_hz: Sample rate; 0 for that of STREAMINFO.
        number: Number of the frame, or of its first sample if block sizes vary.
        is_variable: Whether block sizes vary.
    """

    samples: int
    rate_hz: int
    number: int
    is_variable: bool

    @property
    def next_number(self) -> int:
        """The number of the next frame."""
        return self.number + (self.samples if self.is_variable else 1)


def parse_flac_header(head: bytes) -> FlacHeader | None:
    """Return the header at the start of at least ``MAX_HEADER_BYTES``; ``None`` if it is none."""
    if len(head) < 6 or head[:2] not in (_FIXED, _VARIABLE):
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    coded = _coded_number(head, 4)
    if coded is None:
        return None
    number, at = coded
    size_bytes = {6: 1, 7: 2}.get(size_code, 0)
    rate_bytes = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    end = at + size_bytes + rate_bytes
    if len(head) <= end or _crc8(head[:end]) != head[end]:
        return None
    samples = _samples(size_code, int.from_bytes(head[at : at + size_bytes]))
    value = int.from_bytes(head[at + size_bytes : end])
    rate_hz = {12: value * 1000, 13: value, 14: value * 10}.get(rate_code)
    if rate_hz is None:
        rate_hz = _RATES_HZ.get(rate_code, 0)
    return FlacHeader(samples, rate_hz, number, head[1] == _VARIABLE[1])


def _samples(code: int, value: int) -> int:
    if code == 1:
        return 192
    if code <= 5:
        return 144 << code
    return value + 1 if code <= 7 else 1 << code


def _coded_number(head: bytes, at: int) -> tuple[int, int] | None:
    """Return a number in UTF-8's scheme with up to 36 bits, and the position after it."""
    first = head[at]
    if first < 0x80:
        return first, at + 1
    count = 8 - (first ^ 0xFF).bit_length()  # leading ones
    if not 2 <= count <= 7 or len(head) < at + count:
        return None
    number = first & (0x7F >> count)
    for byte in head[at + 1 : at + count]:
        if byte & 0xC0 != 0x80:
            return None
        number = number << 6 | byte & 0x3F
    return number, at + count


def _crc8_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value << 1 ^ (0x07 if value & 0x80 else 0)) & 0xFF
        table.append(value)
    return tuple(table)


_CRC8 = _crc8_table()


def _crc8(data: bytes) -> int:
    """Return the check sum of a header: x^8 + x^2 + x + 1, from 0 (RFC 9639 §9.1.8)."""
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


class FlacSplitter:
    """See :class:`.FrameSplitter`; ``header`` is the STREAMINFO block."""

    def __init__(self) -> None:
        self.header = b""
        self._rate_hz = 0
        self._buffer = bytearray()
        self._skip_bytes = 0
        self._has_magic = self._is_last_block = self._is_at_eof = False
        self._searched_bytes = 1
        self._junk = JunkLimit("FLAC")

    def receive_data(self, data: bytes) -> None:
        """Receive bytes, split anywhere."""
        self._buffer += data

    def receive_eof(self) -> None:
        """End the stream: the rest is the last frame."""
        self._is_at_eof = True

    def next_frame(self) -> CompressedFrame | None:
        """Return the next frame; ``None`` when more bytes are needed.

        Raises:
            AudioError: The metadata is invalid, or there are too many bytes without a frame.
        """
        if not self._has_read_metadata():
            return None
        while len(self._buffer) >= (6 if self._is_at_eof else MAX_HEADER_BYTES):
            header = self._header_at(0)
            if header is None:
                self._pass_over()
                continue
            end = self._find_end(header)
            if end is None:
                return None
            data = bytes(self._buffer[:end])
            del self._buffer[:end]
            self._searched_bytes = 1
            self._junk.reset()
            return frame_of(data, header.samples, header.rate_hz or self._rate_hz)
        return None

    def _has_read_metadata(self) -> bool:
        """Read the blocks before the frames; return whether the last one is complete."""
        while True:
            skipped_bytes = min(self._skip_bytes, len(self._buffer))
            del self._buffer[:skipped_bytes]
            self._skip_bytes -= skipped_bytes
            if self._skip_bytes:
                return False
            if self._is_last_block:
                return True
            if not self._has_magic:
                if len(self._buffer) < len(_MAGIC):
                    return False
                if not self._buffer.startswith(_MAGIC):
                    raise AudioError("The FLAC stream has no header.")
                del self._buffer[: len(_MAGIC)]
                self._has_magic = True
            if not self._has_read_block():
                return False

    def _has_read_block(self) -> bool:
        wanted_bytes = _BLOCK_HEADER_BYTES + (0 if self.header else _STREAMINFO_BYTES)
        if len(self._buffer) < wanted_bytes:
            return False
        kind, size_bytes = self._buffer[0] & 0x7F, int.from_bytes(self._buffer[1:4])
        is_last = bool(self._buffer[0] & 0x80)
        if not self.header:
            if kind != _STREAMINFO or size_bytes != _STREAMINFO_BYTES:
                raise AudioError("The FLAC stream does not begin with STREAMINFO.")
            self.header = bytes(self._buffer[_BLOCK_HEADER_BYTES:wanted_bytes])
            self._rate_hz = int.from_bytes(self.header[10:13]) >> 4
            if not MIN_RATE_HZ <= self._rate_hz <= MAX_RATE_HZ:
                raise AudioError(f"Unsupported sample rate {self._rate_hz} Hz of FLAC.")
            size_bytes = 0
        del self._buffer[:wanted_bytes]
        self._skip_bytes, self._is_last_block = size_bytes, is_last
        return True

    def _header_at(self, at: int) -> FlacHeader | None:
        header = parse_flac_header(bytes(self._buffer[at : at + MAX_HEADER_BYTES]))
        has_rate = header is None or header.rate_hz == 0 or header.rate_hz >= MIN_RATE_HZ
        return header if has_rate else None

    def _find_end(self, header: FlacHeader) -> int | None:
        """Return where the next frame begins; ``None`` if its beginning has not arrived."""
        start = _VARIABLE if header.is_variable else _FIXED
        last = len(self._buffer) - (6 if self._is_at_eof else MAX_HEADER_BYTES)
        while 0 < (at := self._buffer.find(start, self._searched_bytes)) <= last:
            following = self._header_at(at)
            # A stream that starts anew counts from 0.
            if following is not None and following.number in (header.next_number, 0):
                return at
            self._searched_bytes = at + 1
        if self._is_at_eof:
            return len(self._buffer)
        self._searched_bytes = max(self._searched_bytes, last + 1 if at < 0 else at)
        if len(self._buffer) > MAX_FRAME_BYTES:
            raise AudioError(f"A FLAC frame has more than {MAX_FRAME_BYTES // 2**20} MiB.")
        return None

    def _pass_over(self) -> None:
        """Drop bytes up to what may be the next frame."""
        places = [self._buffer.find(start, 1) for start in (_FIXED, _VARIABLE)]
        kept = self._buffer.endswith(b"\xff")  # the first byte of a beginning
        end = len(self._buffer) - kept
        at = min((place for place in places if place > 0), default=max(1, end))
        del self._buffer[:at]
        self._junk.add(at)
