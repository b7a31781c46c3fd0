"""Captions of a WAV file (16 kHz, mono, 16 bits): python live.py speech.wav"""

import asyncio
import sys
import wave

import numpy as np

from auricle.client import Final, LiveClient


async def speak(client, recording):
    while samples := recording.readframes(1600):
        await client.send(np.frombuffer(samples, np.int16))
        await asyncio.sleep(0.1)
    client.finish()


async def main(path, url="http://127.0.0.1:6007"):
    with wave.open(path) as recording:
        async with LiveClient(url) as client:
            speaking = asyncio.create_task(speak(client, recording))
            async for event in client:
                if isinstance(event, Final):
                    print(event.text)
            await speaking


asyncio.run(main(*sys.argv[1:]))
