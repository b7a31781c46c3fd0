"""HTTP client for one recogniser URL: sends jobs and checks health.

A job has one of three outcomes: a transcript, an :class:`~auricle.values.errors.AuricleError` from
the recogniser, or :class:`RecogniserLost`. The latter covers a failed connection, an answer that is
truncated, invalid or silent, and any response of a proxy.
"""

import contextlib
import time
from dataclasses import replace

import anyio
import httpx2 as httpx
import structlog

from auricle.cluster.gateway.ejection import CHECK_TIMEOUT_S, Ejection
from auricle.cluster.gateway.view import NodeView, model_capacity
from auricle.cluster.wire.capacity import MAX_CAPACITY_BYTES, Capacity, parse_capacity
from auricle.cluster.wire.failures import AMONG_MACHINES, MAX_ERROR_BYTES, error_of, parse_error
from auricle.cluster.wire.messages import (
    ANSWER_TYPE,
    CAPACITY_PATH,
    JOB_TYPE,
    JOBS_PATH,
    SILENCE_S,
    AnswerReader,
    Beat,
    Done,
    pack_job,
    read_done,
)
from auricle.values.errors import RemoteProtocolError, SetupError, Unauthorized
from auricle.values.types import Job, Transcript

KEEP_ALIVE_S = 2.0
"""Shorter than servers' keep-alive (uvicorn: 5 s), so that no job meets a closing connection."""
MAX_KEPT_CONNECTIONS = 64
LONGEST_S = 3600.0
"""Maximum time of beats without a result, longer than any queue."""
SLOWEST_BYTES_PER_S = 1e6
"""Minimum upload speed (8 Mbit/s); the time for sending a job is added to the silence limit."""
ENDING_S = 0.05
"""Maximum wait for the end of the response body after the last frame, so that the connection can be
reused."""

log = structlog.get_logger(__name__)


_FAULTS = (httpx.HTTPError, OSError, UnicodeError)
"""Transport errors; ``UnicodeError`` is raised for a host name that cannot be encoded."""


class RecogniserLost(Exception):
    """The recogniser gave no result for the job; ``str()`` is the reason, for the log."""


