"""Runs the speech-to-text entity of Home Assistant's Wyoming integration; prints results as JSON.

The arguments are the server's host and port, and WAV files of 16 kHz. As Home Assistant does, it
asks for the server's description, then sends each file at its own pace, with two seconds of
silence. An entity that leaves the end of a command to the server stops at the result.

``make test-clients`` doesn't run it: Home Assistant needs a newer Python than the tests.
"""

import asyncio
import json
import sys
import time
import wave
from types import SimpleNamespace

from homeassistant.components import stt
from homeassistant.components.wyoming.data import WyomingService
from homeassistant.components.wyoming.stt import WyomingSttProvider
from homeassistant.const import __version__

host, port, *paths = sys.argv[1:]
CHUNK_BYTES = 2048
RATE_HZ, SILENCE_S = 16_000, 2


async def chunks(path, ended_at):
    with wave.open(path) as audio:
        assert audio.getframerate() == RATE_HZ
        pcm = audio.readframes(audio.getnframes())
    speech_bytes = len(pcm)
    pcm += bytes(2 * RATE_HZ * SILENCE_S)
    due_at = time.monotonic()
    for at in range(0, len(pcm), CHUNK_BYTES):
        if at >= speech_bytes and not ended_at:
            ended_at.append(time.monotonic())
        yield pcm[at : at + CHUNK_BYTES]
        due_at += CHUNK_BYTES / 2 / RATE_HZ
        await asyncio.sleep(max(0.0, due_at - time.monotonic()))


async def main():
    service = await WyomingService.create(host, int(port))
    entity = WyomingSttProvider(SimpleNamespace(entry_id="entry", runtime_data=None), service)
    needs_vad = getattr(service.info.asr[0], "requires_external_vad", None)
    metadata = stt.SpeechMetadata(
        language="en",
        format=stt.AudioFormats.WAV,
        codec=stt.AudioCodecs.PCM,
        bit_rate=stt.AudioBitRates.BITRATE_16,
        sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
        channel=stt.AudioChannels.CHANNEL_MONO,
    )
    results = []
    for path in paths:
        ended_at = []
        result = await entity.async_process_audio_stream(metadata, chunks(path, ended_at))
        after_s = round(time.monotonic() - ended_at[0], 2) if ended_at else None
        results.append({"state": result.result, "text": result.text, "after_s": after_s})
    about = {"version": __version__, "languages": len(entity.supported_languages)}
    print(json.dumps(about | {"requires_external_vad": needs_vad, "results": results}))


asyncio.run(asyncio.wait_for(main(), 300))
