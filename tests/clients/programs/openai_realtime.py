"""Raw audio over OpenAI's Realtime: prints JSON, the server's events and when each was there.

Takes one argument, JSON: ``url``, ``key``, ``path`` of the audio, ``bytes_per_s``, ``input`` (the
session's), ``items`` (how many there will be), ``commits`` (whether we commit at the end), and
``by_secret`` (whether a secret is asked for first, and does for the rest).
"""

import asyncio
import base64
import json
import sys
import time
from pathlib import Path

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

WANTED = json.loads(sys.argv[1])
AUDIO = Path(WANTED["path"]).read_bytes()
CHUNK_S = 0.1
COMPLETED = "conversation.item.input_audio_transcription.completed"


async def speak(connection: AsyncRealtimeConnection) -> None:
    """Send the audio at the pace of speech."""
    size = int(WANTED["bytes_per_s"] * CHUNK_S)
    began_at = time.monotonic()
    for index, at in enumerate(range(0, len(AUDIO), size)):
        await asyncio.sleep(began_at + index * CHUNK_S - time.monotonic())
        chunk = base64.b64encode(AUDIO[at : at + size]).decode()
        await connection.input_audio_buffer.append(audio=chunk)
    if WANTED["commits"]:
        await connection.input_audio_buffer.commit()


async def main() -> None:
    """Speak and listen until all items are there."""
    client = AsyncOpenAI(base_url=WANTED["url"], api_key=WANTED["key"])
    session = {"type": "transcription", "audio": {"input": WANTED["input"]}}
    if WANTED["by_secret"]:
        secret = await client.realtime.client_secrets.create(session=session)
        client = AsyncOpenAI(base_url=WANTED["url"], api_key=secret.value)
    events = []
    began_at = time.monotonic()
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        if not WANTED["by_secret"]:
            await connection.session.update(session=session)
        speaking = asyncio.create_task(speak(connection))
        async for event in connection:
            events.append({"at_s": time.monotonic() - began_at, **event.to_dict()})
            if event.type == "error":
                break
            if sum(told["type"] == COMPLETED for told in events) == WANTED["items"]:
                break
        await speaking
    json.dump(events, sys.stdout)


asyncio.run(main())
