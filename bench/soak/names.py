"""What happens around live sessions with names: agents read, vocabularies and voices change."""

import asyncio
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.lib import named_speech

INTERVAL_S = 0.5
CHANGE_EACH = 10
"""Every tenth round also changes a vocabulary, and enrols a voice and deletes it."""
PASSING = ("jfk.flac", "jfk.flac")
LIMIT_S = 60.0
MCP_HEADERS = {"accept": "application/json", "content-type": "application/json"}
SETTINGS: dict[str, Any] = named_speech.SETTINGS | {"mcp": 1, "keep_transcripts": 1}


@dataclass(slots=True)
class Names:
    """Requests that are sent until cancelled.

    Attributes:
        answers: The number of answers, by request and status.
        failures: What is wrong with other answers.
        enrolment: The request that enrols a voice which is deleted again.
    """

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    enrolment: dict[str, Any] = field(
        default_factory=lambda: named_speech.enrolment("Passing", PASSING)
    )

    async def run(self) -> None:
        """Send requests at intervals."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=LIMIT_S) as web:
            for number in itertools.count(1):
                try:
                    await self._read(web)
                    if number % CHANGE_EACH == 0:
                        await self._change(web, number)
                except (OSError, httpx2.HTTPError, ValueError, LookupError) as error:
                    self.failures.append(repr(error))
                await asyncio.sleep(INTERVAL_S)

    async def _read(self, web: httpx2.AsyncClient) -> None:
        """Read as an agent does."""
        sessions = (await self._call(web, "list_live_sessions"))["sessions"]
        for each in sessions[:1]:
            await self._call(web, "read_live_session", session_id=each["session_id"])
        transcripts = (await self._call(web, "list_transcripts"))["transcripts"]
        for each in transcripts[:1]:
            await self._call(web, "read_transcript", transcript_id=each["transcript_id"])
        await self._call(web, "search_transcripts", query="Gutenberg")

    async def _call(self, web: httpx2.AsyncClient, tool: str, **arguments: str) -> dict[str, Any]:
        """Return the result of a tool; one of a session that has ended meanwhile is empty."""
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = await web.post("/mcp", json=message, headers=MCP_HEADERS)
        result = answer.raise_for_status().json()["result"]
        self.answers[f"{tool} {'error' if result['isError'] else 'ok'}"] += 1
        if result["isError"]:
            if "(not_found)" not in result["content"][0]["text"]:
                self.failures.append(result["content"][0]["text"])
            return {}
        _, _, data, _ = result["content"][0]["text"].split("\n")
        found: dict[str, Any] = json.loads(data)
        return found

    async def _change(self, web: httpx2.AsyncClient, number: int) -> None:
        """Change the vocabulary of the sessions, and store and delete a voice."""
        path = f"/v1/vocabularies/{named_speech.VOCABULARY}"
        change = {"add": [f"Term {number}"], "remove": [f"Term {number - CHANGE_EACH}"]}
        self._note("change", await web.patch(path, json=change))
        stored = await web.post(**self.enrolment)
        self._note("enrol", stored)
        self._note("delete", await web.delete(f"/v1/voices/{stored.json()['id']}"))

    def _note(self, name: str, answer: httpx2.Response) -> None:
        self.answers[f"{name} {answer.status_code}"] += 1
        if not answer.is_success:
            self.failures.append(f"{name}: {answer.status_code} {answer.text[:200]}")
