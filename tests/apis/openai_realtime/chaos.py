"""OpenAI's Realtime transcription at 24 kHz, by a client that commits its own turns."""

import asyncio
import base64
import contextlib
import json

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.resilience.chaos.clients.site import Broken, Site, chunks, paced
from tests.resilience.chaos.recordings import Recording

KIND = "openai_realtime"
RATE_HZ = 24_000
SESSION = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": RATE_HZ},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": None,
        }
    },
}


async def transcribe(site: Site, recording: Recording) -> str:
    """Send each part as a turn, and return the texts of all turns in order.

    Raises:
        Broken: A turn failed, is duplicated or missing.
    """
    parts = [_faster(part) for part in recording.parts]
    async with site.socket(KIND, "/v1/realtime?intent=transcription") as socket:
        await _send_event(socket, "session.update", session=SESSION)
        sending = asyncio.create_task(_send(socket, parts))
        try:
            texts = await _receive(socket, len(parts))
        except ConnectionClosed as closed:
            raise Broken(f"closed: {closed}") from closed
        finally:
            sending.cancel()
    return " ".join(texts)


def _faster(pcm: Pcm16) -> Pcm16:
    resampled = soxr.resample(pcm, SAMPLE_RATE_HZ, RATE_HZ)
    return np.asarray(resampled, np.int16)


async def _send(socket: ClientConnection, parts: list[Pcm16]) -> None:
    with contextlib.suppress(ConnectionClosed):  # the receiver handles it
        for part in parts:
            async for chunk in paced(chunks(part, RATE_HZ)):
                audio = base64.b64encode(chunk.tobytes()).decode()
                await _send_event(socket, "input_audio_buffer.append", audio=audio)
            await _send_event(socket, "input_audio_buffer.commit")


async def _receive(socket: ClientConnection, turns: int) -> list[str]:
    order: list[str] = []
    texts: dict[str, str] = {}
    while len(texts) < turns:
        event = json.loads(await socket.recv())
        match event["type"]:
            case "input_audio_buffer.committed":
                order.append(event["item_id"])
            case "conversation.item.input_audio_transcription.completed":
                if event["item_id"] in texts:
                    raise Broken("a turn was completed twice")
                texts[event["item_id"]] = event["transcript"]
            case "error" | "conversation.item.input_audio_transcription.failed":
                raise Broken(f"{event['type']}: {event['error']}")
    if sorted(order) != sorted(texts):
        raise Broken("the completed turns are not the committed ones")
    return [texts[item] for item in order]


async def _send_event(socket: ClientConnection, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, **fields}))


SPEAKERS = {KIND: transcribe}
