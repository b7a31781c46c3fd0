"""Wyoming over TCP, as Home Assistant uses it: a connection for each utterance."""

import asyncio
import json
from collections.abc import Mapping

from auricle.apis.wyoming.wire.framing import EventFramer, WyomingEvent
from auricle.values.types import SAMPLE_RATE_HZ
from tests.resilience.chaos.clients.site import Broken, Refused, Site, chunks, paced
from tests.resilience.chaos.recordings import Recording

KIND = "wyoming"
FORMAT = {"rate": SAMPLE_RATE_HZ, "width": 2, "channels": 1}
READ_BYTES = 64 * 1024
BUSY = ("queue_full", "no_worker_ready")


async def transcribe(site: Site, recording: Recording) -> str:
    """Send speech, and return the transcript.

    Raises:
        Refused: The server was full.
        Broken: There is no transcript, or more than one.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.ports[KIND])
    except OSError:
        raise Refused("no_connection", 0.5) from None
    sending = asyncio.create_task(_send(writer, recording))
    try:
        return await _receive(reader)
    finally:
        sending.cancel()
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, recording: Recording) -> None:
    try:
        writer.write(_event("transcribe", {"language": "en"}))
        writer.write(_event("audio-start", FORMAT))
        async for part in paced(chunks(recording.pcm)):
            writer.write(_event("audio-chunk", FORMAT, part.tobytes()))
            await writer.drain()
        writer.write(_event("audio-stop"))
    except OSError:
        return  # earlier events can still be read


async def _receive(reader: asyncio.StreamReader) -> str:
    framer, texts, has_begun = EventFramer(), [], False
    while True:
        try:
            data = await reader.read(READ_BYTES)
        except OSError as error:
            raise Broken(f"the connection was lost: {error}") from error
        if not data:
            raise Broken("the connection ended before the transcript")
        framer.receive_data(data)
        for event in iter(framer.next_event, None):
            has_begun |= event.type == "voice-started"
            _check(event, has_begun=has_begun)
            if event.type == "transcript":
                texts.append(str(event.data["text"]))
            if event.type == "transcript-stop":
                if len(texts) != 1:
                    raise Broken(f"{len(texts)} transcripts")
                return texts[0]


def _check(event: WyomingEvent, *, has_begun: bool) -> None:
    if event.type == "error":
        code = str(event.data.get("code"))
        if code in BUSY and not has_begun:
            raise Refused(code, 1.0)
        raise Broken(f"error {code}")


def _event(kind: str, data: Mapping[str, object] | None = None, payload: bytes = b"") -> bytes:
    body = json.dumps(data).encode() if data else b""
    head = {"type": kind, "data_length": len(body), "payload_length": len(payload)}
    return json.dumps(head).encode() + b"\n" + body + payload


SPEAKERS = {KIND: transcribe}
