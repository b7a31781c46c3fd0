"""Opens what keeps the transcripts of a server, and continues what its last run has left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import structlog
from anyio import to_thread
from prometheus_client import Counter

from auricle.apis.transcripts.audio_journal.journal import AudioJournal, delete_left, has_left
from auricle.apis.transcripts.audio_journal.recovery import Recovery
from auricle.apis.transcripts.keeper import NO_JOURNAL, TranscriptKeeper
from auricle.apis.transcripts.settings import TranscriptsSettings
from auricle.apis.transcripts.stored.events import TranscriptEvents
from auricle.apis.transcripts.stored.transcripts import Transcripts
from auricle.config.section import variable
from auricle.config.settings import Settings
from auricle.server.live.followers import FollowerContext
from auricle.values.errors import BadRequest, SetupError

CLOSE_S = 2.0
"""Longest wait for the deletion of audio that is not needed any more."""

_log = structlog.get_logger("auricle.server")


@asynccontextmanager
async def open_keeper(context: FollowerContext) -> AsyncIterator[TranscriptKeeper]:
    """Keep transcripts, and delete expired ones, until the context is left.

    Raises:
        SetupError: The operator's receiver is invalid or private, or the journal of audio can't be
            written.
    """
    settings = context.settings.section(TranscriptsSettings)
    _check_receiver(context, settings)
    not_kept = Counter(
        "auricle_live_finals_not_kept",
        "Finals missing in kept transcripts: the database refused them or was away, or they took "
        "too long after their clients had vanished.",
        registry=context.metrics,
    )
    async with _open_journal(context.settings, settings) as journal:
        keeper = TranscriptKeeper(
            Transcripts(context.database),
            settings.keep_transcripts_s,
            not_kept.inc,
            TranscriptEvents(settings.transcript_webhook_url or ""),
            NO_JOURNAL if journal is None else journal,
            is_keeping=settings.keep_transcripts,
        )
        async with anyio.create_task_group() as background:
            background.start_soon(keeper.run)  # earlier transcripts expire in any case
            if journal is not None:
                sessions = keeper.sessions if settings.journal_audio else tuple
                background.start_soon(journal.run, sessions)
                recovery = Recovery(journal, keeper, context.transcriber, context.models)
                background.start_soon(recovery.run)
            yield keeper
            background.cancel_scope.cancel()


def _check_receiver(context: FollowerContext, own: TranscriptsSettings) -> None:
    if (url := own.transcript_webhook_url) is None:
        return
    try:
        context.check_receiver(url, variable("transcript_webhook_url"))
    except BadRequest as error:
        raise SetupError(str(error)) from error


@asynccontextmanager
async def _open_journal(
    settings: Settings, own: TranscriptsSettings
) -> AsyncIterator[AudioJournal | None]:
    """Open the journal if audio is written, or was left.

    Raises:
        LedgerReadOnly: Its directory can't be created.
    """
    journal = await to_thread.run_sync(_journal_of, settings, own)
    try:
        yield journal
    finally:
        if journal is not None:
            with anyio.move_on_after(CLOSE_S, shield=True):
                await to_thread.run_sync(journal.close, abandon_on_cancel=True)


def _journal_of(settings: Settings, own: TranscriptsSettings) -> AudioJournal | None:
    """Return the journal if audio is written, or was left by a process that has died."""
    directory = settings.ledger.directory
    if own.keep_transcripts:
        if own.journal_audio or has_left(directory):
            return AudioJournal.open(directory)
    elif deleted := delete_left(directory):
        _log.warning("journal_deleted", files=deleted)
    return None
