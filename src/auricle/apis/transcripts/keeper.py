"""Stores the finals of live sessions, in order and without delaying the sessions.

Finals wait in memory until the database has committed them. Connections send a final once it is
stored, so that no death of the server loses one that its client has, but they wait for a second at
most (docs/decisions/068). If the database does not answer, finals wait longer in memory. When
too many wait, new ones are not kept, nor are those that the database refuses: this is counted, and
logged without text. A failing database never ends a live session.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.apis.transcripts.stored.events import NO_RECEIVER, TranscriptEvents
from auricle.apis.transcripts.stored.transcripts import (
    NOTHING_KEPT,
    KeptEnd,
    KeptSegment,
    KeptTranscript,
    Transcripts,
    rename_known,
)
from auricle.apis.transcripts.stored.words import kept_words
from auricle.ledger.databases.database import Transaction
from auricle.server.live.background_writer import BackgroundWriter
from auricle.server.live.followers import (
    SessionFollower,
    SessionFollowers,
    UnfinishedAudioOf,
    no_unfinished_audio,
)
from auricle.session.output import Revised
from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.events import Final, SessionEvent
from auricle.values.types import SAMPLE_RATE_HZ, ClientId

SEND_LIMIT_S = 1.0
"""Longest time that a final waits for its storage before it is sent."""
UNKNOWN_END = KeptEnd(1_000_000, {})
"""More utterances than a session has before a restart."""
EXPIRY_S = 60.0
"""Interval of deleting expired transcripts, in seconds."""

_SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """A session whose transcript is kept.

    Attributes:
        id: The session's id.
        owner: The key that may read the transcript.
        source: The API that the session uses.
        started_at: Unix time.
        ended_at: Unix time of its last audio; ``None``: now.
        before: Where the transcript ended before the session, which continues one with its id.
        names: The names of its speakers that were stored, by number.
    """

    id: str
    owner: ClientId
    source: str
    started_at: float
    ended_at: float | None = None
    before: KeptEnd = NOTHING_KEPT
    names: dict[int, str | None] = field(default_factory=dict, compare=False)

    def has(self, final: Final) -> bool:
        """Return whether most of a final was stored before, so that it repeats what is kept."""
        middle_sample = (final.start_sample + final.end_sample) // 2
        return self.before.is_after(middle_sample // _SAMPLES_PER_MS, final.channel)

    def new_names(self, finals: Iterable[Final]) -> dict[int, str | None]:
        """Return the names of speakers in finals that differ from those that were stored."""
        names: dict[int, str | None] = {}
        for final in finals:
            numbers = {each.speaker for each in final.segments or ()} | {final.speaker}
            names |= {number: None for number in numbers if number is not None}
            names |= {speaker.number: speaker.name for speaker in final.speakers}
        return {each: name for each, name in names.items() if name != self.names.get(each)}


@dataclass(frozen=True, slots=True)
class _Ended:
    """The end of a session, after its last final."""

    session: SessionIdentity


@dataclass(frozen=True, slots=True)
class _Kept:
    """A final to store; ``is_revised``: it may be stored already, with other speakers."""

    session: SessionIdentity
    final: Final
    is_revised: bool = False

    @property
    def position(self) -> int:
        """Its position: known before the final, by which an interrupted one is stored."""
        return self.session.before.position + self.final.utterance


_Change = _Kept | _Ended


class UtteranceJournal:
    """Has the audio of utterances until their finals are stored; this one has none."""

    def hold(self, uid: str, utterance: int) -> None:
        """Note that the final of an utterance exists, and waits to be stored."""

    def forget(self, uid: str, utterance: int) -> None:
        """Delete an utterance's audio soon: its final is stored, or never will be."""

    def abandon(self, uid: str) -> None:
        """Delete the audio of a session that has ended, except where a final waits."""


NO_JOURNAL = UtteranceJournal()