class Node:
    """Client of one recogniser; see the module.

    Args:
        name: Prefix of its worker IDs; short and not an address, because ``/health`` shows it.
        url: Base URL of the recogniser.
        http: HTTP client with the key, shared by all nodes.

    Raises:
        SetupError: The URL is invalid.
    """

    def __init__(self, name: str, url: str, http: httpx.AsyncClient) -> None:
        self.name = name
        self.url = url
        self.ejection = Ejection()
        self._in_flight_audio_s: dict[str, float] = {}
        self.refuses_key = False
        """Whether the recogniser rejected the key at the latest check."""
        self._http = http
        try:
            self._jobs_url = httpx.URL(url + JOBS_PATH)
            self._capacity_url = httpx.URL(url + CAPACITY_PATH)
        except httpx.InvalidURL as exc:
            raise SetupError(f"AURICLE_ENGINE_URLS: invalid URL {url}.") from exc

    @property
    def view(self) -> NodeView:
        """Its name and its ejection state."""
        return NodeView(self.name, self.ejection)

    def load(self, model: str) -> float:
        """Return this gateway's audio in flight there for a model, in seconds per worker."""
        workers = model_capacity([self.view], model).ready_workers
        return self._in_flight_audio_s.get(model, 0.0) / max(1, workers)

    async def transcribe(self, job: Job, max_wait_s: float | None) -> Transcript:
        """Return a job's transcript; cancelling the call cancels the job on the recogniser.

        Raises:
            RecogniserLost: The recogniser gave no result.
            BadRequest: The job cannot be encoded.
            AuricleError: The error that the recogniser returned.
        """
        body = pack_job(job, max_wait_s)
        patience_s = SILENCE_S + len(body) / SLOWEST_BYTES_PER_S
        model = job.options.model
        self._in_flight_audio_s[model] = self._in_flight_audio_s.get(model, 0.0) + job.audio_s
        try:
            with anyio.move_on_after(patience_s) as silence:
                return await self._send(job, body, silence)
            raise RecogniserLost("silence")
        except _FAULTS as exc:
            raise RecogniserLost(type(exc).__name__) from exc
        except RemoteProtocolError as exc:
            raise RecogniserLost(str(exc)) from exc
        finally:
            self._in_flight_audio_s[model] -= job.audio_s

    async def _send(self, job: Job, body: bytes, silence: anyio.CancelScope) -> Transcript:
        """Send the job and read its answer; each frame extends the deadline of ``silence``."""
        began_at = time.monotonic()
        reader = AnswerReader()
        headers = {"Content-Type": JOB_TYPE}
        async with self._http.stream(
            "POST", self._jobs_url, content=body, headers=headers
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise await _error_of(response)
            if response.headers.get("content-type") != ANSWER_TYPE:
                raise RemoteProtocolError("unexpected content type")
            chunks = response.aiter_raw()
            async for chunk in chunks:
                reader.receive_data(chunk)
                while (frame := reader.next_frame()) is not None:
                    elapsed_s = time.monotonic() - began_at
                    if isinstance(frame, Done):
                        transcript = read_done(frame, job)
                        with anyio.move_on_after(ENDING_S), contextlib.suppress(httpx.HTTPError):
                            await anext(chunks, b"")
                        return _with_time_on_the_way(transcript, elapsed_s - frame.spent_s)
                    if not isinstance(frame, Beat):
                        raise error_of(frame.error)
                    if elapsed_s > LONGEST_S:
                        raise RemoteProtocolError("beats without end")
                    silence.deadline = anyio.current_time() + SILENCE_S
        raise RemoteProtocolError("answer ended without a result")

    async def check(self) -> None:
        """Check the recogniser and record the result; raise no transport or protocol errors."""
        self.ejection.check_started()
        was_out = self.ejection.is_out
        try:
            capacity = await self._capacity()
        except (*_FAULTS, RemoteProtocolError) as exc:
            self.ejection.check_failed(time.monotonic())
            if self.ejection.is_out and not was_out:
                log.warning("recogniser_out", url=self.url, reason=type(exc).__name__)
            return
        self.ejection.check_succeeded(capacity, time.monotonic())
        if was_out:
            log.info("recogniser_in", url=self.url, workers=capacity.stats.ready_workers)

    async def _capacity(self) -> Capacity:
        with anyio.fail_after(CHECK_TIMEOUT_S):
            async with self._http.stream("GET", self._capacity_url) as response:
                body = await _read(response, MAX_CAPACITY_BYTES)
                self.refuses_key = _error_code(response, body) == Unauthorized.code
                if response.status_code != httpx.codes.OK:
                    raise RemoteProtocolError(f"status {response.status_code}")
                return parse_capacity(body)

    def record_loss(self, why: RecogniserLost) -> None:
        """Record that a job was lost."""
        if not self.ejection.is_out:
            log.warning("recogniser_out", url=self.url, reason=str(why))
        self.ejection.job_lost(time.monotonic())


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the response body.

    Raises:
        RemoteProtocolError: It is larger than ``max_bytes``.
    """
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise RemoteProtocolError("response body too long")
    return bytes(body)


async def _error_of(response: httpx.Response) -> Exception:
    """Return the error for a response that is not 200: the recogniser's, or ``RecogniserLost``."""
    failed = parse_error(await _read(response, MAX_ERROR_BYTES))
    if failed is None or failed.code in AMONG_MACHINES:
        return RecogniserLost(f"status {response.status_code}")
    return error_of(failed)


def _error_code(response: httpx.Response, body: bytes) -> str | None:
    """Return the code of a recogniser's error in a response; ``None`` if it has none."""
    failed = None if response.status_code == httpx.codes.OK else parse_error(body)
    return None if failed is None else failed.code


def _with_time_on_the_way(transcript: Transcript, way_s: float) -> Transcript:
    timing = transcript.timing
    ipc_ms = timing.ipc_ms + max(0.0, way_s * 1000)
    return replace(transcript, timing=replace(timing, ipc_ms=ipc_ms))
