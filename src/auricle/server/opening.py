"""Opens what a server reads and writes while it runs; see :mod:`auricle.server.service`."""

import secrets
import time
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack

import anyio
import msgspec
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.settings import Settings, spool_directory
from auricle.ledger.databases.database import REFUSALS, Database
from auricle.ledger.jobs.job import JobState, Outcome
from auricle.ledger.jobs.store import Ledger
from auricle.ledger.location import open_audio, open_database
from auricle.ledger.voices import DatabaseVoices
from auricle.server.access.key_file import read_keys
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring
from auricle.server.http.errors import error_body
from auricle.server.live.session_secrets import RETURN_S, SessionSecrets
from auricle.server.storage import Storage
from auricle.server.telemetry.watched_database import WatchedDatabase
from auricle.server.uploads.params import ended_request
from auricle.server.uploads.spool import SpoolDirectory
from auricle.values.errors import LedgerUnusable, PoisonJob
from auricle.values.speakers import SpeakerLabelling
from auricle.values.voice_keeper import NO_VOICE_STORE, REWRITE_S, VoiceKeeper

MAX_JOB_UPLOADS = 64
"""Maximum concurrent uploads of background jobs."""
DATABASE_THREADS = 4
ACCEPT_THREADS = 8
"""Threads that store accepted audio on a local disk."""
CLOSE_S = 2.0
"""Longest wait for the database to close; a commit in progress may wait for another program."""

_log = structlog.get_logger("auricle.server")


def open_keyring(settings: ServerSettings, style: KeyStyle, reserved: Collection[str]) -> Keyring:
    """Return the keys of the settings.

    Raises:
        SetupError: A key or the key file is unusable.
    """
    stored = None if settings.keys_file is None else read_keys(settings.keys_file, reserved)
    return Keyring(settings.api_keys, settings.operator_key, stored, style, reserved)


async def open_storage(settings: Settings, opened: AsyncExitStack) -> Storage:
    """Open the database, the spool and the store of audio; ``opened`` closes them.

    Raises:
        SetupError: Uploads can't be stored, or the database can't be used.
    """
    server, stored = settings.server, settings.ledger
    database = WatchedDatabase(await to_thread.run_sync(open_database, stored))
    opened.push_async_callback(_close, database.close)
    spool = await to_thread.run_sync(SpoolDirectory.open, spool_directory(server, stored))
    opened.callback(spool.close)
    audio = await to_thread.run_sync(open_audio, settings, spool.path)
    ledger = await to_thread.run_sync(_open_ledger, settings, database)
    return Storage(
        spool,
        database,
        ledger,
        audio,
        CapacityLimiter(DATABASE_THREADS),
        CapacityLimiter(_accept_threads(stored)),
        CapacityLimiter(server.max_file_jobs),
    )


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
    ledger = Ledger(database, secrets.token_hex(8), poisoned, ended_request)
    if not _shares_jobs(settings):  # the lock of the database proves that no other server runs
        try:
            ledger.requeue_all(time.time())
        except REFUSALS as exc:
            raise LedgerUnusable(f"Jobs of the last server can't continue. {exc}") from exc
    return ledger


def _shares_jobs(settings: Settings) -> bool:
    return settings.ledger.database_url is not None


def gateway_of(settings: Settings) -> str | None:
    """Return the name by which the database distinguishes the sessions of this server.

    ``None``: the sessions of gateways without names in one database can't be distinguished.
    """
    gateway = settings.server.gateway_id
    return None if _shares_jobs(settings) and not gateway else gateway


def open_voices(settings: Settings, speakers: SpeakerLabelling, database: Database) -> VoiceKeeper:
    """Read the voices of the last run's sessions, and keep those of new ones."""
    gateway = gateway_of(settings)
    store = NO_VOICE_STORE if gateway is None else DatabaseVoices(database, gateway)
    voices = speakers.keep_voices(store)
    try:
        voices.restore(time.time() - RETURN_S - REWRITE_S, time.monotonic() + RETURN_S)
    except REFUSALS as error:
        _log.warning("voices_not_restored", code=error.code)
    return voices


def open_session_secrets(settings: Settings) -> SessionSecrets:
    """Return what derives the secrets of sessions, with the prefix of their ids.

    By it, a load balancer routes a resuming client to its gateway.
    """
    gateway = settings.server.gateway_id
    prefix = f"{gateway}-" if gateway else ""
    return SessionSecrets.stored_in(settings.ledger.directory, time.monotonic(), prefix)


def _accept_threads(settings: LedgerSettings) -> int:
    """Number of threads that store audio; those that wait for a network need no cores."""
    return ACCEPT_THREADS if settings.audio_url is None else MAX_JOB_UPLOADS


async def _close(close: Callable[[], None]) -> None:
    with anyio.move_on_after(CLOSE_S, shield=True):
        await to_thread.run_sync(close, abandon_on_cancel=True)
