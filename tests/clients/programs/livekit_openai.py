"""Speaks a clip to LiveKit's OpenAI plugin over Realtime; prints the events as JSON.

Runs behind the page's snippet, which makes ``stt``; the argument is the clip.
"""
# ruff: noqa: F821  # `stt` is the snippet's

import asyncio
import json
import sys
import wave

from livekit import rtc
from livekit.agents.utils import http_context

with wave.open(sys.argv[1]) as audio:
    samples = audio.readframes(audio.getnframes()) + bytes(48000)
told = []
news = asyncio.Event()


def count(kind):
    return [told_kind for told_kind, _ in told].count(kind)


async def listen(stream):
    async for event in stream:
        told.append([event.type.value, event.alternatives[0].text if event.alternatives else ""])
        news.set()


async def main():
    async with http_context.open():  # an agent's job has one
        stream = stt.stream()
        listening = asyncio.create_task(listen(stream))
        for at in range(0, len(samples), 640):
            part = samples[at : at + 640]
            stream.push_frame(rtc.AudioFrame(part, 16000, 1, len(part) // 2))
            await asyncio.sleep(0.02)
        stream.end_input()
        while count("recognition_usage") < max(1, count("start_of_speech")):
            news.clear()
            await news.wait()
        await stream.aclose()
        await listening
        await stt.aclose()
    print(json.dumps(told))


asyncio.run(asyncio.wait_for(main(), 100))
