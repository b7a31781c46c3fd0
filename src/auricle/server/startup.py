"""Opens what the application needs while it runs, and runs its background tasks."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import msgspec
import numpy as np
import structlog
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup

from auricle.audio.vad import has_speech
from auricle.config.section import variable
from auricle.config.settings import LedgerSettings, spool_directory
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.audio.store import AudioStore
from auricle.ledger.database import Database
from auricle.ledger.events import StoredEvents
from auricle.ledger.feeds import StoredFeeds
from auricle.ledger.job import JobState, Outcome
from auricle.ledger.location import open_audio, open_database
from auricle.ledger.runner import JobRunner
from auricle.ledger.store import REFUSALS, Ledger
from auricle.ledger.transcripts import Transcripts
from auricle.ledger.voices import StoredVoices
from auricle.ledger.webhooks.deliveries import WebhookRunner
from auricle.ledger.webhooks.request import check_callback_url, secret_of_owner
from auricle.ledger.webhooks.sender import WebhookSender
from auricle.server.access.key_file import follow_keys
from auricle.server.http.errors import error_body
from auricle.server.jobs.background_jobs.work import work_on
from auricle.server.jobs.upkeep import keep_up
from auricle.server.jobs.webhooks import payload_of
from auricle.server.live.audio_journal.journal import AudioJournal, delete_left, has_left
from auricle.server.live.audio_journal.recovery import Recovery
from auricle.server.live.kept_voices import REWRITE_S
from auricle.server.live.readers.feed import SessionFeed
from auricle.server.live.readers.log import TOUCH_S, LedgerFeedLog
from auricle.server.live.session_secrets import RETURN_S
from auricle.server.live.transcript_keeper import TranscriptKeeper
from auricle.server.running import Running
from auricle.server.service import MAX_JOB_UPLOADS, Service
from auricle.server.telemetry.history import Snapshot, sample_loop
from auricle.server.telemetry.host import HostReader
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.spool import SpoolDirectory
from auricle.values.errors import BadRequest, LedgerUnusable, PoisonJob, SetupError
from auricle.values.transcriber import Stats
from auricle.values.types import SAMPLE_RATE_HZ

DATABASE_THREADS = 4
ACCEPT_THREADS = 8
"""Threads that store accepted audio on a local disk."""
CLOSE_S = 2.0
"""Longest wait for the database to close; a commit in progress may wait for another program."""

_log = structlog.get_logger("auricle.server")


@asynccontextmanager
async def run(server: Service) -> AsyncIterator[None]:
    """Open the database and the spool, and run the background tasks meanwhile.

    Raises:
        SetupError: Uploads can't be stored, the voice detector is missing, or the database
            can't be used.
    """
    await to_thread.run_sync(has_speech, np.zeros(SAMPLE_RATE_HZ, np.int16))  # loads the model
    _set_chunk_slots(server, server.transcriber.stats())
    directory = spool_directory(server.settings, server.ledger_settings)
    async with AsyncExitStack() as opened:
        database = WatchedDatabase(await to_thread.run_sync(_open_database, server))
        opened.push_async_callback(_close, database.close)
        journal = await to_thread.run_sync(_open_journal, server)
        if journal is not None:
            opened.push_async_callback(_close, journal.close)
        spool = await to_thread.run_sync(SpoolDirectory.open, directory)
        opened.callback(spool.close)
        audio = await to_thread.run_sync(open_audio, server.ledger_settings, spool.path)
        ledger, runner = await to_thread.run_sync(_open_jobs, server, database, audio)
        events = StoredEvents(database)
        webhooks = await _open_webhooks(server, events, opened)
        transcripts = Transcripts(database)
        keeper = TranscriptKeeper(
            transcripts,
            server.ledger_settings.keep_transcripts_s,
            server.metrics.live.not_kept.inc,
            server.transcript_events,
        )
        keeps_transcripts = server.ledger_settings.keep_transcripts
        feed_log = _open_feed_log(server, database)
        restored = await to_thread.run_sync(_restored_feeds, feed_log)
        await to_thread.run_sync(_restore_voices, server, database)
        try:
            async with anyio.create_task_group() as background:
                server.resources = Running(
                    spool,
                    background,
                    database,
                    ledger,
                    events,
                    audio,
                    runner,
                    webhooks,
                    transcripts if keeps_transcripts else None,
                    CapacityLimiter(DATABASE_THREADS),
                    CapacityLimiter(_accept_threads(server)),
                    CapacityLimiter(server.settings.max_file_jobs),
                )
                server.live.keeper = keeper if keeps_transcripts else None
                server.live.feeds.log = feed_log
                if feed_log is not None:
                    server.live.feeds.restore(restored, time.monotonic() + RETURN_S)
                    feed_log.sessions = server.live.feeds.logged
                    background.start_soon(feed_log.run)
                background.start_soon(server.live.voices.run)
                background.start_soon(keeper.run)  # earlier transcripts expire in any case
                if journal is not None:
                    _follow(server, journal, keeper, background)
                background.start_soon(server.live.watch)
                background.start_soon(server.metrics.watch_loop)
                background.start_soon(spool.watch)
                background.start_soon(
                    sample_loop, server.history, partial(_snapshot, server, HostReader())
                )
                background.start_soon(runner.run)
                if webhooks is not None:
                    background.start_soon(webhooks.run)
                if (keys_file := server.settings.keys_file) is not None:
                    background.start_soon(follow_keys, keys_file, server.keyring.replace_stored)
                background.start_soon(keep_up, server)
                for work in server.background_tasks:
                    background.start_soon(work)
                yield
                background.cancel_scope.cancel()
        finally:
            server.resources = None


def _open_database(server: Service) -> Database:
    settings = server.ledger_settings
    url = settings.database_url
    return open_database(settings.directory, None if url is None else url.get_secret_value())


def _open_jobs(server: Service, database: Database, audio: AudioStore) -> tuple[Ledger, JobRunner]:
    """Open the jobs in a database; those of a dead server are queued again.

    Raises:
        LedgerUnusable: The database can't be written.
    """
    error = PoisonJob("This job ended its server repeatedly; it is not tried again.")
    poisoned = Outcome(
        JobState.FAILED,
        server.settings.keep_results_s,
        error=msgspec.json.encode(error_body(error)),
    )
    ledger = Ledger(database, secrets.token_hex(8), poisoned)
    if not server.shares_jobs:  # the lock of the database proves that no other server runs
        try:
            ledger.requeue_all(time.time())
        except REFUSALS as exc:
            raise LedgerUnusable(f"Jobs of the last server can't continue. {exc}") from exc
    runner = JobRunner(
        ledger,
        audio,
        partial(work_on, server),
        max_running=server.settings.max_file_jobs,
        is_ready=lambda: server.transcriber.stats().ready,
        note_lost=server.metrics.leases_lost.inc,
        note_end=server.wake_webhooks,
    )
    return ledger, runner


def _gateway_of(server: Service) -> str | None:
    """Return the name by which the database distinguishes the sessions of this server.

    ``None``: the sessions of gateways without names in one database can't be distinguished.
    """
    gateway = server.settings.gateway_id
    return None if server.shares_jobs and not gateway else gateway


def _open_feed_log(server: Service, database: Database) -> LedgerFeedLog | None:
    """Open the log of what readers get; ``None``: they lose it with this server."""
    gateway = _gateway_of(server)
    return None if gateway is None else LedgerFeedLog(StoredFeeds(database), gateway)


def _restored_feeds(feed_log: LedgerFeedLog | None) -> list[SessionFeed]:
    """Return the feeds of the last run, or none if the database does not answer."""
    try:
        return [] if feed_log is None else feed_log.restored(time.time() - RETURN_S - TOUCH_S)
    except REFUSALS as error:
        _log.warning("feeds_not_restored", code=error.code)
        return []


def _restore_voices(server: Service, database: Database) -> None:
    """Read the voices of the last run's sessions, and keep those of new ones."""
    gateway, voices = _gateway_of(server), server.live.voices
    if gateway is None:
        return
    try:
        voices.keep_in(StoredVoices(database), gateway)
        seen_after, until = time.time() - RETURN_S - REWRITE_S, time.monotonic() + RETURN_S
        voices.restore(server.speakers.can_continue, seen_after, until)
    except REFUSALS as error:
        _log.warning("voices_not_restored", code=error.code)


