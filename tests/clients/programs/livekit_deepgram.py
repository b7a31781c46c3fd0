"""Speaks a clip to LiveKit's Deepgram plugin, then recognises it in one go; prints JSON.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip.
"""

import asyncio
import json
import sys
import time
import wave

from livekit import rtc
from livekit.agents.utils import http_context

with wave.open(sys.argv[1]) as audio:
    samples = audio.readframes(audio.getnframes())
told = []


def frames():
    for at in range(0, len(samples) - 640, 640):
        yield rtc.AudioFrame(samples[at : at + 640], 16000, 1, 320)


async def listen(stream, began_at):
    async for event in stream:
        text = event.alternatives[0].text if event.alternatives else ""
        told.append([event.type.value, text, time.monotonic() - began_at])


async def main():
    async with http_context.open():  # an agent's job has one
        stream = stt.stream()  # noqa: F821  # of the page
        listening = asyncio.create_task(listen(stream, time.monotonic()))
        for frame in frames():
            stream.push_frame(frame)
            await asyncio.sleep(0.02)
        stream.end_input()
        await listening
        await stream.aclose()
        whole = await stt.recognize(list(frames()))  # noqa: F821
    print(json.dumps({"events": told, "recognised": whole.alternatives[0].text}))


asyncio.run(asyncio.wait_for(main(), 120))
