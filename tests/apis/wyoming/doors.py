"""Wyoming in the comparison of all APIs."""

import socket
import time

from auricle.apis.wyoming.wire.framing import EventFramer
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.door import CHUNK_S, LIMIT_S, SAYS, Address, Answer, Door, chunks_of
from tests.apis.wyoming.service import MONO_16, event


def transcribe(server: Address, pcm: Pcm16, language: str) -> Answer:
    """Send a spoken command over Wyoming's TCP connection."""
    framer, says = EventFramer(), False
    with socket.create_connection(("127.0.0.1", server.ports["wyoming"]), LIMIT_S) as connection:
        connection.sendall(event("transcribe", {"language": language}))
        connection.sendall(event("audio-start", MONO_16))
        began_at = time.monotonic()
        for number, chunk in enumerate(chunks_of(pcm, SAMPLE_RATE_HZ, 0.0), 1):
            time.sleep(max(0.0, began_at + number * CHUNK_S - time.monotonic()))
            connection.sendall(event("audio-chunk", MONO_16, chunk))
        connection.sendall(event("audio-stop"))
        while data := connection.recv(65_536):
            says |= SAYS.encode() in data
            framer.receive_data(data)
            for received in iter(framer.next_event, None):
                if received.type == "transcript":
                    return Answer(str(received.data["text"]), says)
    raise ConnectionError("Wyoming's connection ended without a transcript")


DOORS = [Door("Wyoming", transcribe)]
