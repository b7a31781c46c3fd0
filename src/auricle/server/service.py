"""The parts of a running server, which the routes of an application share."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from auricle.audio.opus import LibOpus
from auricle.config.settings import LedgerSettings, ServerSettings, Settings
from auricle.engines.models import Models
from auricle.files.fair_semaphore import FairSemaphore
from auricle.ledger.quota import Quota
from auricle.ledger.transcript_events import TranscriptEvents
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.keyring import Keyring, Reader
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.api_spec import ApiSpec
from auricle.server.http.body import read_body
from auricle.server.http.request_log import request_log
from auricle.server.job_answers import JobAnswers
from auricle.server.job_followers import JobFollowers
from auricle.server.lifecycle import Lifecycle
from auricle.server.live.admission.memory import Machine
from auricle.server.live.connection import GOODBYE_S
from auricle.server.live.registry import LiveSessions
from auricle.server.rendering import Renderer
from auricle.server.running import Running
from auricle.server.telemetry.history import History
from auricle.server.telemetry.metrics import Metrics
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.uploads.file_slots import FileSlots
from auricle.server.uploads.upload_room import EarlyReservations
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.values.errors import RateLimited
from auricle.values.optional_workers import NO_OPTIONAL_WORKERS, OptionalWorkers
from auricle.values.transcriber import Decoder, Transcriber
from auricle.values.types import ANONYMOUS, ClientId

RETRY_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What decodes and transcribes audio for a server; its owner starts and stops it.

    Attributes:
        transcriber: Runs the jobs.
        decoder: Reads audio files.
        models: The transcriber's models.
        optional: The workers that the server can do without.
        machine: What its capacity of live speech depends on.
        is_remote: Whether other machines recognise, with other settings.
    """

    transcriber: Transcriber
    decoder: Decoder
    models: Models
    optional: OptionalWorkers = NO_OPTIONAL_WORKERS
    machine: Machine = Machine()
    is_remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a server, from :func:`auricle.server.startup.open_service`."""

    transcriber: Transcriber
    decoder: Decoder
    models: Models
    workers: OptionalWorkers
    all_settings: Settings
    settings: ServerSettings
    ledger_settings: LedgerSettings
    libopus: LibOpus
    keyring: Keyring
    origins: Origins
    rate_limiter: RateLimiter
    metrics: Metrics
    uploading: UploadingJobs
    connection_limiter: ConnectionLimiter
    file_slots: FileSlots
    job_upload_slots: FileSlots
    early: EarlyReservations
    batch_jobs: int
    has_remote_recognisers: bool
    chunk_slots: FairSemaphore
    large_json: FairSemaphore
    """Slots for parsing large JSON bodies, which takes up to 45 MB of memory each."""
    live: LiveSessions
    renderer: Renderer
    history: History
    start_estimate: StartEstimate
    apis: Sequence[ApiSpec]
    job_answers: Mapping[str, JobAnswers]
    """How the APIs answer background jobs, by the names of the APIs."""
    job_followers: JobFollowers[Any]
    lifecycle: Lifecycle
    running: Running

    @property
    def keyless_owner(self) -> ClientId | None:
        """The owner of transcripts from a port without keys.

        ``None`` if the HTTP API has keys, because no key could read them.
        """
        return None if self.settings.has_keys else ANONYMOUS

    @property
    def shares_jobs(self) -> bool:
        """Whether other gateways use the same database."""
        return self.ledger_settings.database_url is not None

    @property
    def shares_audio(self) -> bool:
        """Whether other gateways may be storing audio in the same place."""
        return self.shares_jobs or self.ledger_settings.audio_url is not None

    def keep_audio_s(self, requested_s: float | None) -> float:
        """Return the retention of a job's audio after its end, in seconds."""
        return self.ledger_settings.keep_audio_s if requested_s is None else requested_s

    @property
    def job_quota(self) -> Quota:
        """Maximum of jobs of one key, and of their audio."""
        settings = self.ledger_settings
        return Quota(
            settings.key_jobs, settings.key_ended_jobs, int(settings.key_jobs_mb * 1_000_000)
        )

    @property
    def transcript_events(self) -> TranscriptEvents:
        """Reports the transcripts of all keys to the operator's receiver, if there is one."""
        return TranscriptEvents(self.ledger_settings.transcript_webhook_url or "")

    @property
    def connection_drain_s(self) -> float:
        """Time for the last finals of a live connection when the server stops, in seconds."""
        return max(0.0, self.settings.drain_s - GOODBYE_S)

    def admit(self, request: Request, *, accepts_basic: bool = False) -> ClientId:
        """Authenticate a request, check its origin and rate limit, and return its client.

        Args:
            request: The request.
            accepts_basic: Whether the key may be a password, see :meth:`.Keyring.identify`.

        Raises:
            Unauthorized: The key or token is missing or unknown.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page of an origin that is not allowed sent it.
            RateLimited: The key has used its requests for this minute.
        """
        client = self._identify(request, accepts_basic=accepts_basic)
        if request.method not in ("GET", "HEAD"):
            self.origins.check_origin(request.headers, request.scope["scheme"])
        self.rate_limiter.charge_request(client, time.monotonic())
        return client

    def admit_socket(self, websocket: WebSocket) -> ClientId:
        """Authenticate a WebSocket, check its origin and rate limit, and return its client.

        Raises:
            Unauthorized: The key or token is missing or unknown.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page of an origin that is not allowed opened it.
            RateLimited: The key has used its requests for this minute.
        """
        subprotocols = websocket.scope.get("subprotocols", [])
        token = websocket.query_params.get("token", "")
        client = self._identify(websocket, subprotocols, token)
        self.origins.check_origin(websocket.headers, websocket.scope["scheme"])
        try:
            self.rate_limiter.charge_request(client, time.monotonic())
        except RateLimited:
            # A client that can't resume its session would lose finals.
            if websocket.query_params.get("resume") != "1" or not self.live.has_waiting_session(
                client
            ):
                raise
        return client

    def admit_reader(self, request: Request, session_id: str) -> Reader:
        """Authenticate a request that reads a live session.

        Requests with a reading token are not charged to the key: its readers must not use up what
        its speakers need.

        Raises:
            Unauthorized: There is no key or reading token, or it is invalid.
            TokenExpired: The token has expired.
            RateLimited: The key has used its requests for this minute.
        """
        token = request.query_params.get("token", "")
        reader = self.keyring.identify_reader(request.headers, session_id, token, now=time.time())
        request_log(request.scope).client = reader.client
        self.metrics.clients.count_request(reader.client)
        if reader.expires_at is None:
            self.rate_limiter.charge_request(reader.client, time.monotonic())
        return reader

    def _identify(
        self,
        request: HTTPConnection,
        subprotocols: Sequence[str] = (),
        token: str = "",
        *,
        accepts_basic: bool = False,
    ) -> ClientId:
        client = self.keyring.identify(
            request.headers, subprotocols, token, now=time.time(), accepts_basic=accepts_basic
        )
        request_log(request.scope).client = client
        self.metrics.clients.count_request(client)
        return client

    def drain(self) -> None:
        """Refuse new work from now on, and ask live clients to reconnect to another server."""
        self.lifecycle.drain()
        self.live.drain()
        self.running.runner.drain()


async def read_json(request: Request, max_bytes: int) -> bytes:
    """Return a small JSON body; an empty one is an object without fields.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or is too slow.
        ClientDisconnect: The client has disconnected.
    """
    pause_s = service_of(request).settings.body_timeout_s
    return bytes(await read_body(request.receive, max_bytes=max_bytes, pause_s=pause_s)) or b"{}"


def service_of(request: Request) -> Service:
    """Return the state of the application that serves a request."""
    state = request.app.state.auricle
    assert isinstance(state, Service)
    return state
