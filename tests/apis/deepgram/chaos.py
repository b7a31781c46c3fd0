"""Deepgram's clients under faults: live speech, and a file."""

import asyncio
import contextlib
import json

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.resilience.chaos.clients.site import Broken, Site, chunks, paced
from tests.resilience.chaos.recordings import Recording

LIVE, FILE = "deepgram", "deepgram_file"
LISTEN = "/v1/listen?model=nova-3&language=en&punctuate=true"


async def transcribe_live(site: Site, recording: Recording) -> str:
    """Send speech, and return the text of all final results.

    Raises:
        Broken: The stream ended in an invalid way.
    """
    texts: list[str] = []
    has_metadata = False
    query = "&encoding=linear16&sample_rate=16000&interim_results=true&endpointing=500"
    async with site.socket(LIVE, LISTEN + query) as socket:
        sending = asyncio.create_task(_send(socket, recording))
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
            sending.cancel()
    return " ".join(filter(None, texts))


async def _send(socket: ClientConnection, recording: Recording) -> None:
    with contextlib.suppress(ConnectionClosed):  # the receiver handles it
        async for part in paced(chunks(recording.pcm)):
            await socket.send(part.tobytes())
        await socket.send('{"type": "CloseStream"}')


async def transcribe_file(site: Site, recording: Recording) -> str:
    """Post a file and return its text."""
    response = await site.post(
        FILE, LISTEN, content=recording.wav, headers={"content-type": "audio/wav"}
    )
    return str(response.json()["results"]["channels"][0]["alternatives"][0]["transcript"])


SPEAKERS = {LIVE: transcribe_live}
CALLERS = {FILE: transcribe_file}
