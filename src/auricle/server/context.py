"""State that the routes of an application share."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import anyio
import msgspec
import numpy as np
import structlog
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from auricle.audio.opus import LibOpus
from auricle.audio.vad import has_speech
from auricle.config.settings import LedgerSettings, ServerSettings, Settings, spool_directory
from auricle.engine.base import EngineSpec
from auricle.errors import Draining, LedgerUnavailable, PoisonJob, RateLimited, SetupError
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.database import Database
from auricle.ledger.job import Job, JobState, Outcome
from auricle.ledger.location import open_audio, open_database
from auricle.ledger.outbox import Delivery
from auricle.ledger.quota import Quota
from auricle.ledger.runner import JobRunner, Work
from auricle.ledger.store import Ledger
from auricle.ledger.transcripts import Transcripts
from auricle.ledger.webhooks.deliveries import WebhookRunner
from auricle.ledger.webhooks.request import Payload, secret_of_owner
from auricle.ledger.webhooks.sender import WebhookSender
from auricle.server.access.admission import FileSlots
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.key_file import follow_keys, read_keys
from auricle.server.access.keyring import Keyring
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import KeyLimits, RateLimiter
from auricle.server.http.body import read_body
from auricle.server.http.errors import error_body
from auricle.server.http.request_log import request_log
from auricle.server.live.audio_journal.journal import AudioJournal, delete_left, has_left
from auricle.server.live.audio_journal.recovery import Recovery
from auricle.server.live.connection import GOODBYE_S
from auricle.server.live.registry import LiveSessions
from auricle.server.live.transcript_keeper import TranscriptKeeper
from auricle.server.telemetry.history import History, Snapshot, sample_loop
from auricle.server.telemetry.metrics import Metrics
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.spool import SpoolDirectory
from auricle.server.uploads.upload_room import EarlyReservations
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.transcriber import Decoder, Stats, Transcriber
from auricle.types import SAMPLE_RATE_HZ, ClientId

T = TypeVar("T")

RETRY_S = 5
DATABASE_THREADS = 4
DATABASE_THREAD_WAIT_S = 10.0
"""Longest wait of a request for one of these threads."""
ACCEPT_THREADS = 8
"""Threads that store accepted audio on a local disk."""
CLOSE_S = 2.0
"""Longest wait for the database to close; a commit in progress may wait for another program."""

MAX_JOB_UPLOADS = 64
"""Maximum concurrent uploads of background jobs, whose JSON bodies are in memory."""

_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class Running:
    """Resources that exist only while the application runs."""

    spool: SpoolDirectory
    background: TaskGroup
    database: WatchedDatabase
    ledger: Ledger
    audio: AudioStore
    """Audio of unfinished jobs."""
    runner: JobRunner
    webhooks: WebhookRunner | None
    """Sends webhooks; ``None`` if the server sends none."""
    transcripts: Transcripts | None
    """Kept transcripts; ``None`` if the server keeps none."""
    database_threads: CapacityLimiter
    """Threads of requests that use the database; others are left for uploads while it is slow."""
    accept_threads: CapacityLimiter
    """Threads that store accepted jobs and their audio."""
    fetch_threads: CapacityLimiter
    """Threads that fetch the audio of jobs."""

    async def in_database_thread(self, work: Callable[[], T]) -> T:
        """Run a request's use of the database in one of the threads for that.

        Raises:
            LedgerUnavailable: The database, or all threads, were busy for too long.
        """
        try:
            with anyio.fail_after(DATABASE_THREAD_WAIT_S):
                return await to_thread.run_sync(work, limiter=self.database_threads)
        except TimeoutError as error:
            raise LedgerUnavailable("The database is busy; try again later.", RETRY_S) from error


@dataclass(slots=True)
class ServerState:
    """The application's parts; ``background_tasks`` run while the application does."""

    transcriber: Transcriber
    decoder: Decoder
    engine: EngineSpec
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
    chunk_slots: FairSemaphore
    live: LiveSessions
    history: History = field(default_factory=History)
    start_estimate: StartEstimate = field(default_factory=StartEstimate)
    is_draining: bool = False
    requests: set[anyio.CancelScope] = field(default_factory=set)
    background_tasks: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    job_work: Work | None = None
    """Does one background job; the application sets it."""
    webhook_payload: Callable[[Delivery, Job], Payload] | None = None
    """Returns what a receiver gets; the application sets it."""
    setup_error: SetupError | None = None
    _running: Running | None = None

    @classmethod
    def build(
        cls,
        transcriber: Transcriber,
        decoder: Decoder,
        engine: EngineSpec,
        all_settings: Settings,
        libopus: LibOpus,
    ) -> "ServerState":
        """Build the parts from the settings.

        Raises:
            SetupError: A key or the key file is unusable.
        """
        settings = all_settings.server
        keys_file = settings.keys_file
        stored = None if keys_file is None else read_keys(keys_file)
        keyring = Keyring(settings.api_keys, settings.operator_key, stored)
        limits = KeyLimits(settings.key_sessions, settings.key_audio_s, settings.key_requests)
        rate_limiter = RateLimiter(limits, keyring.limits_of)
        metrics = Metrics(transcriber, decoder)
        batches = engine.batches
        if not all_settings.engine.engine_urls:  # recognisers have their own settings
            batches = batches.within(all_settings.worker.batch_jobs)
        state = cls(
            transcriber=transcriber,
            decoder=decoder,
            engine=engine,
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
            batch_jobs=batches.max_jobs,
            chunk_slots=FairSemaphore(0),  # run() and _snapshot() set the width
            live=LiveSessions(
                all_settings.live,
                engine,
                transcriber,
                libopus,
                metrics.live,
                rate_limiter,
                settings.gateway_id,
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
        assert self._running is not None, "the application is not running"
        return self._running

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
    def _accept_threads(self) -> int:
        """Number of threads that store audio; those that wait for a network need no cores."""
        return ACCEPT_THREADS if self.ledger_settings.audio_url is None else MAX_JOB_UPLOADS

    @property
    def job_quota(self) -> Quota:
        """Maximum of unfinished jobs of one key."""
        settings = self.ledger_settings
        return Quota(settings.key_jobs, int(settings.key_jobs_mb * 1_000_000))

    @property
    def is_spool_failing(self) -> bool:
        """Whether uploads can't be stored on disk at the moment."""
        return self._running is not None and self._running.spool.is_failing

    @property
    def has_webhooks_to_send(self) -> bool:
        """Whether webhooks are being sent, or may be due."""
        webhooks = self.running.webhooks
        return webhooks is not None and webhooks.has_work

    def wake_webhooks(self) -> None:
        """Send the webhook of a job that has just ended."""
        if self._running is not None and self._running.webhooks is not None:
            self._running.webhooks.wake()

    @property
    def is_database_failing(self) -> bool:
        """Whether jobs and transcripts can't be stored at the moment."""
        return self._running is not None and self._running.database.is_failing

    @property
    def connection_drain_s(self) -> float:
        """Time for the last finals of a live connection when the server stops, in seconds."""
        return max(0.0, self.settings.drain_s - GOODBYE_S)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Open the database and the spool, and run the background tasks meanwhile.

        Raises:
            SetupError: Uploads can't be stored, the voice detector is missing, or the database
                can't be used.
        """
        await to_thread.run_sync(has_speech, np.zeros(SAMPLE_RATE_HZ, np.int16))  # loads the model
        self._set_chunk_slots(self.transcriber.stats())
        directory = spool_directory(self.settings, self.ledger_settings)
        async with AsyncExitStack() as opened:
            database = WatchedDatabase(await to_thread.run_sync(self._open_database))
            opened.push_async_callback(_close, database.close)
            journal = await to_thread.run_sync(self._open_journal)
            if journal is not None:
                opened.push_async_callback(_close, journal.close)
            spool = await to_thread.run_sync(SpoolDirectory.open, directory)
            opened.callback(spool.close)
            audio = await to_thread.run_sync(open_audio, self.ledger_settings, spool.path)
            ledger, runner = await to_thread.run_sync(self._open_jobs, database, audio)
            webhooks = await self._open_webhooks(ledger, opened)
            transcripts = Transcripts(database)
            keeper = TranscriptKeeper(
                transcripts,
                self.ledger_settings.keep_transcripts_s,
                self.metrics.live.not_kept.inc,
            )
            keeps_transcripts = self.ledger_settings.keep_transcripts
            try:
                async with anyio.create_task_group() as background:
                    self._running = Running(
                        spool,
                        background,
                        database,
                        ledger,
                        audio,
                        runner,
                        webhooks,
                        transcripts if keeps_transcripts else None,
                        CapacityLimiter(DATABASE_THREADS),
                        CapacityLimiter(self._accept_threads),
                        CapacityLimiter(self.settings.max_file_jobs),
                    )
                    self.live.keeper = keeper if keeps_transcripts else None
                    background.start_soon(keeper.run)  # earlier transcripts expire in any case
                    if journal is not None:
                        self._follow(journal, keeper, background)
                    background.start_soon(self.live.watch)
                    background.start_soon(self.metrics.watch_loop)
                    background.start_soon(spool.watch)
                    background.start_soon(sample_loop, self.history, self._snapshot)
                    background.start_soon(runner.run)
                    if webhooks is not None:
                        background.start_soon(webhooks.run)
                    if (keys_file := self.settings.keys_file) is not None:
                        background.start_soon(follow_keys, keys_file, self.keyring.replace_stored)
                    for work in self.background_tasks:
                        background.start_soon(work)
                    yield
                    background.cancel_scope.cancel()
            finally:
                self._running = None

    def _open_database(self) -> Database:
        settings = self.ledger_settings
        url = settings.database_url
        return open_database(settings.directory, None if url is None else url.get_secret_value())

    def _open_jobs(self, database: Database, audio: AudioStore) -> tuple[Ledger, JobRunner]:
        """Open the jobs in a database; those of a dead server are queued again."""
        assert self.job_work is not None, "the application sets it"
        error = PoisonJob("This job ended its server repeatedly; it is not tried again.")
        poisoned = Outcome(
            JobState.FAILED,
            self.settings.keep_results_s,
            error=msgspec.json.encode(error_body(error)),
        )
        ledger = Ledger(database, secrets.token_hex(8), poisoned)
        if not self.shares_jobs:  # the lock of the database proves that no other server runs
            ledger.requeue_all(time.time())
        runner = JobRunner(
            ledger,
            audio,
            self.job_work,
            max_running=self.settings.max_file_jobs,
            is_ready=lambda: self.transcriber.stats().ready,
            note_lost=self.metrics.leases_lost.inc,
            note_end=self.wake_webhooks,
        )
        return ledger, runner

    def _open_journal(self) -> AudioJournal | None:
        """Open the journal if audio is written, or was left by a process that has died."""
        settings = self.ledger_settings
        directory = settings.directory
        if settings.keep_transcripts:
            if settings.journal_audio or has_left(directory):
                return AudioJournal.open(directory)
        elif deleted := delete_left(directory):
            _log.warning("journal_deleted", files=deleted)
        return None

    def _follow(
        self, journal: AudioJournal, keeper: TranscriptKeeper, background: TaskGroup
    ) -> None:
        """Start to write the audio of sessions, and recover what was left by dead processes."""
        is_writing, live = self.ledger_settings.journal_audio, self.live
        keeper.forget = journal.forget
        live.journal = journal if is_writing else None
        background.start_soon(journal.run, live.unresumable if is_writing else tuple)
        background.start_soon(Recovery(journal, keeper, self.transcriber, self.engine).run)

    async def _open_webhooks(self, ledger: Ledger, opened: AsyncExitStack) -> WebhookRunner | None:
        settings = self.ledger_settings
        if settings.webhook_secret is None:
            return None
        assert self.webhook_payload is not None, "the application sets it"
        sender = await to_thread.run_sync(
            partial(WebhookSender, allow_private=settings.webhook_allow_private)
        )
        opened.push_async_callback(sender.aclose)
        secret = settings.webhook_secret.get_secret_value().encode()
        return WebhookRunner(
            ledger,
            sender,
            render=self.webhook_payload,
            secret_of=partial(secret_of_owner, secret),
            note_attempt=self.metrics.count_webhook,
        )

    def _set_chunk_slots(self, asr: Stats) -> None:
        self.chunk_slots.width = max_chunks_in_flight(len(asr.workers), self.batch_jobs)

    def _snapshot(self) -> Snapshot:
        asr = self.transcriber.stats()
        self._set_chunk_slots(asr)  # the number of recognisers in a cluster changes
        return Snapshot(
            asr=asr,
            decode=self.decoder.stats(),
            connected=self.live.connected,
            waiting=self.live.waiting,
            errors=self.metrics.errors.copy(),
            final_delays_s=self.metrics.live.take_final_delays(),
        )

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

    def admit(self, request: Request) -> ClientId:
        """Authenticate a request, check its origin and rate limit, and return its client.

        Raises:
            Unauthorized: The key or token is missing or unknown.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page of an origin that is not allowed sent it.
            RateLimited: The key has used its requests for this minute.
        """
        client = self._identify(request)
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

    def _identify(
        self, request: HTTPConnection, subprotocols: Sequence[str] = (), token: str = ""
    ) -> ClientId:
        client = self.keyring.identify(request.headers, subprotocols, token, now=time.time())
        request_log(request.scope).client = client
        self.metrics.clients.count_request(client)
        return client

    def drain(self) -> None:
        """Refuse new work from now on, and ask live clients to reconnect to another server."""
        self.is_draining = True
        self.live.drain()
        if self._running is not None:
            self._running.runner.drain()

    def check_serving(self) -> None:
        """Check that the server accepts new work.

        Raises:
            Draining: The service is shutting down.
        """
        if self.is_draining:
            raise Draining("The service is shutting down; try again.", RETRY_S)


async def _close(close: Callable[[], None]) -> None:
    with anyio.move_on_after(CLOSE_S, shield=True):
        await to_thread.run_sync(close, abandon_on_cancel=True)


async def read_json(request: Request, max_bytes: int) -> bytes:
    """Return a small JSON body; an empty one is an object without fields.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or is too slow.
        ClientDisconnect: The client has disconnected.
    """
    pause_s = state_of(request).settings.body_timeout_s
    return bytes(await read_body(request.receive, max_bytes=max_bytes, pause_s=pause_s)) or b"{}"


def state_of(request: Request) -> ServerState:
    """Return the state of the application that serves a request."""
    state = request.app.state.auricle
    assert isinstance(state, ServerState)
    return state
