"""The base of every push demuxer: a parser that waits for bytes, and the class that drives it.

A parser is a generator. It requests bytes from the feed with ``yield from``, which yields ``None``
until they have arrived, and it yields each packet that it finds. It therefore reads like a parser
for files, still returns the packets before a broken byte, and when a stream arrives byte by byte
only checks the buffer's length for each byte.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from auricle.audio.demux.track import DemuxedPacket
from auricle.values.errors import AuricleError, LocalProtocolError, RemoteProtocolError

_T = TypeVar("_T")

Step = Generator[None, None, _T]
"""A step of a parser that consumes bytes, waits for them, and returns a result."""

Packets = Generator[DemuxedPacket | None, None, None]


class ByteFeed:
    """Hold received bytes until a parser consumes them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.is_at_eof = False

    def receive(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def clear(self) -> None:
        """Discard all bytes."""
        self._buffer.clear()

    def holds(self, size_bytes: int) -> bool:
        """Return whether this many bytes have arrived; :meth:`read` and :meth:`wait_for` wait."""
        return len(self._buffer) >= size_bytes

    def peek(self, at: int) -> int:
        """Return the value of a byte that has arrived, without consuming it."""
        return self._buffer[at]

    def take(self, size_bytes: int) -> bytes:
        """Consume and return bytes that have arrived."""
        data = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]  # a bytearray drops its front without moving the rest
        return data

    def wait_for(self, size_bytes: int) -> Step[None]:
        """Wait until this many bytes have arrived.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        while len(self._buffer) < size_bytes:
            self._check_end()
            yield

    def has_more(self) -> Step[bool]:
        """Wait for a byte; return ``False`` if the stream ends here, where it may."""
        while not self._buffer:
            if self.is_at_eof:
                return False
            yield
        return True

    def read(self, size_bytes: int) -> Step[bytes]:
        """Wait for bytes, consume and return them.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        yield from self.wait_for(size_bytes)
        return self.take(size_bytes)

    def skip(self, size_bytes: int) -> Step[None]:
        """Discard bytes as they arrive.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        while True:
            taken_bytes = min(size_bytes, len(self._buffer))
            del self._buffer[:taken_bytes]
            size_bytes -= taken_bytes
            if not size_bytes:
                return
            self._check_end()
            yield

    def _check_end(self) -> None:
        if self.is_at_eof:
            raise RemoteProtocolError("The stream ends in the middle of its container.")


class PushDemuxer:
    """Demux packets from one live stream; base of the class for each container.

    Args:
        parse: The container's parser.
    """

    def __init__(self, parse: Callable[[ByteFeed], Packets]) -> None:
        self._feed = ByteFeed()
        self._parser = parse(self._feed)
        self._failure: AuricleError | None = None

    def receive_data(self, data: bytes) -> None:
        """Add received bytes, split anywhere."""
        if self._feed.is_at_eof:
            raise LocalProtocolError("receive_data() after receive_eof()")
        if self._failure is None:
            self._feed.receive(data)

    def receive_eof(self) -> None:
        """Mark the end of the stream; idempotent."""
        self._feed.is_at_eof = True

    def next_packet(self) -> DemuxedPacket | None:
        """Return the next packet, or ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The stream is malformed, now and for every later call.
            UnsupportedFormat: It has no Opus that can be decoded; for every later call too.
        """
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)
        try:
            return next(self._parser, None)
        except AuricleError as exc:
            self._failure = exc
            self._feed.clear()
            raise
