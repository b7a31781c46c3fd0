"""The same over a network that breaks: python resume.py speech.wav (16 kHz, mono, 16 bits)"""

import asyncio
import json
import struct
import sys
import wave

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

STEP = 1600  # samples: 100 ms
LEAD_IN = 15 * 16000  # what a server that has forgotten all hears again to tune in


class Stream:
    """What has to be known for longer than a connection lives."""

    def __init__(self, pcm):
        self.pcm = pcm  # a microphone's client forgets what lies before safe - LEAD_IN
        self.session = None
        self.last_result = 0  # of this session
        self.safe = 0
        self.is_over = False

    def query(self):
        start = max(0, self.safe - LEAD_IN)
        query = f"format=pcm16&seq=1&start_sample={start}&safe_sample={self.safe}"
        return query + (f"&resume=1&session={self.session['session']}" if self.session else "")

    async def converse(self, socket):
        if self.session:
            resume = {"type": "resume", **self.session, "last_result": self.last_result}
            await socket.send(json.dumps(resume))
        speaking = None
        try:
            async for message in socket:
                event = json.loads(message)
                if event["type"] == "ready":
                    if not event["resumed"]:
                        self.last_result = 0
                    self.session = {name: event[name] for name in ("session", "secret")}
                    speaking = asyncio.create_task(self.speak(socket, event["received"]))
                await self.hear(socket, event)
        finally:
            if speaking:
                speaking.cancel()

    async def speak(self, socket, position):
        while samples := self.pcm[2 * position : 2 * (position + STEP)]:
            await socket.send(struct.pack("<Q", position) + samples)
            position += STEP
            await asyncio.sleep(0.1)
        await socket.send(json.dumps({"type": "stop"}))

    async def hear(self, socket, event):
        if event["type"] == "progress":
            self.safe = max(self.safe, event["safe"])
        elif event["type"] == "final" and event["id"] > self.last_result:
            self.last_result = event["id"]
            self.safe = max(self.safe, round(event["end_s"] * 16000))
            print(event["text"], flush=True)
            await socket.send(json.dumps({"type": "ack", "result": event["id"]}))
        elif event["type"] == "closed":
            self.is_over = True
        elif event["type"] == "error" and not event["retryable"]:
            sys.exit(event["message"])


async def main(path, url="ws://127.0.0.1:6007"):
    with wave.open(path) as recording:
        stream = Stream(recording.readframes(recording.getnframes()))
    while not stream.is_over:
        try:
            async with connect(f"{url}/v1/stream?{stream.query()}") as socket:
                await stream.converse(socket)
        except (OSError, ConnectionClosed, InvalidHandshake) as lost:
            print("lost:", lost, file=sys.stderr)
        if not stream.is_over:
            await asyncio.sleep(1)


asyncio.run(main(*sys.argv[1:]))
