"""Deepgram's API: live speech, and a file."""

import asyncio
import contextlib
import json

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.resilience.chaos.clients.site import Broken, Site, chunks, paced
from tests.resilience.chaos.said import OutboundItem

LIVE, FILE = "deepgram", "deepgram_file"
LISTEN = "/v1/listen?model=nova-3&language=en&punctuate=true"


async def ask_live(site: Site, said: OutboundItem) -> str:
    """Speak, and return all final results.

    Raises:
        Broken: The stream ended in another way than it should.
    """
    texts: list[str] = []
    has_metadata = False
    query = "&encoding=linear16&sample_rate=16000&interim_results=true&endpointing=500"
    async with site.socket(LIVE, LISTEN + query) as socket:
        speaking = asyncio.create_task(_speak(socket, said))
        try:
            while True:
                event = json.loads(await socket.recv())
                if event["type"] == "Results" and event["is_final"]:
                    texts.append(event["channel"]["alternatives"][0]["transcript"])
                has_metadata |= event["type"] == "Metadata"
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else None
            if code != 1000 or not has_metadata:
                raise Broken(f"closed: {closed}") from closed
        finally:
            speaking.cancel()
    return " ".join(filter(None, texts))


async def _speak(socket: ClientConnection, said: OutboundItem) -> None:
    with contextlib.suppress(ConnectionClosed):  # who listens hears of it
        async for part in paced(chunks(said.pcm)):
            await socket.send(part.tobytes())
        await socket.send('{"type": "CloseStream"}')


async def ask_file(site: Site, said: OutboundItem) -> str:
    """Post a file and return its text."""
    answer = await site.post(FILE, LISTEN, content=said.wav, headers={"content-type": "audio/wav"})
    return str(answer.json()["results"]["channels"][0]["alternatives"][0]["transcript"])
