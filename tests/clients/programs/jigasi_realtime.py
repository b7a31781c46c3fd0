"""Speaks a clip as Jigasi does over OpenAI's Realtime; prints JSON: what its room reads.

The messages are those of Jigasi's pull request 643, in its last version and in the one that commits
every second. The arguments are the server's URL, the key, and a WAV file of 16 kHz.
"""

import array
import asyncio
import base64
import json
import sys
import time
import wave

from websockets.asyncio.client import connect

url, key, path = sys.argv[1:]
FRAME_BYTES = 960  # 20 ms
with wave.open(path) as audio:
    SAMPLES = array.array("h", [0] * 24_000)
    SAMPLES.extend(array.array("h", audio.readframes(audio.getnframes())))
SAMPLES.extend(array.array("h", [0] * 24_000))


def in_24_khz(samples: array.array) -> bytes:
    """Return the samples at 3/2 of their rate."""
    made = array.array("h")
    for at in range(0, len(samples) - 2, 2):
        one, two, three = samples[at : at + 3]
        made.extend((one, (one + 2 * two) // 3, (2 * two + three) // 3))
    return made.tobytes()


PCM = in_24_khz(SAMPLES)


async def transcribe(kind: str, *, commits: bool) -> dict:
    events = []
    partial, finals, captions = "", [], 0
    has_ended = asyncio.Event()
    headers = {"Authorization": f"Bearer {key}"}
    address = f"{url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime-2"
    async with connect(address, additional_headers=headers, proxy=None) as socket:

        async def read() -> None:
            nonlocal partial, captions
            async for message in socket:
                event = json.loads(message)
                events.append(event["type"])
                if event["type"].endswith("transcription.delta") and event["delta"]:
                    partial += event["delta"]
                    captions += bool(partial.strip())
                elif event["type"].endswith("transcription.completed") and event["transcript"]:
                    partial = ""
                    finals.append(event["transcript"].strip())
                    if finals[-1].endswith("."):
                        has_ended.set()

        reading = asyncio.create_task(read())
        await socket.send(
            '{"type":"session.update","session":{"type":"' + kind + '","audio":{"input":'
            '{"transcription":{"model":"gpt-realtime-whisper","language":"en"}}}}}'
        )
        began_at = time.monotonic()
        for number, at in enumerate(range(0, len(PCM), FRAME_BYTES), 1):
            await asyncio.sleep(began_at + number * 0.02 - time.monotonic())
            encoded = base64.b64encode(PCM[at : at + FRAME_BYTES]).decode()
            await socket.send('{"type":"input_audio_buffer.append","audio":"' + encoded + '"}')
            if commits and number % 50 == 0:
                await socket.send('{"type":"input_audio_buffer.commit"}')
        await has_ended.wait()
        await socket.close()
        await reading
    return {"finals": finals, "captions": captions, "errors": events.count("error")}


async def main() -> None:
    later, first = await asyncio.gather(
        transcribe("realtime", commits=False), transcribe("transcription", commits=True)
    )
    print(json.dumps({"turns": later, "commits": first}))


asyncio.run(asyncio.wait_for(main(), 100))