class TranscriptKeeper(SessionFollowers):
    """Stores the finals of sessions with an owner, in the background; see the module.

    Args:
        transcripts: Where they are stored.
        keep_s: Retention in seconds.
        count_not_kept: Called with the number of finals that are not kept.
        events: Reports the transcripts.
        journal: Has the audio of utterances until their finals are stored.
        is_keeping: Whether the finals of sessions are stored; otherwise, transcripts only expire.
    """

    def __init__(
        self,
        transcripts: Transcripts,
        keep_s: float,
        count_not_kept: Callable[[int], object] = lambda count: None,
        events: TranscriptEvents = NO_RECEIVER,
        journal: UtteranceJournal = NO_JOURNAL,
        *,
        is_keeping: bool = True,
    ) -> None:
        self._transcripts = transcripts
        self._keep_s = keep_s
        self._count_not_kept = count_not_kept
        self._events = events
        self._journal = journal
        self._is_keeping = is_keeping
        self._sessions: dict[str, _Record] = {}
        self._kept_at: dict[tuple[str, int], float] = {}
        self._threads = CapacityLimiter(2)  # one stores, one deletes; others are for requests
        self._writer = BackgroundWriter[_Change](
            write=self._write,
            done=self._forget,
            give_up=self._give_up,
            wait=self._note_wait,
            threads=self._threads,
            parts=_by_session,
        )

    @property
    def waiting(self) -> int:
        """Number of finals that wait for the database."""
        return len(self._writer.pending)

    def sessions(self) -> Iterator[tuple[SessionIdentity, UnfinishedAudioOf]]:
        """Iterate over the sessions that are kept, and what returns their audio without a final."""
        for record in self._sessions.values():
            yield record.session, record.unfinished_audio

    def open(
        self,
        session_id: str,
        owner: ClientId | None,
        source: str,
        start_sample: int = 0,
        request_id: str = "",
        *,
        can_return: bool = False,
        end_before: object = None,
        unfinished_audio: UnfinishedAudioOf = no_unfinished_audio,
    ) -> SessionFollower:
        """Store the finals of a session, if it has an owner."""
        if owner is None or not self._is_keeping:
            return SessionFollower()
        before = end_before if isinstance(end_before, KeptEnd) else NOTHING_KEPT
        session = SessionIdentity(session_id, owner, source, time.time(), before=before)
        record = self._sessions[session_id] = _Record(self, session, unfinished_audio)
        return record

    def rename_known(
        self, transaction: Transaction, owner: ClientId, name: str, new: str | None
    ) -> None:
        """Change a name that voices gave, in all transcripts of an owner."""
        rename_known(transaction, owner, name, new)

    def release(self, session: SessionIdentity, *, is_over: bool) -> None:
        """Report the transcript of a session that has ended, once its finals are stored.

        Args:
            session: The session.
            is_over: Whether it has ended; otherwise, the next server may continue it.
        """
        self._sessions.pop(session.id, None)
        if not is_over:
            return
        self._journal.abandon(session.id)
        if self._events.url and not self._writer.is_full:
            self._writer.put(_Ended(session))

    def miss(self, session: SessionIdentity) -> None:
        """Count the last final of a session, which took too long."""
        _log.error("final_not_kept", session=session.id)
        self._count_not_kept(1)

    def keep(self, session: SessionIdentity, final: Final) -> None:
        """Queue a final; those without text, or that repeat what was kept, are left out."""
        if not final.text or session.has(final):
            self._journal.forget(session.id, final.utterance)
            return
        if self._writer.is_full:
            _log.error("final_not_kept", session=session.id, final=final.id)
            self._count_not_kept(1)
            self._journal.forget(session.id, final.utterance)
            return
        self._kept_at[session.id, final.utterance] = time.monotonic()
        self._journal.hold(session.id, final.utterance)
        self._writer.put(_Kept(session, final))

    def revise(self, session: SessionIdentity, final: Final) -> None:
        """Queue other speakers of a final that was queued before."""
        if not self._writer.is_full:
            self._writer.put(_Kept(session, final, is_revised=True))

    async def end_of(self, client: ClientId, session_id: str) -> KeptEnd:
        """Return where the transcript of a session ends, which another one continues.

        If the database does not answer soon, that is after all that may be stored.
        """
        if not self._is_keeping:
            return NOTHING_KEPT
        try:
            with anyio.fail_after(SEND_LIMIT_S):
                return await to_thread.run_sync(
                    self._transcripts.end,
                    client,
                    session_id,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
        except (AuricleError, TimeoutError):
            _log.warning("transcript_end_unknown", session=session_id)
            return UNKNOWN_END

    async def until_stored(self, session_id: str, utterance: int) -> None:
        """Wait until a final is stored or refused, or has waited for ``SEND_LIMIT_S``."""
        while (kept_at := self._kept_at.get((session_id, utterance))) is not None:
            with anyio.move_on_after(kept_at + SEND_LIMIT_S - time.monotonic()) as limit:
                await self._writer.progress()
            if limit.cancelled_caught:
                return

    async def run(self) -> None:
        """Store finals and delete expired transcripts until cancelled; then store what is left."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._expire)
                await self._writer.run()
        finally:
            if count := len(_finals(self._writer.pending)):
                _log.error("finals_not_kept", count=count)
                self._count_not_kept(count)

    def _forget(self, changes: Sequence[_Change]) -> None:
        """Note that finals of a session are stored, or never will be."""
        for kept in _finals(changes):
            utterance = kept.session.id, kept.final.utterance
            self._journal.forget(*utterance)
            self._kept_at.pop(utterance, None)

    def _give_up(self, changes: Sequence[_Change], error: Exception) -> None:
        count = len(_finals(changes))
        log_unexpected(error, session=changes[0].session.id, not_kept=count)
        self._count_not_kept(count)

    def _note_wait(self, error: AuricleError) -> None:
        _log.warning("finals_wait", count=self.waiting, code=error.code)

    def _write(self, changes: Sequence[_Change]) -> None:
        session, now = changes[0].session, time.time()
        if new := _finals(changes):
            finals = [each.final for each in new]
            transcript = KeptTranscript(
                uid=session.id,
                owner=session.owner,
                source=session.source,
                language=next((final.language for final in finals if final.language), ""),
                started_at=session.started_at,
                ended_at=now if session.ended_at is None else session.ended_at,
            )
            position = max(each.position for each in new)
            self._transcripts.add(
                transcript,
                [_segment(each) for each in new],
                lambda transaction, stored: self._events.grew(transaction, stored, position, now),
            )
        kept = [each for each in changes if isinstance(each, _Kept)]
        if speakers := {each.position: each.final.speaker for each in kept if each.is_revised}:
            self._transcripts.relabel(session.owner, session.id, speakers)
        if names := session.new_names(each.final for each in kept):
            self._transcripts.name_known(session.owner, session.id, names)
            session.names.update(names)
        if len(kept) < len(changes):
            self._transcripts.write(lambda t: self._events.ended(t, session.id, now))

    async def _expire(self) -> None:
        while True:
            try:
                while await to_thread.run_sync(
                    self._transcripts.expire,
                    time.time() - self._keep_s,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                ):
                    pass
            except AuricleError as error:
                _log.warning("transcripts_not_expired", code=error.code)
            except Exception as error:
                log_unexpected(error)
            await anyio.sleep(EXPIRY_S)


class _Record(SessionFollower):
    """Stores the finals of one session."""

    keeps_finals = True

    def __init__(
        self,
        keeper: TranscriptKeeper,
        session: SessionIdentity,
        unfinished_audio: UnfinishedAudioOf,
    ) -> None:
        self.session = session
        self.unfinished_audio = unfinished_audio
        self._keeper = keeper

    def publish(self, event: SessionEvent | Revised) -> None:
        if isinstance(event, Final):
            self._keeper.keep(self.session, event)
        elif isinstance(event, Revised):
            for final in event.finals:
                self._keeper.revise(self.session, final)

    async def until_stored(self, utterance: int) -> None:
        await self._keeper.until_stored(self.session.id, utterance)

    def miss_final(self) -> None:
        self._keeper.miss(self.session)

    def release(self, *, is_over: bool) -> None:
        self._keeper.release(self.session, is_over=is_over)


def _by_session(batch: Sequence[_Change]) -> Iterator[list[_Change]]:
    ordered = sorted(batch, key=lambda change: change.session.id)
    for _, changes in groupby(ordered, key=lambda change: change.session.id):
        yield list(changes)


def _finals(changes: Iterable[_Change]) -> list[_Kept]:
    """Return the finals that are new."""
    return [each for each in changes if isinstance(each, _Kept) and not each.is_revised]


def _segment(kept: _Kept) -> KeptSegment:
    """Return a final as a segment; a channel that is transcribed apart is a speaker."""
    final = kept.final
    return KeptSegment(
        position=kept.position,
        start_ms=final.start_sample // _SAMPLES_PER_MS,
        end_ms=final.end_sample // _SAMPLES_PER_MS,
        text=final.text,
        speaker=final.speaker if final.channel is None else final.channel,
        words=kept_words(final.words),
    )
