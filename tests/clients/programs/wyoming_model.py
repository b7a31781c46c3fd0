"""Chooses models with the package of Home Assistant; prints JSON."""

import asyncio
import json
import sys
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import wav_to_chunks
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info

host, port, path, *models = sys.argv[1:]


async def transcribed(model):
    async with AsyncTcpClient(host, int(port)) as client:
        await client.write_event(Transcribe(name=model, language="en").event())
        with wave.open(path) as audio:
            for part in wav_to_chunks(audio, 1024, start_event=True, stop_event=True):
                await client.write_event(part.event())
        while event := await client.read_event():
            if Transcript.is_type(event.type):
                return Transcript.from_event(event).text
            if Error.is_type(event.type):
                return Error.from_event(event).code
        return None


async def main():
    async with AsyncTcpClient(host, int(port)) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
    [program] = info.asr
    texts = {model: await transcribed(model) for model in (*models, "large-v3")}
    print(json.dumps({"described": [model.name for model in program.models], "texts": texts}))


asyncio.run(asyncio.wait_for(main(), 100))
