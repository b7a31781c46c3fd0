"""What every push demuxer is made of: a parser that waits for bytes, and the shell around it.

A parser is a generator. It asks the feed for bytes with ``yield from``, which yields ``None`` as
long as they aren't there, and it yields each packet that it finds. So it reads like one for files,
packets before a broken byte still come out, and a stream that comes byte by byte costs no more than
one look at the buffer's length for each.
"""

from collections.abc import Callable, Generator
from typing import TypeVar

from auricle.audio.demux.track import DemuxedPacket
from auricle.errors import AuricleError, LocalProtocolError, RemoteProtocolError

_T = TypeVar("_T")

Step = Generator[None, None, _T]
"""Something that takes bytes, waiting for them, and gives a result."""

Packets = Generator[DemuxedPacket | None, None, None]


class ByteFeed:
    """Received bytes that a parser takes; it holds what was received and not taken yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.is_at_eof = False

    def receive(self, data: bytes) -> None:
        """Add bytes."""
        self._buffer += data

    def clear(self) -> None:
        """Let go of everything."""
        self._buffer.clear()

    def holds(self, size_bytes: int) -> bool:
        """Return whether this many bytes are here; :meth:`read` and :meth:`wait_for` wait."""
        return len(self._buffer) >= size_bytes

    def peek(self, at: int) -> int:
        """Return the value of a byte that is here, and leave it here."""
        return self._buffer[at]

    def take(self, size_bytes: int) -> bytes:
        """Take bytes that are here."""
        data = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]  # a bytearray forgets its front without moving the rest
        return data

    def wait_for(self, size_bytes: int) -> Step[None]:
        """Wait until this many bytes are here.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        while len(self._buffer) < size_bytes:
            self._check_end()
            yield

    def has_more(self) -> Step[bool]:
        """Wait for a byte; ``False`` if the stream ends here, where it may."""
        while not self._buffer:
            if self.is_at_eof:
                return False
            yield
        return True

    def read(self, size_bytes: int) -> Step[bytes]:
        """Take bytes, waiting for them.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        yield from self.wait_for(size_bytes)
        return self.take(size_bytes)

    def skip(self, size_bytes: int) -> Step[None]:
        """Let go of bytes as they come.

        Raises:
            RemoteProtocolError: The stream ends before them.
        """
        while True:
            gone = min(size_bytes, len(self._buffer))
            del self._buffer[:gone]
            size_bytes -= gone
            if not size_bytes:
                return
            self._check_end()
            yield

    def _check_end(self) -> None:
        if self.is_at_eof:
            raise RemoteProtocolError("The stream ends in the middle of its container.")


class PushDemuxer:
    """Packets out of one live stream; made by the class of its container.

    Args:
        parse: The container's parser.
    """

    def __init__(self, parse: Callable[[ByteFeed], Packets]) -> None:
        self._feed = ByteFeed()
        self._parser = parse(self._feed)
        self._failure: AuricleError | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came, cut anywhere."""
        if self._feed.is_at_eof:
            raise LocalProtocolError("receive_data() after receive_eof()")
        if self._failure is None:
            self._feed.receive(data)

    def receive_eof(self) -> None:
        """Take note that no more bytes will come; idempotent."""
        self._feed.is_at_eof = True

    def next_packet(self) -> DemuxedPacket | None:
        """Return the next packet, or ``None`` when more data is needed.

        Raises:
            RemoteProtocolError: The stream is broken, now and for every later call.
            UnsupportedFormat: It holds no Opus that can be decoded; for every later call too.
        """
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)
        try:
            return next(self._parser, None)
        except AuricleError as exc:
            self._failure = exc
            self._feed.clear()
            raise
