"""The parts of a running server, which the routes of an application share."""

import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from auricle.audio.opus import LibOpus
from auricle.config.settings import LedgerSettings, ServerSettings, Settings
from auricle.engines.models import Models
from auricle.files.fair_semaphore import FairSemaphore
from auricle.ledger.quota import Quota
from auricle.ledger.transcript_events import TranscriptEvents
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.key_file import read_keys
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring, Reader
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import KeyLimits, RateLimiter
from auricle.server.http.body import read_body
from auricle.server.http.request_log import request_log
from auricle.server.job_answers import JobAnswers
from auricle.server.job_followers import JobFollowers
from auricle.server.live.admission.memory import CapacityMemory, Machine
from auricle.server.live.connection import GOODBYE_S
from auricle.server.live.registry import LiveSessions
from auricle.server.live.session_secrets import SessionSecrets
from auricle.server.rendering import Renderer
from auricle.server.running import Running
from auricle.server.telemetry.history import History
from auricle.server.telemetry.metrics import Metrics
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.uploads.file_slots import FileSlots
from auricle.server.uploads.upload_room import EarlyReservations
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.values.errors import Draining, RateLimited, SetupError
from auricle.values.speakers import NO_SPEAKERS, Speakers
from auricle.values.transcriber import Decoder, Transcriber
from auricle.values.types import ANONYMOUS, ClientId

RETRY_S = 5
MAX_JOB_UPLOADS = 64
"""Maximum concurrent uploads of background jobs."""
MAX_LARGE_JSON = 2
"""Large JSON bodies that are parsed at the same time."""

_log = structlog.get_logger("auricle.server")


@dataclass(slots=True)
class Service:
    """The application's parts; ``background_tasks`` run while the application does."""

    transcriber: Transcriber
    decoder: Decoder
    models: Models
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
    speakers: Speakers = NO_SPEAKERS
    renderer: Renderer = field(default_factory=Renderer)
    history: History = field(default_factory=History)
    start_estimate: StartEstimate = field(default_factory=StartEstimate)
    job_answers: Mapping[str, JobAnswers] = field(default_factory=dict)
    """How the APIs answer background jobs, by the names of the APIs."""
    job_followers: JobFollowers[Any] = field(default_factory=JobFollowers)
    is_draining: bool = False
    requests: set[anyio.CancelScope] = field(default_factory=set)
    background_tasks: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    setup_error: SetupError | None = None
    resources: Running | None = None
    """Set while the application runs."""

    @classmethod
    def build(
        cls,
        transcriber: Transcriber,
        decoder: Decoder,
        models: Models,
        all_settings: Settings,
        libopus: LibOpus,
        machine: Machine,
        key_style: KeyStyle,
    ) -> "Service":
        """Build the parts from the settings.

        Raises:
            SetupError: A key or the key file is unusable.
        """
        settings = all_settings.server
        keys_file = settings.keys_file
        stored = None if keys_file is None else read_keys(keys_file)
        keyring = Keyring(settings.api_keys, settings.operator_key, stored, key_style)
        limits = KeyLimits(settings.key_sessions, settings.key_audio_s, settings.key_requests)
        rate_limiter = RateLimiter(limits, keyring.limits_of)
        metrics = Metrics(transcriber, decoder)
        batch_jobs = max(model.engine.batches.max_jobs for model in models)
        has_remote_recognisers = bool(all_settings.engine.engine_urls)
        if not has_remote_recognisers:  # recognisers have their own settings
            batch_jobs = min(batch_jobs, all_settings.worker.batch_jobs)
        state = cls(
            transcriber=transcriber,
            decoder=decoder,
            models=models,
            all_settings=all_settings,
            settings=settings,
            ledger_settings=all_settings.ledger,
            libopus=libopus,
            keyring=keyring,
            origins=Origins.of(settings),
            rate_limiter=rate_limiter,
            metrics=metrics,
            uploading=UploadingJobs(),
            connection_limiter=ConnectionLimiter.of(settings),
            file_slots=FileSlots(settings.max_file_jobs),
            job_upload_slots=FileSlots(MAX_JOB_UPLOADS),
            early=EarlyReservations(),
            batch_jobs=batch_jobs,
            has_remote_recognisers=has_remote_recognisers,
            large_json=FairSemaphore(MAX_LARGE_JSON),
            chunk_slots=FairSemaphore(0),  # the start and each snapshot set the width
            live=LiveSessions(
                all_settings.live,
                models,
                transcriber,
                libopus,
                metrics.live,
                rate_limiter,
                SessionSecrets.stored_in(
                    all_settings.ledger.directory,
                    time.monotonic(),
                    # By it, a load balancer routes a resuming client to its gateway.
                    f"{settings.gateway_id}-" if settings.gateway_id else "",
                ),
                CapacityMemory(
                    all_settings.ledger.directory, machine, all_settings.live.live_speakers
                ),
            ),
        )
        metrics.follow(
            lambda: state.is_draining,
            lambda: state.is_spool_failing,
            lambda: state.is_database_failing,
        )
        return state

    @property
    def running(self) -> Running:
        """Resources that exist while the application runs."""
        assert self.resources is not None, "the application is not running"
        return self.resources

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
    def is_spool_failing(self) -> bool:
        """Whether uploads can't be stored on disk at the moment."""
        return self.resources is not None and self.resources.spool.is_failing

    @property
    def has_webhooks_to_send(self) -> bool:
        """Whether webhooks are being sent, or may be due."""
        webhooks = self.running.webhooks
        return webhooks is not None and webhooks.has_work

    @property
    def transcript_events(self) -> TranscriptEvents:
        """Reports the transcripts of all keys to the operator's receiver, if there is one."""
        return TranscriptEvents(self.ledger_settings.transcript_webhook_url or "")

    def wake_webhooks(self) -> None:
        """Send the webhook of a job that has just ended."""
        if self.resources is not None and self.resources.webhooks is not None:
            self.resources.webhooks.wake()

    @property
    def is_database_failing(self) -> bool:
        """Whether jobs and transcripts can't be stored at the moment."""
        return self.resources is not None and self.resources.database.is_failing

    @property
    def connection_drain_s(self) -> float:
        """Time for the last finals of a live connection when the server stops, in seconds."""
        return max(0.0, self.settings.drain_s - GOODBYE_S)

    @contextmanager
    def request_scope(self) -> Iterator[anyio.CancelScope]:
        """Register a request while it is in progress; :meth:`end_requests` cancels the scope."""
        with anyio.CancelScope() as scope:
            self.requests.add(scope)
            try:
                yield scope
            finally:
                self.requests.discard(scope)

    def end_requests(self) -> None:
        """Cancel the requests in progress; their clients get a retryable error."""
        for scope in self.requests:
            scope.cancel()

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
        self.is_draining = True
        self.live.drain()
        if self.resources is not None:
            self.resources.runner.drain()

    def check_serving(self) -> None:
        """Check that the server accepts new work.

        Raises:
            Draining: The service is shutting down.
        """
        if self.is_draining:
            raise Draining()


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
