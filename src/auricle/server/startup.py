"""Builds the parts of a server in order, and runs its background tasks while it is open."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import msgspec
import numpy as np
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.audio.opus import find_libopus
from auricle.audio.vad import has_speech
from auricle.config.section import variable
from auricle.config.settings import LedgerSettings, ServerSettings, Settings, spool_directory
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.database import Database
from auricle.ledger.events import StoredEvents
from auricle.ledger.job import JobState, Outcome
from auricle.ledger.location import open_audio, open_database
from auricle.ledger.outbox import Delivery
from auricle.ledger.runner import JobRunner
from auricle.ledger.store import REFUSALS, Ledger
from auricle.ledger.transcript_events import TranscriptEvents
from auricle.ledger.transcripts import Transcripts
from auricle.ledger.voices import StoredVoices
from auricle.ledger.webhooks.deliveries import WebhookRunner
from auricle.ledger.webhooks.request import Payload, check_callback_url, secret_of_owner
from auricle.ledger.webhooks.sender import WebhookSender
from auricle.server.access.access import Access
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.key_file import follow_keys, read_keys
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import KeyLimits, RateLimiter
from auricle.server.api_spec import ApiSpec, reserved_clients
from auricle.server.dialect_session import Streams
from auricle.server.http.errors import error_body
from auricle.server.job_answers import JobAnswers
from auricle.server.job_followers import JobFollowers
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs, NoWebhooks, Webhooks
from auricle.server.jobs.background_jobs.work import JobWork, work_on
from auricle.server.jobs.intake import Uploads
from auricle.server.jobs.run import Accounting
from auricle.server.jobs.upkeep import keep_up
from auricle.server.jobs.webhooks import payload_of
from auricle.server.lifecycle import Lifecycle
from auricle.server.live.admission.memory import CapacityMemory
from auricle.server.live.audio_journal.journal import AudioJournal, delete_left, has_left
from auricle.server.live.audio_journal.recovery import Recovery
from auricle.server.live.connection import CLOSE_HANDSHAKE_S
from auricle.server.live.followers import FollowerContext
from auricle.server.live.kept_voices import REWRITE_S, KeptVoices
from auricle.server.live.registry import LiveSessions, LiveStorage
from auricle.server.live.session_secrets import RETURN_S, SessionSecrets
from auricle.server.live.transcript_keeper import NO_JOURNAL, NO_KEEPER, TranscriptKeeper
from auricle.server.recognition import Recognition
from auricle.server.rendering import Renderer
from auricle.server.service import Backends, Service
from auricle.server.storage import Storage
from auricle.server.telemetry.history import History, Snapshot, sample_loop
from auricle.server.telemetry.host import HostReader
from auricle.server.telemetry.metrics import Metrics
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.file_slots import FileSlots
from auricle.server.uploads.spool import SpoolDirectory
from auricle.server.uploads.upload_room import EarlyReservations
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.system.groups import first_error
from auricle.values.errors import BadRequest, LedgerUnusable, PoisonJob, SetupError
from auricle.values.types import SAMPLE_RATE_HZ

MAX_JOB_UPLOADS = 64
"""Maximum concurrent uploads of background jobs."""
MAX_LARGE_JSON = 2
"""Large JSON bodies that are parsed at the same time."""
DATABASE_THREADS = 4
ACCEPT_THREADS = 8
"""Threads that store accepted audio on a local disk."""
CLOSE_S = 2.0
"""Longest wait for the database to close; a commit in progress may wait for another program."""

_log = structlog.get_logger("auricle.server")


@asynccontextmanager
async def open_service(
    settings: Settings, backends: Backends, apis: Sequence[ApiSpec]
) -> AsyncIterator[Service]:
    """Build the parts of a server, and run its background tasks until the context is left.

    Args:
        settings: All settings.
        backends: What decodes and transcribes; the caller starts and stops it.
        apis: The APIs to serve.

    Raises:
        SetupError: A key, the key file or the libopus in the settings is unusable, uploads can't be
            stored, the voice detector is missing, or the database can't be used.
    """
    server, stored = settings.server, settings.ledger
    transcriber, decoder = backends.transcriber, backends.decoder
    libopus = find_libopus(settings.decode.libopus)
    keyring = _keyring(server, apis)
    answers = await to_thread.run_sync(_job_answers, apis)
    await to_thread.run_sync(has_speech, np.zeros(SAMPLE_RATE_HZ, np.int16))  # loads the model
    try:
        async with AsyncExitStack() as opened:
            lifecycle = Lifecycle()
            database = WatchedDatabase(await to_thread.run_sync(_open_database, stored))
            opened.push_async_callback(_close, database.close)
            journal = await to_thread.run_sync(_open_journal, stored)
            if journal is not None:
                opened.push_async_callback(_close, journal.close)
            spool = await to_thread.run_sync(SpoolDirectory.open, spool_directory(server, stored))
            opened.callback(spool.close)
            audio = await to_thread.run_sync(open_audio, stored, spool.path)
            ledger = await to_thread.run_sync(_open_ledger, settings, database)
            metrics = Metrics(
                transcriber,
                decoder,
                backends.optional.statistics(),
                is_draining=lambda: lifecycle.is_draining,
                is_spool_failing=lambda: spool.is_failing,
                is_database_failing=lambda: database.is_failing,
            )
            events = StoredEvents(database)
            render = partial(payload_of, ledger, answers, keeps_transcripts=stored.keep_transcripts)
            webhooks = await _open_webhooks(stored, events, render, metrics, opened)
            transcripts = Transcripts(database)
            keeper = TranscriptKeeper(
                transcripts,
                stored.keep_transcripts_s,
                metrics.live.not_kept.inc,
                TranscriptEvents(stored.transcript_webhook_url or ""),
                NO_JOURNAL if journal is None else journal,
            )
            gateway = _gateway_of(settings)
            context = FollowerContext(settings, database, gateway, metrics.registry)
            followers = {
                name: await opened.enter_async_context(follow(context))
                for api in apis
                for name, follow in api.followers.items()
            }
            voices = await to_thread.run_sync(_open_voices, settings, backends, database)
            rate_limiter = RateLimiter(_key_limits(server), keyring.limits_of)
            live = LiveSessions(
                settings.live,
                backends.models,
                transcriber,
                backends.optional,
                libopus,
                metrics.live,
                rate_limiter,
                SessionSecrets.stored_in(stored.directory, time.monotonic(), _id_prefix(server)),
                CapacityMemory(stored.directory, backends.machine, settings.live.live_speakers),
                LiveStorage(
                    keeper=keeper if stored.keep_transcripts else NO_KEEPER,
                    journal=NO_JOURNAL if journal is None else journal,
                    voices=voices,
                ),
                followers,
            )

            access = Access(
                keyring,
                Origins.of(server),
                rate_limiter,
                ConnectionLimiter.of(server),
                metrics.clients.count_request,
                live.has_waiting_session,
            )
            storage = Storage(
                spool,
                database,
                ledger,
                events,
                audio,
                transcripts,
                CapacityLimiter(DATABASE_THREADS),
                CapacityLimiter(_accept_threads(stored)),
                CapacityLimiter(server.max_file_jobs),
            )
            recognition = _recognition(settings, backends)
            accounting = Accounting(metrics, rate_limiter)
            renderer, start_estimate = Renderer(), StartEstimate()
            keep_results_s = server.keep_results_s
            work = JobWork(
                recognition,
                storage,
                answers,
                lifecycle,
                accounting,
                start_estimate,
                stored,
                keep_results_s,
            )
            runner = JobRunner(
                ledger,
                audio,
                partial(work_on, work),
                max_running=server.max_file_jobs,
                is_ready=lambda: transcriber.stats().ready,
                note_lost=metrics.leases_lost.inc,
                note_end=webhooks.wake,
            )
            jobs = BackgroundJobs(
                storage,
                stored,
                keep_results_s,
                answers,
                UploadingJobs(),
                runner,
                webhooks,
                JobFollowers(),
                start_estimate,
            )
            uploads = Uploads(
                access=access,
                lifecycle=lifecycle,
                recognition=recognition,
                accounting=accounting,
                jobs=jobs,
                settings=server,
                libopus=libopus,
                spool=spool,
                renderer=renderer,
                file_slots=FileSlots(server.max_file_jobs),
                job_slots=FileSlots(MAX_JOB_UPLOADS),
                early=EarlyReservations(),
                large_json=FairSemaphore(MAX_LARGE_JSON),
            )
            async with anyio.create_task_group() as background:
                drain_s = max(0.0, server.drain_s - CLOSE_HANDSHAKE_S)
                service = Service(
                    settings=settings,
                    apis=apis,
                    access=access,
                    lifecycle=lifecycle,
                    recognition=recognition,
                    workers=backends.optional,
                    storage=storage,
                    uploads=uploads,
                    jobs=jobs,
                    live=live,
                    streams=Streams(access, lifecycle, live, backends.models, background, drain_s),
                    metrics=metrics,
                    history=History(),
                    renderer=renderer,
                )
                background.start_soon(voices.run)
                background.start_soon(keeper.run)  # earlier transcripts expire in any case
                if journal is not None:
                    sessions = live.unresumable if stored.journal_audio else tuple
                    background.start_soon(journal.run, sessions)
                    recovery = Recovery(journal, keeper, transcriber, backends.models)
                    background.start_soon(recovery.run)
                background.start_soon(live.watch)
                background.start_soon(metrics.watch_loop)
                background.start_soon(spool.watch)
                snapshot = partial(_snapshot, service, HostReader())
                background.start_soon(sample_loop, service.history, snapshot)
                background.start_soon(runner.run)
                background.start_soon(webhooks.run)
                if (keys_file := server.keys_file) is not None:
                    follow = partial(follow_keys, reserved=reserved_clients(apis))
                    background.start_soon(follow, keys_file, keyring.replace_stored)
                background.start_soon(keep_up, jobs, metrics)
                yield service
                background.cancel_scope.cancel()
    except BaseExceptionGroup as errors:  # an anyio group wraps even a single failure
        raise first_error(errors) from errors


def _job_answers(apis: Sequence[ApiSpec]) -> Mapping[str, JobAnswers]:
    """Return how the APIs answer background jobs, by the names in their stored format."""
    return {name: answers for api in apis for name, answers in api.job_answers().items()}


def _keyring(settings: ServerSettings, apis: Sequence[ApiSpec]) -> Keyring:
    """Return the keys of the settings.

    Raises:
        SetupError: A key or the key file is unusable.
    """
    reserved = reserved_clients(apis)
    stored = None if settings.keys_file is None else read_keys(settings.keys_file, reserved)
    style = KeyStyle.all_of(api.key_style for api in apis)
    return Keyring(settings.api_keys, settings.operator_key, stored, style, reserved)


def _key_limits(settings: ServerSettings) -> KeyLimits:
    return KeyLimits(settings.key_sessions, settings.key_audio_s, settings.key_requests)


def _id_prefix(settings: ServerSettings) -> str:
    """Return what the ids of sessions begin with.

    By it, a load balancer routes a resuming client to its gateway.
    """
    return f"{settings.gateway_id}-" if settings.gateway_id else ""


def _recognition(settings: Settings, backends: Backends) -> Recognition:
    batch_jobs = max(model.engine.batches.max_jobs for model in backends.models)
    if not backends.is_remote:  # recognisers have their own settings
        batch_jobs = min(batch_jobs, settings.worker.batch_jobs)
    workers = len(backends.transcriber.stats().workers)
    return Recognition(
        backends.transcriber,
        backends.decoder,
        backends.models,
        backends.optional.speakers,
        FairSemaphore(max_chunks_in_flight(workers, batch_jobs)),
        batch_jobs,
        backends.is_remote,
    )


def _open_database(settings: LedgerSettings) -> Database:
    url = settings.database_url
    return open_database(settings.directory, None if url is None else url.get_secret_value())


def _open_ledger(settings: Settings, database: Database) -> Ledger:
    """Open the jobs in a database; those of a dead server are queued again.

    Raises:
        LedgerUnusable: The database can't be written.
    """
    error = PoisonJob("This job ended its server repeatedly; it is not tried again.")
    poisoned = Outcome(
        JobState.FAILED,
        settings.server.keep_results_s,
        error=msgspec.json.encode(error_body(error)),
    )
    ledger = Ledger(database, secrets.token_hex(8), poisoned)
    if not _shares_jobs(settings):  # the lock of the database proves that no other server runs
        try:
            ledger.requeue_all(time.time())
        except REFUSALS as exc:
            raise LedgerUnusable(f"Jobs of the last server can't continue. {exc}") from exc
    return ledger


def _shares_jobs(settings: Settings) -> bool:
    return settings.ledger.database_url is not None


def _gateway_of(settings: Settings) -> str | None:
    """Return the name by which the database distinguishes the sessions of this server.

    ``None``: the sessions of gateways without names in one database can't be distinguished.
    """
    gateway = settings.server.gateway_id
    return None if _shares_jobs(settings) and not gateway else gateway


def _open_voices(settings: Settings, backends: Backends, database: Database) -> KeptVoices:
    """Read the voices of the last run's sessions, and keep those of new ones."""
    gateway = _gateway_of(settings)
    if gateway is None:
        return KeptVoices()
    voices = KeptVoices(StoredVoices(database), gateway)
    try:
        seen_after, until = time.time() - RETURN_S - REWRITE_S, time.monotonic() + RETURN_S
        voices.restore(backends.optional.speakers.can_continue, seen_after, until)
    except REFUSALS as error:
        _log.warning("voices_not_restored", code=error.code)
    return voices


