"""Streams files without ``encoding`` with Deepgram's SDK, all at once, as fast as they are spoken.

Arguments: address, key, duration in seconds, the query as JSON, and the files. Prints JSON: for
each file all messages.
"""

import asyncio
import json
import sys
from pathlib import Path

from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.events import EventType

address, key, duration_s, query, *files = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
contents = [Path(file).read_bytes() for file in files]
client = AsyncDeepgramClient(
    api_key=key,
    environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
)


async def stream(content):
    told = []
    step = int(len(content) / float(duration_s) / 10) + 1
    async with client.listen.v1.connect(model="nova-3", **json.loads(query)) as connection:
        connection.on(EventType.MESSAGE, lambda message: told.append(message.dict()))
        listening = asyncio.create_task(connection.start_listening())
        for at in range(0, len(content), step):
            await connection.send_media(content[at : at + step])
            await asyncio.sleep(0.1)
        await connection.send_close_stream()
        await listening
    return told


async def main():
    print(json.dumps(await asyncio.gather(*map(stream, contents))))


asyncio.run(asyncio.wait_for(main(), 120))
