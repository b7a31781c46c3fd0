"""Files over HTTP: OpenAI's transcriptions, and Auricle's jobs.

As a live driver, OpenAI's sends a file for each utterance when it ends, as dictation programs do.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import numpy as np

from stt_resilience.drivers.base import Lost, Refused, Session, Text
from stt_resilience.drivers.websocket import refusal
from stt_resilience.speech import Pcm16, wav

ANSWER_LIMIT_S = 240.0
RETRIES_S = (0.5, 1.0)
"""Waits before the retries of a live request, if the server says nothing: those of OpenAI's client.
That client retries twice (``DEFAULT_MAX_RETRIES``), and obeys ``Retry-After`` up to a minute."""
MAX_RETRY_S = 60.0


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=httpx2.Timeout(ANSWER_LIMIT_S, connect=5.0), trust_env=False)


async def _request(method: str, url: str, **arguments: Any) -> httpx2.Response:
    """Return the response.

    Raises:
        Refused: It is an error.
        Lost: There is none.
    """
    async with _client() as client:
        try:
            response = await client.request(method, url, **arguments)
        except httpx2.HTTPError as error:
            raise Lost(f"{type(error).__name__} {error}".strip()) from error
    if response.status_code >= 400:
        raise refusal(response.status_code, response.headers, response.content)
    return response


class OpenAiFiles:
    """``POST /v1/audio/transcriptions``.

    Args:
        url: Of the request.
        options: ``model`` (whisper-1).
    """

    is_job = False
    is_stream = False
    can_resume = False

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url
        self._model = options.get("model", "whisper-1")

    async def submit(self, audio: bytes) -> str:
        """Send a file; return its text."""
        form = {"model": self._model, "language": "en", "response_format": "json"}
        file = {"file": ("speech.wav", audio, "audio/wav")}
        response = await _request("POST", self._url, data=form, files=file)
        text: str = response.json()["text"]
        return text

    async def result(self, job: str) -> str | None:
        """Return the text itself: there are no jobs."""
        return job

    async def open(self, lost: Session | None = None) -> "DictationSession":
        """Open a session, which has no connection until an utterance ends."""
        del lost  # never resumed
        return DictationSession(self)


class DictationSession:
    """Sends each utterance as a file."""

    resume_at = 0

    def __init__(self, driver: OpenAiFiles) -> None:
        self._driver = driver
        self._parts: list[Pcm16] = []
        self._requests: list[asyncio.Task[str]] = []
        self._texts: asyncio.Queue[Text | None] = asyncio.Queue()

    async def send(self, pcm: Pcm16, position: int) -> None:
        """Keep samples."""
        del position
        self._parts.append(pcm)

    async def end_utterance(self) -> None:
        """Send what was said since the last end."""
        if self._parts:
            audio = wav(np.concatenate(self._parts))
            self._parts = []
            self._requests.append(asyncio.create_task(self._post(audio, len(self._requests))))

    async def finish(self) -> None:
        """Send the rest, and wait for all answers."""
        await self.end_utterance()
        await asyncio.gather(*self._requests)
        self._texts.put_nowait(None)

    async def texts(self) -> AsyncIterator[Text]:
        """Yield the answers."""
        while (text := await self._texts.get()) is not None:
            yield text

    def set_reading(self, is_on: bool) -> None:
        """Do nothing: there is no connection while a person speaks."""

    def cut(self) -> None:
        """Cut the requests that are not answered."""
        for request in self._requests:
            request.cancel()

    async def close(self) -> None:
        """Cancel what is not answered."""
        self.cut()
        await asyncio.gather(*self._requests, return_exceptions=True)

    async def _post(self, audio: bytes, order: int) -> str:
        text = Text("error", "")
        for wait_s in (*RETRIES_S, None):
            try:
                text = Text("final", await self._driver.submit(audio), order)
                break
            except (Refused, Lost) as error:
                text = Text("error", str(error))
                after_s = getattr(error, "retry_after_s", None) or wait_s
            if wait_s is not None:
                await asyncio.sleep(min(after_s or 0.0, MAX_RETRY_S))
        self._texts.put_nowait(text)
        return text.text


class AuricleJobs:
    """``POST /utterance?wait=0``: a job that is accepted once it is stored.

    Args:
        url: Of the server.
        options: None.
    """

    is_job = True

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        del options
        self._url = url

    async def submit(self, audio: bytes) -> str:
        """Send a file; return the id of its job."""
        job = uuid.uuid4().hex
        query = {"wait": "0", "job_id": job, "language": "en"}
        kind = {"Content-Type": "audio/wav"}
        await _request("POST", f"{self._url}/utterance", params=query, content=audio, headers=kind)
        return job

    async def result(self, job: str) -> str | None:
        """Return the text of a job, or ``None`` while it is not done."""
        state = (await _request("GET", f"{self._url}/jobs/{job}")).json()
        if state["state"] in {"failed", "cancelled"}:
            raise Refused(f"the job is {state['state']}: {state.get('error')}")
        text: str | None = state["result"]["text"] if state["state"] == "done" else None
        return text
