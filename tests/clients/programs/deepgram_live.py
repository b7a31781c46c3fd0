"""Streams a clip with Deepgram's SDK; prints every message as JSON, with when it came.

First a ``Finalize`` and a ``KeepAlive`` before any speech, then one in the middle, at the end
``CloseStream``. Arguments: address, key, clip, and the query as JSON.
"""

import asyncio
import json
import sys
import time
import wave

from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.events import EventType

address, key, clip, query = sys.argv[1:]
http, ws = f"http://{address}", f"ws://{address}"
client = AsyncDeepgramClient(
    api_key=key,
    environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
)
with wave.open(clip) as audio:
    samples = audio.readframes(audio.getnframes())
told = []


async def main():
    began_at, news = time.monotonic(), asyncio.Event()
    async with client.listen.v1.connect(
        model="nova-3", encoding="linear16", sample_rate=16000, **json.loads(query)
    ) as connection:

        def keep(message):
            told.append({"at_s": time.monotonic() - began_at, **message.dict()})
            news.set()

        async def until(number):
            while sum(bool(message.get("from_finalize")) for message in told) < number:
                if listening.done():
                    sys.exit(f"the connection ended before answer {number} to a Finalize")
                await news.wait()
                news.clear()

        connection.on(EventType.MESSAGE, keep)
        listening = asyncio.create_task(connection.start_listening())
        listening.add_done_callback(lambda _: news.set())
        await connection.send_keep_alive()
        await connection.send_finalize()
        await until(1)
        began_at = time.monotonic()
        for at in range(0, len(samples), 3200):
            await connection.send_media(samples[at : at + 3200])
            await asyncio.sleep(0.1)
        await connection.send_finalize()
        await until(2)
        await connection.send_close_stream()
        await listening


asyncio.run(asyncio.wait_for(main(), 120))
print(json.dumps(told))