def _open_journal(server: Service) -> AudioJournal | None:
    """Open the journal if audio is written, or was left by a process that has died."""
    settings = server.ledger_settings
    directory = settings.directory
    if settings.keep_transcripts:
        if settings.journal_audio or has_left(directory):
            return AudioJournal.open(directory)
    elif deleted := delete_left(directory):
        _log.warning("journal_deleted", files=deleted)
    return None


def _follow(
    server: Service, journal: AudioJournal, keeper: TranscriptKeeper, background: TaskGroup
) -> None:
    """Start to write the audio of sessions, and recover what was left by dead processes."""
    is_writing, live = server.ledger_settings.journal_audio, server.live
    keeper.forget = journal.forget
    journal.is_waiting = keeper.is_waiting
    live.journal = journal if is_writing else None
    background.start_soon(journal.run, live.unresumable if is_writing else tuple)
    background.start_soon(Recovery(journal, keeper, server.transcriber, server.models).run)


def _check_receiver(settings: LedgerSettings) -> None:
    if (url := settings.transcript_webhook_url) is None:
        return
    name = variable("transcript_webhook_url")
    try:
        check_callback_url(url, allow_private=settings.webhook_allow_private, field=name)
    except BadRequest as error:
        raise SetupError(str(error)) from error


async def _open_webhooks(
    server: Service, events: StoredEvents, opened: AsyncExitStack
) -> WebhookRunner | None:
    settings = server.ledger_settings
    if settings.webhook_secret is None:
        return None
    _check_receiver(settings)
    sender = await to_thread.run_sync(
        partial(WebhookSender, allow_private=settings.webhook_allow_private)
    )
    opened.push_async_callback(sender.aclose)
    secret = settings.webhook_secret.get_secret_value().encode()
    return WebhookRunner(
        events,
        sender,
        render=partial(payload_of, server),
        secret_of=partial(secret_of_owner, secret),
        note_attempt=server.metrics.count_webhook,
    )


def _set_chunk_slots(server: Service, asr: Stats) -> None:
    server.chunk_slots.width = max_chunks_in_flight(len(asr.workers), server.batch_jobs)


def _snapshot(server: Service, host: HostReader) -> Snapshot:
    asr = server.transcriber.stats()
    _set_chunk_slots(server, asr)  # the number of recognisers in a cluster changes
    return Snapshot(
        asr=asr,
        decode=server.decoder.stats(),
        connected=server.live.connected,
        waiting=server.live.waiting,
        errors=server.metrics.errors.copy(),
        final_delays_s=server.metrics.live.take_final_delays(),
        host=host.read(),
    )


def _accept_threads(server: Service) -> int:
    """Number of threads that store audio; those that wait for a network need no cores."""
    return ACCEPT_THREADS if server.ledger_settings.audio_url is None else MAX_JOB_UPLOADS


async def _close(close: Callable[[], None]) -> None:
    with anyio.move_on_after(CLOSE_S, shield=True):
        await to_thread.run_sync(close, abandon_on_cancel=True)