def _open_journal(settings: LedgerSettings) -> AudioJournal | None:
    """Open the journal if audio is written, or was left by a process that has died."""
    directory = settings.directory
    if settings.keep_transcripts:
        if settings.journal_audio or has_left(directory):
            return AudioJournal.open(directory)
    elif deleted := delete_left(directory):
        _log.warning("journal_deleted", files=deleted)
    return None


def _check_receiver(settings: LedgerSettings) -> None:
    if (url := settings.transcript_webhook_url) is None:
        return
    name = variable("transcript_webhook_url")
    try:
        check_callback_url(url, allow_private=settings.webhook_allow_private, field=name)
    except BadRequest as error:
        raise SetupError(str(error)) from error


async def _open_webhooks(
    settings: LedgerSettings,
    events: StoredEvents,
    render: Callable[[Delivery], Payload | None],
    metrics: Metrics,
    opened: AsyncExitStack,
) -> Webhooks:
    if settings.webhook_secret is None:
        return NoWebhooks()
    _check_receiver(settings)
    sender = await to_thread.run_sync(
        partial(WebhookSender, allow_private=settings.webhook_allow_private)
    )
    opened.push_async_callback(sender.aclose)
    secret = settings.webhook_secret.get_secret_value().encode()
    return WebhookRunner(
        events,
        sender,
        render=render,
        secret_of=partial(secret_of_owner, secret),
        note_attempt=metrics.count_webhook,
    )


def _snapshot(service: Service, host: HostReader) -> Snapshot:
    recognition, live, metrics = service.recognition, service.live, service.metrics
    asr = recognition.transcriber.stats()
    # The number of recognisers in a cluster changes.
    slots = max_chunks_in_flight(len(asr.workers), recognition.batch_jobs)
    recognition.chunk_slots.width = slots
    return Snapshot(
        asr=asr,
        decode=recognition.decoder.stats(),
        connected=live.connected,
        waiting=live.waiting,
        errors=metrics.errors.copy(),
        final_delays_s=metrics.live.take_final_delays(),
        host=host.read(),
    )


def _accept_threads(settings: LedgerSettings) -> int:
    """Number of threads that store audio; those that wait for a network need no cores."""
    return ACCEPT_THREADS if settings.audio_url is None else MAX_JOB_UPLOADS


async def _close(close: Callable[[], None]) -> None:
    with anyio.move_on_after(CLOSE_S, shield=True):
        await to_thread.run_sync(close, abandon_on_cancel=True)
