"""Speaks a clip to LiveKit's Deepgram plugin, then recognises it in one go; prints JSON.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip.
"""

import asyncio
import json
import sys
import wave

from livekit import rtc
from livekit.agents.utils import http_context

with wave.open(sys.argv[1]) as audio:
    samples = audio.readframes(audio.getnframes())
told = []


def frames():
    for at in range(0, len(samples) - 640, 640):
        yield rtc.AudioFrame(samples[at : at + 640], 16000, 1, 320)


async def listen(stream):
    async for event in stream:
        best = event.alternatives[0] if event.alternatives else None
        told.append([event.type.value, best.text if best else "", best and best.speaker_id])


async def main():
    async with http_context.open():  # an agent's job has one
        stream = stt.stream()  # noqa: F821  # of the page
        listening = asyncio.create_task(listen(stream))
        for frame in frames():
            stream.push_frame(frame)
            await asyncio.sleep(0.02)
        stream.end_input()
        await listening
        await stream.aclose()
        whole = await stt.recognize(list(frames()))  # noqa: F821
    print(json.dumps({"events": told, "recognised": whole.alternatives[0].text}))


asyncio.run(asyncio.wait_for(main(), 120))
