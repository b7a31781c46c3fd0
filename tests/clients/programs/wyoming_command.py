"""Speaks a clip at its own pace over Wyoming and never ends it; prints the answer as JSON.

Home Assistant does so if the server ends commands.

The arguments are the server's host and port, and the clip. Silence follows the clip until the
transcript arrives.
"""

import asyncio
import json
import sys
import time
import wave

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info

host, port, path = sys.argv[1:]
SAMPLES = 512


async def upload(client, audio, ended_at):
    rate = audio.getframerate()
    form = {"rate": rate, "width": 2, "channels": 1}
    await client.write_event(AudioStart(**form).event())
    due_at = time.monotonic()
    while True:
        pcm = audio.readframes(SAMPLES)
        if not pcm and not ended_at:
            ended_at.append(time.monotonic())
        await client.write_event(AudioChunk(**form, audio=pcm or bytes(2 * SAMPLES)).event())
        due_at += SAMPLES / rate
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))


async def main():
    ended_at = []
    async with AsyncTcpClient(host, int(port)) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        await client.write_event(Transcribe(language="en").event())
        with wave.open(path) as audio:
            uploading = asyncio.create_task(upload(client, audio, ended_at))
            while event := await client.read_event():
                if Transcript.is_type(event.type):
                    break
            uploading.cancel()
            is_early = not ended_at
            print(
                json.dumps(
                    {
                        "requires_external_vad": info.asr[0].requires_external_vad,
                        "text": Transcript.from_event(event).text,
                        "after_s": None if is_early else time.monotonic() - ended_at[0],
                    }
                )
            )


asyncio.run(asyncio.wait_for(main(), 100))
