"""A live session that lasts a day, with finals that are checked to the sample."""

import asyncio
import contextlib
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from auricle.apis.native.wire.stream import Resume, decode_event, encode_command
from auricle.client.connection import open_websocket, stream_url
from auricle.values.commands import Ack, Stop
from auricle.values.events import AudioProgress, Closed, Failed, Final, Partial, Ready, Warned
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.soak.sources import STEP_SAMPLES, Source

HOUR_STEPS = 3600 * SAMPLE_RATE_HZ // STEP_SAMPLES
MAX_AHEAD_STEPS = 200
"""A client this far ahead of the server waits: sockets can hold an hour of Opus."""
RETRIES = 20
RETRY_S = 0.2
OPEN_LIMIT_S = 10.0
LAST_FINAL_LIMIT_S = 120.0


@dataclass(slots=True)
class Session:
    """One live session and its results."""

    name: str
    source: Source
    start_sample: int
    steps: int
    break_steps: list[int]
    turn_samples: int | None
    """Length of the audio that is repeated; its beginning is speech."""
    sent_steps: int = 0
    finals: int = 0
    partials: int = 0
    wrong_audio: int = 0
    """Finals whose checksum is not that of the audio between their times."""
    out_of_order: int = 0
    resumed: int = 0
    forgotten: int = 0
    warnings: int = 0
    failures: list[str] = field(default_factory=list)
    last_end_sample: int = 0
    closed: Closed | None = None
    _ready: Ready | None = None
    _received_steps: int = 0
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str, speed: float) -> None:
        """Send all steps and receive all finals, over as many connections as needed."""
        began_at, tries = time.monotonic(), 0
        while self.closed is None:
            try:
                async with await open_websocket(
                    f"{stream_url(url)}?{self._query()}", OPEN_LIMIT_S
                ) as socket:
                    sent_before = self.sent_steps
                    await self._converse(socket, began_at, speed)
                    tries = 0 if self.sent_steps > sent_before else tries
            except (OSError, WebSocketException) as error:
                self.failures.append(repr(error))
            tries += 1
            if tries > RETRIES:
                raise RuntimeError(f"{self.name}: {self.failures[-1:]}")
            if self.closed is None:
                await asyncio.sleep(RETRY_S)

    def _query(self) -> str:
        if self._ready is None or not self._ready.resumable:
            return self.source.query
        return f"{self.source.query}&resume=1"

    async def _converse(self, socket: ClientConnection, began_at: float, speed: float) -> None:
        known = self._ready
        if known is not None and known.resumable:
            await socket.send(encode_command(Resume(known.session, known.secret, self.finals)))
        elif self.sent_steps:
            raise RuntimeError(f"{self.name} broke and can't be resumed: {self.failures}")
        ready = decode_event(await socket.recv())
        if not isinstance(ready, Ready):
            raise OSError(f"not ready, but {ready}")
        self.resumed += ready.resumed
        self.forgotten += known is not None and not ready.resumed
        self._ready = ready
        self._note_received(ready.received_sample)
        self.sent_steps = self._received_steps
        reading = asyncio.create_task(self._read(socket))
        try:
            await self._send(socket, began_at, speed)
            async with asyncio.timeout(LAST_FINAL_LIMIT_S):
                await reading
        except ConnectionClosed:
            await reading
        finally:
            reading.cancel()

    async def _send(self, socket: ClientConnection, began_at: float, speed: float) -> None:
        step_s = STEP_SAMPLES / SAMPLE_RATE_HZ / speed
        while self.sent_steps < self.steps:
            if self.break_steps and self.sent_steps >= self.break_steps[0]:
                self.break_steps.pop(0)
                socket.transport.abort()
            wait_s = began_at + (self.sent_steps + 1) * step_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            while self.sent_steps - self._received_steps > MAX_AHEAD_STEPS:
                self._progress.clear()
                await self._progress.wait()
            if message := self.source.message(self.sent_steps):
                await socket.send(message)
            self.sent_steps += 1
        if rest := self.source.rest():
            await socket.send(rest)
        await socket.send(encode_command(Stop()))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                match decode_event(message):
                    case Final() as final:
                        self._take(final)
                        with contextlib.suppress(ConnectionClosed):  # there may be more to read
                            await socket.send(encode_command(Ack(final.id)))
                    case AudioProgress(received):
                        self._note_received(received)
                    case Partial():
                        self.partials += 1
                    case Warned():
                        self.warnings += 1
                    case Failed() as failed:
                        self.failures.append(failed.code)
                    case Closed() as closed:
                        self.closed = closed
                        return
                    case _:
                        pass
        except ConnectionClosed:
            return
        finally:
            self._received_steps = self.steps  # ends all waits
            self._progress.set()

    def _note_received(self, sample: int) -> None:
        self._received_steps = (sample - self.start_sample) // STEP_SAMPLES
        self._progress.set()

    def _take(self, final: Final) -> None:
        if final.id <= self.finals:  # sent again after a resume
            return
        start, end = (at - self.start_sample for at in (final.start_sample, final.end_sample))
        if final.id != self.finals + 1 or start < self.last_end_sample:
            self.out_of_order += 1
        self.finals, self.last_end_sample = final.id, end
        size = final.text.partition(" ")[0]
        first = min(start, end - int(size)) if size else start  # with the speech before it
        if final.text != scripted_text(self.source.samples(first, end)):
            self.wrong_audio += 1

    def figures(self) -> dict[str, Any]:
        """Return the results."""
        closed = self.closed
        return {
            "hours": round(self.sent_steps / HOUR_STEPS, 3),
            "finals": self.finals,
            "turns": self.turn_samples and -(-self.steps * STEP_SAMPLES // self.turn_samples),
            "partials": self.partials,
            "finals_of_other_audio": self.wrong_audio,
            "out_of_order": self.out_of_order,
            "last_final_ends_at_sample": self.start_sample + self.last_end_sample,
            "resumed": self.resumed,
            "forgotten": self.forgotten,
            "warnings": self.warnings,
            "failures": self.failures,
            "samples_sent": self.steps * STEP_SAMPLES,
            "samples_skipped": self.source.skipped_samples,
            "samples_counted": closed and closed.audio_samples,
            "lost_packets": closed and closed.lost_packets,
            "decode_errors": closed and closed.decode_errors,
        }


def scripted_text(pcm: Pcm16) -> str:
    """Return the text of the scripted engine for this audio."""
    return f"{pcm.size} {zlib.crc32(pcm.tobytes())}"
