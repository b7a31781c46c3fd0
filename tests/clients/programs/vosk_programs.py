"""Speaks a clip as meeting and telephony programs do, two at a time; prints JSON: their texts.

The messages are those of the programs' sources: Nextcloud's live_transcription (cd40c0e), Jigasi
(6fbf4f2), res_speech_vosk of vosk-asterisk (0d0e20a) and mod_vosk of FreeSWITCH (d118d67). The
arguments are the server's host and port, and a WAV file of 16 kHz.
"""

import array
import asyncio
import itertools
import json
import sys
import time
import wave

from websockets.asyncio.client import connect

address, path = sys.argv[1:]
with wave.open(path) as audio:
    SAMPLES = array.array("h", audio.readframes(audio.getnframes()))
TELEPHONE = SAMPLES[::2].tobytes()
WIDE = array.array("h", [sample for sample in SAMPLES for _ in range(3)]).tobytes()  # 48 kHz
EOF = '{"eof" : 1}'


async def at_pace(pcm: bytes, size: int, seconds: float):
    """Yield chunks as they are recorded: of the clip, then of silence."""
    began_at = time.monotonic()
    for number in itertools.count(1):
        await asyncio.sleep(began_at + number * seconds - time.monotonic())
        yield pcm[(number - 1) * size : number * size].ljust(size, b"\0")


async def nextcloud() -> dict:
    """20 frames of 20 ms for each answer; then a change of language."""
    texts, partials = [], []
    async with connect(f"ws://{address}", proxy=None) as socket:
        await socket.send(json.dumps({"config": {"sample_rate": 48000, "language": "en"}}))
        async for chunk in at_pace(WIDE, 960 * 2 * 20, 0.4):
            await socket.send(memoryview(chunk))
            answer = json.loads(await socket.recv())
            if "partial" in answer:
                partials.append(answer["partial"])
            elif "text" in answer:
                texts.append(answer["text"])
                break
        await socket.send(json.dumps({"config": {"language": "de"}}))
        response = None
        for _ in range(5):
            response = await socket.recv()
            if "success" in response:
                break
        assert json.loads(response)["success"]
        await socket.send(EOF)
    assert any(partials)
    return {"text": " ".join(filter(None, texts))}


async def jigasi() -> dict:
    """Half a second in each message; answers are read as they come."""
    texts = []
    async with connect(f"ws://{address}/en", proxy=None) as socket:

        async def read() -> None:
            async for message in socket:
                answer = json.loads(message)
                if "partial" not in answer:
                    texts.append(answer["text"])

        reading = asyncio.create_task(read())
        await socket.send('{"config" : {"sample_rate" : 48000.0 }}')
        async for chunk in at_pace(WIDE, 1920 * 25, 0.5):
            await socket.send(chunk)
            if texts:
                break
        await socket.send(EOF)
        await reading
    return {"text": " ".join(filter(None, texts))}


async def asterisk() -> dict:
    """3200 bytes of 8 kHz in each message; the first text ends the call."""
    async with connect(f"ws://{address}/en?punctuate=0", subprotocols=["ws"], proxy=None) as socket:
        text, began_at = "", time.monotonic()
        async for chunk in at_pace(TELEPHONE, 3200, 0.2):
            await socket.send(chunk)
            try:
                answer = json.loads(await asyncio.wait_for(socket.recv(), 0.01))
            except TimeoutError:
                continue
            if answer.get("text"):
                text = answer["text"]
                break
        await socket.send(EOF)
        return {"text": text, "after_s": time.monotonic() - began_at}


async def freeswitch() -> dict:
    """As Asterisk; an answer with an empty text is none, and it leaves without an end."""
    results = []
    socket = await connect(f"ws://{address}/en?punctuate=0", proxy=None)
    async for chunk in at_pace(TELEPHONE, 3200, 0.2):
        await socket.send(chunk)
        answer = await socket.recv()
        if '""' not in answer and '"partial"' not in answer:
            results.append(json.loads(answer)["text"])
            break
    socket.transport.abort()
    return {"text": " ".join(results)}


async def main() -> None:
    said = {}
    for pair in ((nextcloud, asterisk), (jigasi, freeswitch)):
        texts = await asyncio.gather(*(program() for program in pair))
        said |= {program.__name__: text for program, text in zip(pair, texts, strict=True)}
    print(json.dumps(said))


asyncio.run(asyncio.wait_for(main(), 100))
