"""Streams a job's progress as server-sent events, until the job has ended."""

import anyio
import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from auricle.apis.native.job_bodies import JobBody, body_of
from auricle.server.http.request_log import request_log
from auricle.server.http.responses import StreamedResponse
from auricle.server.job_followers import Followed
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.background_jobs.requests import find_job
from auricle.server.jobs.event_stream import KEEP_ALIVE_S
from auricle.server.lifecycle import Lifecycle
from auricle.system.asgi import while_connected
from auricle.values.errors import LedgerUnavailable, NotFound
from auricle.values.types import ClientId

_COMMENT = b": still working\n\n"


class JobEvents(StreamedResponse):
    """A response with an event for each change of a job; the last one has its result.

    The stream also ends if the job is deleted or the server drains: its client asks again.

    Args:
        jobs: The server's jobs.
        lifecycle: Whether the server drains.
        client: The job's client.
        job: The job's present state.
    """

    def __init__(
        self, jobs: BackgroundJobs, lifecycle: Lifecycle, client: ClientId, job: JobBody
    ) -> None:
        super().__init__({"cache-control": "no-cache"})
        self._jobs = jobs
        self._lifecycle = lifecycle
        self._client = client
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events.

        Raises:
            Overloaded: There are too many streams.
        """
        with self._jobs.followers.follow(self._client, self._job["job_id"]) as followed:
            await self.begin(send)
            try:
                async with while_connected(receive):
                    await self._stream(followed, send)
            except ClientDisconnect:
                request_log(scope).code = "client_left"

    async def _stream(self, followed: Followed[JobBody], send: Send) -> None:
        is_last = False
        while not is_last:
            is_last = self._job["state"].is_final
            body = b"data: " + msgspec.json.encode(self._job) + b"\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})
            if not is_last and not await self._has_changed(followed, send):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return

    async def _read(self) -> JobBody:
        return body_of(await find_job(self._jobs, self._client, self._job["job_id"]))

    async def _has_changed(self, followed: Followed[JobBody], send: Send) -> bool:
        """Wait for a change; return ``False`` if there will be none."""
        silent_since = anyio.current_time()
        while not self._lifecycle.is_draining:
            interval_s = self._jobs.followers.interval_s(self._client)
            await anyio.sleep(interval_s)
            try:
                job = await followed.latest(self._read, interval_s)
            except NotFound:
                return False
            except LedgerUnavailable:
                continue
            if job != self._job:
                self._job = job
                return True
            if anyio.current_time() - silent_since >= KEEP_ALIVE_S:
                silent_since = anyio.current_time()
                await send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
        return False
