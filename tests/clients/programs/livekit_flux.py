"""Speaks a clip to LiveKit's Flux plugin; prints what it says as JSON.

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


async def listen(stream):
    async for event in stream:
        text, *_ = [each.text for each in event.alternatives] or [""]
        told.append([event.type.value, text])


async def main():
    async with http_context.open():  # an agent's job has one
        stream = stt.stream()  # noqa: F821  # of the page
        listening = asyncio.create_task(listen(stream))
        for at in range(0, len(samples) - 640, 640):
            stream.push_frame(rtc.AudioFrame(samples[at : at + 640], 16000, 1, 320))
            await asyncio.sleep(0.02)
            if at == 64_000:  # as an agent does, in mid-speech
                stt.update_options(keyterm=["fellow Americans"])  # noqa: F821
        stream.end_input()
        await listening
        await stream.aclose()
    print(json.dumps(told))


asyncio.run(asyncio.wait_for(main(), 120))
