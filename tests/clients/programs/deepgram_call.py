"""Transcribes a call with a party in each channel with Deepgram's SDK, live and as a file.

Arguments: address, key, the call as µ-law at 8 kHz, and as WAV. Prints JSON.
"""

import asyncio
import json
import sys
from pathlib import Path

from deepgram import AsyncDeepgramClient, DeepgramClientEnvironment
from deepgram.core.events import EventType

address, key, *files = sys.argv[1:]
live, recording = (Path(file).read_bytes() for file in files)
http, ws = f"http://{address}", f"ws://{address}"
client = AsyncDeepgramClient(
    api_key=key,
    environment=DeepgramClientEnvironment(base=http, production=ws, agent=ws, agent_rest=http),
)


async def stream(samples):
    told = []
    async with client.listen.v1.connect(
        model="nova-3",
        encoding="mulaw",
        sample_rate=8000,
        channels=2,
        multichannel=True,
        punctuate=True,
        interim_results=True,
    ) as connection:
        connection.on(EventType.MESSAGE, lambda message: told.append(message.dict()))
        listening = asyncio.create_task(connection.start_listening())
        for at in range(0, len(samples), 1601):  # messages may end between the channels
            await connection.send_media(samples[at : at + 1601])
            await asyncio.sleep(0.1)
        await connection.send_finalize()
        await connection.send_close_stream()
        await listening
    return told


async def main():
    told = await stream(live)
    answer = await client.listen.v1.media.transcribe_file(
        request=recording, multichannel=True, punctuate=True, utterances=True
    )
    print(json.dumps({"live": told, "file": json.loads(answer.json())}))


asyncio.run(asyncio.wait_for(main(), 120))
