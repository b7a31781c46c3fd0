"""Play a WAV file (16 bits) to Auricle as if it were spoken now: python stream.py speech.wav"""

import asyncio
import json
import sys
import wave

from websockets.asyncio.client import connect  # pip install websockets


async def speak(socket, recording):
    while samples := recording.readframes(recording.getframerate() // 10):
        await socket.send(samples)
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "stop"}))


async def main(path, url="ws://127.0.0.1:6007"):
    with wave.open(path) as recording:
        form = f"format=pcm16&sample_rate={recording.getframerate()}"
        channels = recording.getnchannels()
        async with connect(f"{url}/v1/stream?{form}&channels={channels}") as socket:
            speaking = asyncio.create_task(speak(socket, recording))
            async for message in socket:
                event = json.loads(message)
                if event["type"] == "partial":
                    print("...", event["stable"] + "|" + event["unstable"], file=sys.stderr)
                elif event["type"] == "final":
                    print(event["text"])
                elif event["type"] == "error":
                    sys.exit(event["message"])
            await speaking


asyncio.run(main(*sys.argv[1:]))
