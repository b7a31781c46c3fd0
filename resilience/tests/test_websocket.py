import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from stt_resilience.drivers import websocket
from stt_resilience.drivers.base import Message, Text
from stt_resilience.drivers.plain import PlainCodec

QUIET_S = 0.3


class Quiet(PlainCodec):
    """A protocol whose server does not report that all results were sent."""

    quiet_s = QUIET_S

    def receive(self, message: Message) -> list[Text]:
        return [Text("final", str(message))] if message else []


@pytest.mark.wall_clock
def test_quiet_time_counts_from_the_end_of_the_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "POLL_S", 0.05)

    async def answer(connection: ServerConnection) -> None:
        await connection.send("early")
        with suppress(ConnectionClosed):
            while True:
                await connection.send("")  # without text
                await asyncio.sleep(0.02)

    async def run() -> tuple[list[str], float]:
        async with serve(answer, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            options: dict[str, Any] = {}
            driver = websocket.WebSocketDriver(lambda _: Quiet(f"ws://127.0.0.1:{port}", options))
            session = await driver.open()

            async def finish() -> float:
                await asyncio.sleep(2 * QUIET_S)  # quiet, but the audio has not ended
                await session.finish()
                return time.monotonic()

            finishing = asyncio.create_task(finish())
            seen = [text.text async for text in session.texts()]
            ended_s = time.monotonic()
            await session.close()
            return seen, ended_s - await finishing

    seen, after_s = asyncio.run(run())
    assert seen == ["early"]
    assert after_s >= QUIET_S
