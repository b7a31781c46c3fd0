"""Send one packet, one utterance and one file to a real server that records its calls."""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx2
import numpy as np

from auricle.protocol.framing import pack
from auricle.values.types import SAMPLE_RATE_HZ, OpusPacket
from bench.lib.audio import opus_packets
from bench.lib.posting import read_response
from bench.lib.raw_stream import PACKET_S, frame, handshake, messages
from bench.lib.report import ROOT
from bench.lib.service import Server, running
from bench.lib.speech import load_audio
from research.ways.trace import Way, between, read, way_of

TRACED = Path(__file__).parent / "traced"
SPEECH = ROOT / "testdata/fellow.wav"
IDLE_S = 40.0
"""Longer than the intervals of what the server does on its own, such as upkeep."""
PAUSE_S = 1.0
"""Within it, nothing is sent, so that what follows is due to one packet alone."""
SILENCE_S = 2.0
LIMIT_S = 120.0

Window = tuple[int, int]


def record() -> dict[str, Way]:
    """Return the ways of a packet, of an utterance with its final, and of a file."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        environment = {
            # A worker inherits variables that begin with PYTHON.
            "PYTHON_WAYS_TRACE": str(trace),
            "PYTHONPATH": os.pathsep.join(map(str, (TRACED, ROOT / "src", ROOT))),
        }
        with running(environment=environment, workers=1) as server:
            upload(server)  # the first one also imports what it needs
            windows = asyncio.run(play(server)) | upload(server)
        steps = read(trace)
    idle = between(steps, windows["idle"]) + between(steps, windows["pause"])
    return {
        name: way_of(between(steps, windows[name]), idle)
        for name in ("packet", "utterance", "file")
    }


def upload(server: Server) -> dict[str, Window]:
    """Transcribe a file, and return when."""
    began_ns = time.monotonic_ns()
    with SPEECH.open("rb") as file:
        response = httpx2.post(
            f"{server.url}/v1/audio/transcriptions",
            files={"file": (SPEECH.name, file)},
            data={"model": "whisper-1", "language": "en"},
            timeout=LIMIT_S,
        )
    response.raise_for_status()
    return {"file": (began_ns, time.monotonic_ns())}


async def play(server: Server) -> dict[str, Window]:
    """Say one sentence as Opus packets, with a pause of sending in a word; return when what was."""
    speech = load_audio(SPEECH)
    packets = opus_packets(np.append(speech, np.zeros(int(SILENCE_S * SAMPLE_RATE_HZ), np.int16)))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(handshake(f"127.0.0.1:{server.port}", "language=en&partials=0"))
    await read_response(reader)
    incoming = messages(reader)
    idle = await quiet(IDLE_S)
    middle = len(packets) // 3
    await send(writer, packets[:middle], 0)
    pause = await quiet()
    began_ns = time.monotonic_ns()
    await send(writer, packets[middle : middle + 1], middle)
    packet = (began_ns, (await quiet())[1])
    await send(writer, packets[middle + 1 :], middle + 1)
    await asyncio.wait_for(final(incoming), LIMIT_S)
    utterance = (began_ns, time.monotonic_ns())
    writer.close()
    await quiet()  # the end of the session belongs to no way
    return {"idle": idle, "pause": pause, "packet": packet, "utterance": utterance}


async def quiet(seconds: float = PAUSE_S) -> Window:
    """Send nothing for a while, and return when."""
    began_ns = time.monotonic_ns()
    await asyncio.sleep(seconds)
    return began_ns, time.monotonic_ns()


async def send(writer: asyncio.StreamWriter, packets: Sequence[OpusPacket], first: int) -> None:
    """Send packets in real time; the first has a number."""
    for number, packet in enumerate(packets, first):
        writer.write(frame(pack(packet, number)))
        await asyncio.sleep(PACKET_S)


async def final(incoming: AsyncIterator[bytes]) -> None:
    """Read until the final."""
    async for message in incoming:
        if json.loads(message).get("type") == "final":
            return
    raise SystemExit("the server closed the session before its final")
