"""Speaks a clip at its own pace over Wyoming, as often as asked; prints the events as JSON.

The arguments are the server's host and port, the clip, and how often to speak.
"""

import asyncio
import json
import sys
import time
import wave

from wyoming.asr import Transcribe, TranscriptStop
from wyoming.audio import wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

host, port, path, times = sys.argv[1:]
told = []


async def speak(client, times):
    for _ in range(times):
        await client.write_event(Transcribe(name="any", language="en").event())
        with wave.open(path) as audio:
            seconds = 1024 / audio.getframerate()
            for part in wav_to_chunks(audio, 1024, start_event=True, stop_event=True):
                await client.write_event(part.event())
                await asyncio.sleep(seconds)


async def main():
    async with AsyncTcpClient(host, int(port)) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        await client.write_event(Ping(text="there?").event())
        assert Pong.from_event(await client.read_event()).text == "there?"
        began_at = time.monotonic()
        speaking = asyncio.create_task(speak(client, int(times)))
        left = int(times)
        while left:
            event = await client.read_event()
            assert event is not None, told
            told.append({"type": event.type, "at_s": time.monotonic() - began_at, **event.data})
            left -= TranscriptStop.is_type(event.type)
        await speaking
    print(json.dumps({"info": [program.to_dict() for program in info.asr], "events": told}))


asyncio.run(asyncio.wait_for(main(), 100))
