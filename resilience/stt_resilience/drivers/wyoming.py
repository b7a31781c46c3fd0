"""Wyoming over TCP: a connection for each utterance, which the client ends (Home Assistant)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from stt_resilience.drivers.base import Lost, Refused, Session, Text
from stt_resilience.speech import RATE_HZ, Pcm16

OPEN_LIMIT_S = 10.0
REFUSAL_S = 0.3
"""How long an error is waited for before audio is sent: there is no message for an admission."""
DRAIN_LIMIT_S = 60.0
FORM = {"rate": RATE_HZ, "width": 2, "channels": 1}
MAX_DATA_BYTES = 1 << 20
Outcome = Text | Lost | Refused
"""Of one utterance."""


class WyomingDriver:
    """Opens sessions.

    Args:
        url: ``tcp://HOST:PORT``.
        options: ``language``.
    """

    is_stream = True
    can_resume = False

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "127.0.0.1", parts.port or 10300
        self._language = options.get("language", "en")

    async def open(self, lost: Session | None = None) -> "WyomingSession":
        """Open a session with its first connection."""
        del lost  # never resumed
        session = WyomingSession(self._address, self._language)
        await session.connect()
        return session


class WyomingSession:
    """A talk: utterance after utterance, each on a new connection."""

    resume_at = 0

    def __init__(self, address: tuple[str, int], language: str) -> None:
        self._address = address
        self._language = language
        self._texts: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._reading: set[asyncio.Task[Outcome]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._reads = True

    async def connect(self) -> None:
        """Connect, and start an utterance. Raises Lost and Refused."""
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                reader, self._writer = await asyncio.open_connection(*self._address)
        except (OSError, TimeoutError) as error:
            raise Lost(f"no connection: {error}") from error
        self._writers.append(self._writer)
        self._apply_reading(self._writer)
        task = asyncio.create_task(self._read(reader, len(self._writers)))
        self._reading.add(task)
        await self._event("transcribe", {"language": self._language})
        await self._event("audio-start", FORM)
        await asyncio.wait({task}, timeout=REFUSAL_S)
        if task.done() and isinstance(refusal := task.result(), Exception):
            self._writer = None
            raise refusal
        task.add_done_callback(self._add)

    def _add(self, task: "asyncio.Task[Outcome]") -> None:
        if not task.cancelled():
            self._texts.put_nowait(task.result())

    async def send(self, pcm: Pcm16, position: int) -> None:
        """Send a chunk, on a new connection if the last utterance has ended."""
        del position
        if self._writer is None:
            await self.connect()
        await self._event("audio-chunk", FORM, pcm.astype("<i2").tobytes())

    async def end_utterance(self) -> None:
        """End the utterance: its transcript follows."""
        await self._event("audio-stop", {})
        self._writer = None

    async def finish(self) -> None:
        """End the last utterance."""
        if self._writer is not None:
            await self.end_utterance()
        await asyncio.wait(self._reading)
        self._texts.put_nowait(None)

    async def texts(self) -> AsyncIterator[Text]:
        """Yield transcripts as they arrive."""
        while (item := await self._texts.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def set_reading(self, is_on: bool) -> None:
        """Stop reading, or continue."""
        self._reads = is_on
        for writer in self._writers:
            self._apply_reading(writer)

    def _apply_reading(self, writer: asyncio.StreamWriter) -> None:
        transport = writer.transport
        if isinstance(transport, asyncio.ReadTransport) and not transport.is_closing():
            (transport.resume_reading if self._reads else transport.pause_reading)()

    def cut(self) -> None:
        """Reset the connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def close(self) -> None:
        """Close the connections."""
        for task in self._reading:
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _event(self, kind: str, data: dict[str, Any], payload: bytes = b"") -> None:
        if self._writer is None:
            return
        head = {"type": kind, "data": data, "payload_length": len(payload)}
        try:
            self._writer.write(json.dumps(head).encode() + b"\n" + payload)
            await asyncio.wait_for(self._writer.drain(), DRAIN_LIMIT_S)
        except (OSError, TimeoutError) as error:
            raise Lost(f"the connection broke: {error}") from error

    async def _read(self, reader: asyncio.StreamReader, order: int) -> Outcome:
        """Read one connection until its transcript or error."""
        lost: Lost | Refused = Lost("the connection ended before its transcript")
        with suppress(OSError, ValueError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                head = json.loads(line)
                data = head.get("data") or {}
                if size := min(int(head.get("data_length") or 0), MAX_DATA_BYTES):
                    data |= json.loads(await reader.readexactly(size))
                await reader.readexactly(int(head.get("payload_length") or 0))
                if head["type"] == "transcript":
                    return Text("final", data.get("text", ""), order)
                if head["type"] == "error":
                    lost = Refused(f"{data.get('code')}: {data.get('text')}")
        return lost
