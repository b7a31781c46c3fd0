"""Stores the finals of live sessions, in order and without delaying the sessions.

Finals wait in memory until the database has committed them. Connections send a final once it is
stored, so that no death of the server loses one that its client has, but they wait for a second at
most (docs/decisions/068). If the database does not answer, finals wait longer in memory. When
too many wait, new ones are not kept, nor are those that the database refuses: this is counted, and
logged without text. A failing database never ends a live session.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.ledger.kept_words import kept_words
from auricle.ledger.transcript_events import NO_RECEIVER, TranscriptEvents
from auricle.ledger.transcripts import (
    NOTHING_KEPT,
    KeptEnd,
    KeptSegment,
    KeptTranscript,
    Transcripts,
)
from auricle.server.http.errors import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ, ClientId

MAX_PENDING = 10_000
"""Finals that wait for the database; several minutes of a busy server."""
MAX_BATCH = 500
RETRY_S = 1.0
SEND_LIMIT_S = 1.0
"""Longest time that a final waits for its storage before it is sent."""
LAST_WRITES_S = 5.0
"""Longest time to store what is left when the server stops."""
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
    """

    id: str
    owner: ClientId
    source: str
    started_at: float
    ended_at: float | None = None
    before: KeptEnd = NOTHING_KEPT

    def has(self, final: Final) -> bool:
        """Return whether most of a final was stored before, so that it repeats what is kept."""
        middle_sample = (final.start_sample + final.end_sample) // 2
        return self.before.is_after(middle_sample // _SAMPLES_PER_MS, final.channel)


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


class TranscriptKeeper:
    """Stores finals in the background; see the module.

    Args:
        transcripts: Where they are stored.
        keep_s: Retention in seconds.
        count_not_kept: Called with the number of finals that are not kept.
        events: Reports the transcripts.
    """

    def __init__(
        self,
        transcripts: Transcripts,
        keep_s: float,
        count_not_kept: Callable[[int], object] = lambda count: None,
        events: TranscriptEvents = NO_RECEIVER,
    ) -> None:
        self._transcripts = transcripts
        self._keep_s = keep_s
        self._count_not_kept = count_not_kept
        self._events = events
        self.forget: Callable[[str, int], object] = lambda session, utterance: None
        """Called with the session's id and an utterance's number once its final is stored, or when
        it never will be."""
        self._pending: deque[_Change] = deque()
        self._kept_at: dict[tuple[str, int], float] = {}
        self._news = anyio.Event()
        self._progress = anyio.Event()
        self._threads = CapacityLimiter(2)  # one stores, one deletes; others are for requests

    @property
    def waiting(self) -> int:
        """Number of finals that wait for the database."""
        return len(self._pending)

    def keep(self, session: SessionIdentity, final: Final) -> None:
        """Queue a final; those without text, or that repeat what was kept, are left out."""
        if not final.text or session.has(final):
            self.forget(session.id, final.utterance)
            return
        if len(self._pending) >= MAX_PENDING:
            _log.error("final_not_kept", session=session.id, final=final.id)
            self._count_not_kept(1)
            self.forget(session.id, final.utterance)
            return
        self._pending.append(_Kept(session, final))
        self._kept_at[session.id, final.utterance] = time.monotonic()
        self._news.set()

    def revise(self, session: SessionIdentity, final: Final) -> None:
        """Queue other speakers of a final that was queued before."""
        if len(self._pending) < MAX_PENDING:
            self._pending.append(_Kept(session, final, is_revised=True))
            self._news.set()

    def end(self, session: SessionIdentity) -> None:
        """Report the transcript of a session that has ended, once its finals are stored."""
        if len(self._pending) < MAX_PENDING:
            self._pending.append(_Ended(session))
            self._news.set()

    async def end_of(self, owner: ClientId, session_id: str) -> KeptEnd:
        """Return where the transcript of a session ends, which another one continues.

        If the database does not answer soon, that is after all that may be stored.
        """
        try:
            with anyio.fail_after(SEND_LIMIT_S):
                return await to_thread.run_sync(
                    self._transcripts.end,
                    owner,
                    session_id,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
        except (AuricleError, TimeoutError):
            _log.warning("transcript_end_unknown", session=session_id)
            return UNKNOWN_END

    def is_waiting(self, session_id: str, utterance: int) -> bool:
        """Return whether the final of an utterance waits to be stored."""
        return (session_id, utterance) in self._kept_at

    async def until_stored(self, session_id: str, utterance: int) -> None:
        """Wait until a final is stored or refused, or has waited for ``SEND_LIMIT_S``."""
        while (kept_at := self._kept_at.get((session_id, utterance))) is not None:
            with anyio.move_on_after(kept_at + SEND_LIMIT_S - time.monotonic()) as limit:
                await self._progress.wait()
            if limit.cancelled_caught:
                return

    async def run(self) -> None:
        """Store finals and delete expired transcripts until cancelled; then store what is left."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._expire)
                while True:
                    await self._news.wait()
                    self._news = anyio.Event()
                    await self._store()
        finally:
            with anyio.move_on_after(LAST_WRITES_S, shield=True):
                await self._store()
            if count := len(_finals(self._pending)):
                _log.error("finals_not_kept", count=count)
                self._count_not_kept(count)

    async def _store(self) -> None:
        """Store all pending finals; each leaves the queue once it is stored or was refused."""
        while self._pending:
            batch = list(islice(self._pending, MAX_BATCH))
            for session, changes in _by_session(batch):
                await self._store_session(session, changes)
                for each in _finals(changes):
                    self.forget(session.id, each.final.utterance)
                    self._kept_at.pop((session.id, each.final.utterance), None)
                self._progress.set()
                self._progress = anyio.Event()
            for _ in batch:
                self._pending.popleft()

    async def _store_session(self, session: SessionIdentity, changes: list[_Change]) -> None:
        while True:
            try:
                await to_thread.run_sync(
                    self._write, session, changes, abandon_on_cancel=True, limiter=self._threads
                )
            except AuricleError as error:
                _log.warning("finals_wait", count=len(self._pending), code=error.code)
                await anyio.sleep(RETRY_S)
            except Exception as error:  # the database refuses them, so that waiting is of no use
                count = len(_finals(changes))
                log_unexpected(error, session=session.id, not_kept=count)
                self._count_not_kept(count)
                return
            else:
                return

    def _write(self, session: SessionIdentity, changes: list[_Change]) -> None:
        now = time.time()
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


def _by_session(batch: list[_Change]) -> Iterator[tuple[SessionIdentity, list[_Change]]]:
    ordered = sorted(batch, key=lambda item: item.session.id)
    for _, items in groupby(ordered, key=lambda item: item.session.id):
        changes = list(items)
        yield changes[0].session, changes


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
