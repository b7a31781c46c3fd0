"""Play speech over a connection in real time, and collect what the server returns."""

import time
from dataclasses import dataclass

import anyio

from auricle.cli.doctor.client.connection import Connection
from auricle.protocol.client_profile import LiveScript

NO_ANSWER = "the server does not answer"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it.

    Attributes:
        text: The final text.
        delay_s: Time from the end of the speech to its last text, in seconds.
        problem: What went wrong; empty if nothing did.
    """

    text: str
    delay_s: float
    problem: str


class _Playing:
    def __init__(self, connection: Connection, script: LiveScript, *, ends_by_close: bool) -> None:
        self._connection, self._script = connection, script
        self._ends_by_close = ends_by_close
        self._speech_end_at = self._text_at = 0.0
        self._problem = ""
        self.ended = anyio.Event()

    async def send(self, chunks: list[bytes], chunk_s: float, speech_chunks: int) -> None:
        """Send everything."""
        try:
            await self._send_all(*self._script.opening())
            began_at = time.monotonic()
            for index, chunk in enumerate(chunks, start=1):
                await self._send_all(self._script.audio(chunk))
                if index == speech_chunks:
                    self._speech_end_at = time.monotonic()
                await anyio.sleep(max(began_at + index * chunk_s - time.monotonic(), 0))
            await self._send_all(*self._script.ending())
        except ConnectionError:
            pass  # receive() reports it, with the server's reason

    async def _send_all(self, *messages: str | bytes) -> None:
        for message in messages:
            await self._connection.send(message)

    async def receive(self) -> None:
        """Receive messages until the program has all that it waits for, or something fails."""
        is_open = True
        while is_open and not self._problem:
            if self._script.is_complete and not self._ends_by_close:
                break
            is_open = await self._receive_message()
        self.ended.set()

    async def _receive_message(self) -> bool:
        """Receive a message; return whether the connection is still open."""
        message = await self._connection.receive()
        if message is None and not (self._ends_by_close and self._script.is_complete):
            reason = self._connection.closing_reason
            self._problem = "the server closed the connection" + (reason and f": {reason}")
        if message is None:
            return False
        text = self._script.text
        try:
            self._script.receive(message)
        except ValueError as error:
            self._problem = str(error)
            return True
        self._problem = self._script.failure
        if self._script.text != text:
            self._text_at = time.monotonic()
        return True

    def played(self) -> Played:
        """Return what came of it."""
        problem = self._problem or ("" if self.ended.is_set() else NO_ANSWER)
        return Played(self._script.text, max(self._text_at - self._speech_end_at, 0.0), problem)


async def play(
    connection: Connection,
    script: LiveScript,
    chunks: list[bytes],
    chunk_s: float,
    speech_s: float,
    end_s: float,
    *,
    ends_by_close: bool = False,
) -> Played:
    """Send chunks of audio at the speed of speech, and wait for the text.

    Args:
        connection: An open connection; stays open.
        script: The messages of the stream.
        chunks: The audio: 16-bit little-endian, mono.
        chunk_s: Length of each chunk, in seconds.
        speech_s: Length of the speech before the silence, in seconds.
        end_s: Maximum time until the last text, after the end of the audio.
        ends_by_close: Whether the program waits until the server closes the connection.
    """
    playing = _Playing(connection, script, ends_by_close=ends_by_close)
    async with anyio.create_task_group() as group:
        group.start_soon(playing.receive)
        group.start_soon(playing.send, chunks, chunk_s, round(speech_s / chunk_s))
        with anyio.move_on_after(len(chunks) * chunk_s + end_s):
            await playing.ended.wait()
        group.cancel_scope.cancel()
    return playing.played()


def chunks_of(pcm: bytes, chunk_bytes: int) -> list[bytes]:
    """Return samples in chunks; the last one may be shorter."""
    return [pcm[at : at + chunk_bytes] for at in range(0, len(pcm), chunk_bytes)]
