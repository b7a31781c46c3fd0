"""Background jobs under faults: sent until they are accepted, watched until they end."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2

from tests.resilience.chaos.recordings import Recording

RETRY_S = 0.5
MAX_RETRY_AFTER_S = 2.0
WATCH_S = 2.0
PAGE = 1000
TIMEOUT_S = 60.0
UNFINISHED = ("queued", "running")


@dataclass(eq=False)
class SentJob:
    """A job and what its client knows of it; times are Unix times in seconds.

    Attributes:
        id: The job id, which makes repeated requests the same job.
        recording: The audio.
        sent_at: Time of the first request.
        accepted_at: Time of the response 202; 0 before it.
        requests: Number of requests until then.
        refusals: Status codes of other responses; 0 for broken connections.
        state: The latest state.
        finished_at: When it ended, by the server's clock.
        body: The response of ``GET /jobs/{id}`` in the end.
    """

    id: str
    recording: Recording
    sent_at: float = 0.0
    accepted_at: float = 0.0
    requests: int = 0
    refusals: list[int] = field(default_factory=list)
    state: str = ""
    finished_at: float = 0.0
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text of the result, or an empty text."""
        return str((self.body.get("result") or {}).get("text", ""))


class JobClient:
    """Sends jobs to gateways in turn, and watches them; an async context manager.

    Args:
        urls: The gateways.
        key: The API key.
        callback_url: Receiver of the jobs' webhooks; empty: they have none.
    """

    def __init__(self, urls: Sequence[str], key: str, callback_url: str = "") -> None:
        self._urls = itertools.cycle(urls)
        self._callback_url = callback_url
        self._http = httpx2.AsyncClient(
            timeout=TIMEOUT_S,
            headers={"authorization": f"Bearer {key}"},
            limits=httpx2.Limits(
                max_keepalive_connections=0
            ),  # a kept one would belong to the dead
        )
        self.jobs: list[SentJob] = []
        self.lost: set[str] = set()
        """Accepted jobs that a list did not contain."""
        self.changed: set[str] = set()
        """Jobs whose state changed after their end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, job: SentJob) -> None:
        """Send a job, and repeat the request until it is accepted.

        Raises:
            AssertionError: The server refused it in a way that no repetition changes.
        """
        self.jobs.append(job)
        params = {
            "wait": 0,
            "job_id": job.id,
            "language": "en",
            "beam_size": 1,
            "callback_url": self._callback_url,
        }
        job.sent_at = time.time()
        while True:
            job.requests += 1
            response = await self._request(
                "POST",
                "/utterance",
                params=params,
                headers={"content-type": "audio/ogg"},
                content=job.recording.opus,
            )
            if response is not None and response.status_code == 202:
                job.accepted_at, job.state = time.time(), response.json()["state"]
                return
            status = 0 if response is None else response.status_code
            assert status in (0, 429, 503), f"{status}: {response and response.text}"
            job.refusals.append(status)
            await asyncio.sleep(_pause_s(response))

    async def offer(self, jobs: Sequence[SentJob], seconds: float) -> None:
        """Send jobs at regular intervals, each independently of the others."""
        began_at = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, job in enumerate(jobs):
                due_at = began_at + seconds * number / len(jobs)
                await asyncio.sleep(max(0.0, due_at - time.monotonic()))
                group.create_task(self.send(job))

    async def watch(self) -> None:
        """Follow the states of all jobs until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(WATCH_S)

    async def wait_ended(self, limit_s: float) -> None:
        """Wait until all accepted jobs have ended, or the time is over."""
        deadline = time.monotonic() + limit_s
        while self.unfinished and time.monotonic() < deadline:
            await self.look()
            await asyncio.sleep(WATCH_S)

    @property
    def unfinished(self) -> list[SentJob]:
        """Accepted jobs that have not ended."""
        return [job for job in self.jobs if job.accepted_at and job.state in UNFINISHED]

    async def look(self) -> None:
        """List all jobs and note their states."""
        accepted = [job for job in self.jobs if job.accepted_at]
        listed = await self._list()
        for job in accepted:
            summary = listed.get(job.id)
            if summary is None:
                self.lost.add(job.id)
                continue
            if job.state not in UNFINISHED and summary["state"] != job.state:
                self.changed.add(job.id)
            job.state = summary["state"]
            job.finished_at = summary["finished_at"] or 0.0

    async def fetch(self, webhooks_s: float = 0.0) -> None:
        """Fetch the result of each accepted job.

        Args:
            webhooks_s: Time limit for the webhooks that are still to be sent.
        """
        deadline = time.monotonic() + webhooks_s
        for job in self.jobs:
            job.body = (await self.get(f"/jobs/{job.id}")) or {}
            while is_pending(job) and time.monotonic() < deadline:
                await asyncio.sleep(WATCH_S)
                job.body = (await self.get(f"/jobs/{job.id}")) or {}

    async def get(self, path: str) -> Any:
        """Repeat a GET until a gateway answers it; return its body, or ``None`` after a 404."""
        while True:
            response = await self._request("GET", path)
            if response is not None and response.status_code in (200, 404):
                return response.json() if response.status_code == 200 else None
            await asyncio.sleep(_pause_s(response))

    async def _list(self) -> dict[str, dict[str, Any]]:
        listed: dict[str, dict[str, Any]] = {}
        before = ""
        while True:
            page = await self.get(f"/jobs?limit={PAGE}{before}")
            listed |= {job["job_id"]: job for job in page["jobs"]}
            if page["next"] is None:
                return listed
            before = f"&before={page['next']}"

    async def _request(self, method: str, path: str, **request: Any) -> httpx2.Response | None:
        """Return a response; ``None`` if the connection failed."""
        try:
            return await self._http.request(method, f"{next(self._urls)}{path}", **request)
        except httpx2.TransportError:
            return None


def is_pending(job: SentJob) -> bool:
    """Return whether the job's webhook is still to be sent."""
    return bool((job.body.get("webhook") or {}).get("state") == "pending")


def _pause_s(response: httpx2.Response | None) -> float:
    if response is None:
        return RETRY_S
    return min(float(response.headers.get("retry-after", RETRY_S)), MAX_RETRY_AFTER_S)
