"""Auricle as a server of live captions, which admits all streams (``AURICLE_LIVE_SPEAKERS``)."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from auricle.client import connection
from auricle.protocol.framing import pack
from auricle.values.types import Pcm16
from bench.lib.audio import opus_packets
from bench.lib.service import running
from bench.live.play import Caption, Running

NAME, WITH_SPEAKERS = "auricle", "auricle-speakers"
FRAME_MS = 20
SHORT_WINDOW = "whisper"
NODE_DELAY = "auricle_live_node_delay_seconds_bucket"
REFUSED = (429, 503)
OPEN_LIMIT_S = 10.0


class Auricle:
    """A client of the native protocol, as the web client speaks it.

    Args:
        model: Folder of the model.
        has_speakers: Whether to request speakers.
    """

    step_samples = 16 * FRAME_MS

    def __init__(self, model: Path, *, has_speakers: bool = False) -> None:
        self._model = model
        self._has_speakers = has_speakers
        self.name = WITH_SPEAKERS if has_speakers else NAME

    @contextmanager
    def running(self, streams: int) -> Iterator[Running]:
        """Start the server, with room for this number of streams."""
        with running(engine=SHORT_WINDOW, model=self._model, live_speakers=streams) as server:
            url = stream_url(server.url, has_speakers=self._has_speakers)
            yield Running(url, server.process, lambda: node_delay(server.url))

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return one framed packet for each 20 ms."""
        return [pack(packet, seq) for seq, packet in enumerate(opus_packets(pcm))]

    async def open(self, url: str) -> ClientConnection | None:
        """Open a session."""
        try:
            opened = await connection.open_websocket(url, OPEN_LIMIT_S)
        except InvalidStatus as refusal:
            if refusal.response.status_code in REFUSED:
                return None
            raise
        await asyncio.wait_for(opened.recv(), OPEN_LIMIT_S)  # `ready`
        return opened

    def end_message(self) -> str | bytes | None:
        """Return the command that ends a session."""
        return '{"type":"stop"}'

    def is_last(self, message: str) -> bool:
        """Whether the session is over."""
        return '"type":"closed"' in message

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return partials and finals."""
        out = []
        for at_s, message in received:
            event = json.loads(message)
            match event["type"]:
                case "partial":
                    text = event["stable"] + event["unstable"]
                    out.append(Caption(at_s, False, text, event["start_s"], event["end_s"]))
                case "final":
                    span = event["start_s"], event["end_s"]
                    out.append(Caption(at_s, True, event["text"], *span))
        return out

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return the server's count of a stream's packets."""
        events = [json.loads(message) for _, message in received[-1:]]
        for event in events:
            if event["type"] == "closed":
                names = ("packets", "lost_packets", "decode_errors")
                return {name: event[name] for name in names}
        return None


def stream_url(url: str, *, has_speakers: bool = False) -> str:
    """Return the address of a stream of Opus packets, from the server's base URL."""
    query = f"format=opus&seq=1&frame_ms={FRAME_MS}&language=en&speakers={has_speakers:d}"
    return f"{connection.stream_url(url)}?{query}"


def node_delay(url: str) -> dict[str, Any]:
    """Return the time that packets take to the voice detector, from the server's metrics."""
    body = httpx2.get(f"{url}/metrics", timeout=10).text
    counts = {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
        if sample.name == NODE_DELAY
    }
    if not (packets := max(counts.values(), default=0)):
        return {}
    p99_s = min(bound for bound, count in counts.items() if count >= 0.99 * packets)
    return {
        "node_delay_p99_below_ms": p99_s * 1000,
        "node_delay_over_5_ms_percent": round(100 * (1 - counts[0.005] / packets), 3),
    }
