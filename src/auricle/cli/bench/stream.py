"""The load generator: plays a live stream in real time, and keeps the messages that arrive.

Messages are framed in advance, and one timer writes them to the socket; messages that arrive are
kept with their time and parsed after the run. So a generator of many streams, which shares the
machine with the server, uses little CPU time. Its own delay is measured as well.

The benchmarks of ``bench/`` play their streams with it, too.
"""

import asyncio
from array import array
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from auricle.values.types import SAMPLE_RATE_HZ


def frame_of(message: str | bytes) -> bytes:
    """Return a client's message as a frame of the WebSocket protocol."""
    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=True)
    return Frame(Opcode.BINARY, message).serialize(mask=True)


def framed(messages: Iterable[str | bytes]) -> list[bytes]:
    """Return the frames of messages."""
    return list(map(frame_of, messages))


@dataclass(slots=True)
class Played:
    """What was sent and received in one stream; times are those of the event loop, in seconds.

    Attributes:
        step_samples: Length of the audio of a frame, at 16 kHz.
        began_at: When its first sample was spoken.
        sent_at_s: When each frame was sent.
        late_s: How late that was.
        received: The messages, with the time of their arrival.
        is_refused: Whether the server refused the stream.
    """

    step_samples: int
    began_at: float = 0.0
    sent_at_s: "array[float]" = field(default_factory=lambda: array("d"))
    late_s: "array[float]" = field(default_factory=lambda: array("d"))
    received: list[tuple[float, str]] = field(default_factory=list)
    is_refused: bool = False

    def sent(self, moment_s: float) -> float:
        """Return when the sample at this position of the stream was sent."""
        step = int(moment_s * SAMPLE_RATE_HZ) // self.step_samples
        return self.sent_at_s[min(step, len(self.sent_at_s) - 1)]


class StreamPlayer:
    """Plays one stream.

    Args:
        transport: Where frames are written.
        messages: The server's messages.
        frames: One for each step.
        played: Receives what is sent and received.
        ending: Sent after the last frame.
        is_last: Whether a message is the last one.
    """

    def __init__(
        self,
        transport: asyncio.WriteTransport,
        messages: AsyncIterable[str | bytes],
        frames: Sequence[bytes],
        played: Played,
        *,
        ending: bytes = b"",
        is_last: Callable[[str], bool] = lambda message: False,
    ) -> None:
        self._transport = transport
        self._frames = frames
        self._ending = ending
        self._is_last = is_last
        self._loop = asyncio.get_running_loop()
        self._next = 0
        self._is_sent = asyncio.Event()
        self._messages = messages
        self._reading: asyncio.Task[None]
        self.played = played

    async def play(self, began_at: float, patience_s: float) -> None:
        """Play the stream from this time on, and read for some more seconds."""
        self.start(began_at)
        await self.sent()
        await self.stop(patience_s)

    def start(self, began_at: float) -> None:
        """Start to read now, and to play at this time of the event loop."""
        self._reading = asyncio.create_task(self._read())
        self.played.began_at = began_at
        self._loop.call_at(self._due_at(), self._send)

    async def sent(self) -> None:
        """Wait until the last frame was sent or the connection has ended."""
        await self._is_sent.wait()

    async def stop(self, patience_s: float) -> None:
        """Read until the last message, but no longer than this, in seconds."""
        await asyncio.wait([self._reading], timeout=patience_s)
        self._reading.cancel()

    def close(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def _due_at(self) -> float:
        """A step is sent when its last sample has been spoken."""
        spoken_samples = (self._next + 1) * self.played.step_samples
        return self.played.began_at + spoken_samples / SAMPLE_RATE_HZ

    def _send(self) -> None:
        if self._is_sent.is_set():  # the connection has ended
            return
        with suppress(RuntimeError):  # the WebSocket is closed, and its library has sent an EOF
            if self._send_due():
                self._loop.call_at(self._due_at(), self._send)
                return
            self._transport.write(self._ending)
        self._is_sent.set()

    def _send_due(self) -> bool:
        """Send the frames that are due; return whether there will be more."""
        now = self._loop.time()
        while self._next < len(self._frames) and (due_at := self._due_at()) <= now:
            self._transport.write(self._frames[self._next])
            self.played.sent_at_s.append(now)
            self.played.late_s.append(now - due_at)
            self._next += 1
        return self._next < len(self._frames) and not self._transport.is_closing()

    async def _read(self) -> None:
        try:
            async for message in self._messages:
                text = message if isinstance(message, str) else message.decode()
                self.played.received.append((self._loop.time(), text))
                if self._is_last(text):
                    return
        except (ConnectionClosed, EOFError, OSError):
            return
        finally:
            self._is_sent.set()


async def play_stream(
    connection: ClientConnection,
    frames: Sequence[bytes],
    step_samples: int,
    patience_s: float,
    *,
    ending: bytes = b"",
    is_last: Callable[[str], bool] = lambda message: '"type":"closed"' in message,
) -> Played:
    """Play a stream from now on, and close the connection.

    Args:
        connection: The connection, ready for audio.
        frames: One for each step.
        step_samples: Length of a step, at 16 kHz.
        patience_s: How long to wait for the last message after the last frame, in seconds.
        ending: Sent after the last frame.
        is_last: Whether a message is the last one; by default, as in the native protocol.
    """
    player = StreamPlayer(
        connection.transport,
        connection,
        frames,
        Played(step_samples),
        ending=ending,
        is_last=is_last,
    )
    await player.play(asyncio.get_running_loop().time(), patience_s)
    await connection.close()
    return player.played
