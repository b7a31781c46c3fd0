"""Has LiveKit's OpenAI plugin recognise a clip by each kind of model; prints JSON.

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
    samples = audio.readframes(audio.getnframes())
told = {}


async def main():
    async with http_context.open():  # an agent's job has one
        for model in ("whisper-1", "gpt-4o-mini-transcribe", "gpt-transcribe"):
            keywords = {"keywords": ["Auricle"]} if model == "gpt-transcribe" else {}
            stt.update_options(model=model, **keywords)
            event = await stt.recognize(rtc.AudioFrame(samples, 16000, 1, len(samples) // 2))
            told[model] = [event.alternatives[0].text, event.alternatives[0].language]
        await stt.aclose()
    print(json.dumps(told))


asyncio.run(asyncio.wait_for(main(), 100))
