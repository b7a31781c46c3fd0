"""Readers of a live session that reconnect as programs do: ``EventSource``, and players of HLS."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2

RETRY_S = 0.2
POLL_S = 0.5
_REFUSED = (httpx2.TransportError, httpx2.RemoteProtocolError)


@dataclass
class EventReader:
    """Reads server-sent events to the last one; a lost connection continues after its last event.

    Attributes:
        path: URL of the session, without the format.
        token: The reading token.
        history: Earlier finals that the first connection gets, at most.
        messages: All messages but the first of each connection.
        statuses: Statuses of the responses.
    """

    path: str
    token: str = ""
    history: int = 400
    messages: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    _last_id: str = ""

    async def run(self) -> None:
        """Read until the session has ended or is unknown."""
        while not self.is_over:
            try:
                await self._read()
            except _REFUSED:
                await anyio.sleep(RETRY_S)

    @property
    def is_over(self) -> bool:
        has_ended = bool(self.messages) and self.messages[-1]["type"] == "ended"
        return has_ended or (bool(self.statuses) and self.statuses[-1] != 200)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def texts(self) -> list[str]:
        """The texts of all finals."""
        return [str(final["text"]) for final in self.of("final")]

    @property
    def speakers(self) -> dict[int, int | None]:
        """The speaker of each final, by its id, as far as it is known."""
        found: dict[int, int | None] = {}
        for message in self.messages:
            finals = {"final": [message], "speaker_revision": message.get("finals", ())}
            for final in finals.get(message["type"], ()):
                found[final["id"]] = final.get("speaker")
        return found

    async def _read(self) -> None:
        headers = {"last-event-id": self._last_id} if self._last_id else {}
        query = {"token": self.token, "history": str(self.history)}
        async with (
            httpx2.AsyncClient(timeout=60) as http,
            http.stream("GET", f"{self.path}/events", params=query, headers=headers) as answer,
        ):
            self.statuses.append(answer.status_code)
            id = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    id = value
                elif name == "data" and id:
                    self.messages.append(json.loads(value))
                    self._last_id, id = id, ""
        if not self.is_over:
            await anyio.sleep(RETRY_S)


@dataclass
class PlaylistReader:
    """Reads an HLS playlist to its end, and each of its segments once.

    Attributes:
        path: URL of the session, without the format.
        token: The reading token.
        cues: Text of each cue by its times.
        sequences: The number of the first segment of each playlist.
        statuses: Statuses of the responses.
        missed: Segments that had left the playlist before they were read.
    """

    path: str
    token: str = ""
    cues: dict[str, str] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    missed: int = 0
    is_over: bool = False
    _next: int | None = None

    async def run(self) -> None:
        """Read until the playlist ends or is unknown."""
        async with httpx2.AsyncClient(timeout=60) as http:
            while not self.is_over:
                try:
                    await self._read(http)
                except _REFUSED:
                    await anyio.sleep(RETRY_S)
                else:
                    await anyio.sleep(POLL_S)

    @property
    def texts(self) -> list[str]:
        """The texts of all cues in their order."""
        return list(self.cues.values())

    async def _read(self, http: httpx2.AsyncClient) -> None:
        query = {"token": self.token}
        answer = await http.get(f"{self.path}/captions.m3u8", params=query)
        self.statuses.append(answer.status_code)
        if answer.status_code != 200:
            self.is_over = True
            return
        if (first := re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", answer.text)) is None:
            return
        names = [line for line in answer.text.splitlines() if line.startswith("captions/")]
        numbers = [int(name.partition("/")[2].partition(".")[0]) for name in names]
        if numbers:
            self.sequences.append(int(first[1]))
            if self._next is not None:
                self.missed += max(0, numbers[0] - self._next)
        for number, name in zip(numbers, names, strict=True):
            if self._next is not None and number < self._next:
                continue
            segment = await http.get(f"{self.path}/{name}")
            segment.raise_for_status()
            for block in segment.text.split("\n\n")[1:]:
                times, _, text = block.strip().partition("\n")
                if text:
                    self.cues.setdefault(times, text)
            self._next = number + 1
        self.is_over = "#EXT-X-ENDLIST" in answer.text
