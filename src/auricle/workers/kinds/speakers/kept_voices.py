"""Voices of sessions that clients may have lost: their next sessions continue the numbers.

While a session with speakers runs, its voices are written to the database every second, if they
have changed; no session waits for that. Voices of a session that ends without its client's consent
are kept as long as it may return, as are those that the last run of the server has written. They
are deleted when the session ends for good, or when one that continues it has labelled a final:
until then, its client may not know that session.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.types import ClientId
from auricle.values.voice_keeper import (
    NO_VOICE_STORE,
    REWRITE_S,
    SessionVoices,
    StoredVoices,
    VoiceStore,
)

INTERVAL_S = 1.0
MAX_BATCH = 20
"""Sessions written at once; the voices of one are added up in less than 0.3 ms."""
MAX_LOST = 1000
"""Lost sessions whose voices are kept; beyond that, the oldest ones are dropped."""
MAX_REMOVED = 10_000
"""Sessions to delete while the database does not answer; others expire."""
LAST_WRITES_S = 2.0
"""Longest time to write what is left when the server stops."""

_log = structlog.get_logger("auricle.server")


@dataclass(slots=True, eq=False)
class _Running:
    """A session, and how many labelled finals its written voices have; -1: none are written."""

    id: str
    session: SessionVoices
    client: ClientId
    continues: str
    written: int = -1
    written_at: float = -inf


@dataclass(slots=True, eq=False)
class _Lost:
    client: ClientId
    voices: bytes
    until: float
    is_written: bool = True


class KeptVoices:
    """The kept voices of one server: a :class:`.VoiceKeeper`; see the module.

    Args:
        can_continue: Whether a session can continue with stored voices; others are deleted.
        store: Where they are stored.
    """

    def __init__(
        self, can_continue: Callable[[bytes], bool], store: VoiceStore = NO_VOICE_STORE
    ) -> None:
        self._running: dict[str, _Running] = {}
        self._lost: dict[str, _Lost] = {}
        self._removed: set[str] = set()
        self._can_continue, self._store = can_continue, store
        self._threads = CapacityLimiter(1)

    # Called by the registry.

    def find(self, client: ClientId, session_id: str) -> bytes:
        """Return the voices of a client's session, which it must have proved to be its own.

        They are empty if none are kept.
        """
        if (lost := self._lost.get(session_id)) is not None:
            return lost.voices if lost.client == client else b""
        running = self._running.get(session_id)  # it is finishing
        if running is None or running.client != client:
            return b""
        return running.session.voices()

    def open(
        self, session_id: str, voices: SessionVoices, client: ClientId, continues: str
    ) -> None:
        """Keep the voices of a session; see :meth:`.VoiceKeeper.open`."""
        self._removed.discard(session_id)
        self._running[session_id] = _Running(session_id, voices, client, continues)

    def end(self, session_id: str, keep_until: float | None) -> None:
        """Note the end of a session; see :meth:`.VoiceKeeper.end`."""
        if (running := self._running.pop(session_id, None)) is None:
            return
        session, labelled = running.session, running.session.labelled_finals
        self._forget_continued(running)
        if keep_until is not None and (voices := session.voices()):
            is_written = running.written == labelled
            self._lost.pop(session_id, None)
            self._lost[session_id] = _Lost(running.client, voices, keep_until, is_written)
            while len(self._lost) > MAX_LOST:
                self._forget(next(iter(self._lost)))
        elif session.has_voices and session_id not in self._lost:
            self._remove(session_id)

    def forget(self, client: ClientId) -> None:
        """Delete the voices of all sessions of a client that have ended."""
        for session_id in [id for id, lost in self._lost.items() if lost.client == client]:
            self._forget(session_id)

    def _forget_continued(self, running: _Running) -> None:
        """Forget the session that another one continues, whose client knows that by now."""
        if not running.continues or not running.session.labelled_finals:
            return
        lost, running.continues = running.continues, ""
        self._lost.pop(lost, None)
        if lost != running.id:
            self._running.pop(lost, None)
            self._remove(lost)

    def _forget(self, session_id: str) -> None:
        del self._lost[session_id]
        if session_id not in self._running:
            self._remove(session_id)

    def _remove(self, session_id: str) -> None:
        if self._store is not NO_VOICE_STORE and len(self._removed) < MAX_REMOVED:
            self._removed.add(session_id)

    # Background work.

    async def run(self) -> None:
        """Write voices until cancelled; then write what is left."""
        try:
            while True:
                await anyio.sleep(INTERVAL_S)
                await self._write_all(time.monotonic())
        finally:
            with anyio.move_on_after(LAST_WRITES_S, shield=True):
                await self._write_all(time.monotonic())

    async def _write_all(self, now: float) -> None:
        for session_id in [id for id, lost in self._lost.items() if lost.until <= now]:
            self._forget(session_id)
        for running in list(self._running.values()):
            self._forget_continued(running)
        if self._store is NO_VOICE_STORE:
            return
        running_due = [each for each in self._running.values() if _is_due(each, now)]
        lost_due = [(id, each) for id, each in self._lost.items() if not each.is_written]
        try:
            while self._removed or running_due or lost_due:
                await self._write(running_due[:MAX_BATCH], lost_due[:MAX_BATCH], now)
                del running_due[:MAX_BATCH], lost_due[:MAX_BATCH]
        except AuricleError as error:  # the next time, what has not changed by then is written
            _log.warning("voices_wait", code=error.code)

    async def _write(
        self, running: Iterable[_Running], lost: Iterable[tuple[str, _Lost]], now: float
    ) -> None:
        """Write voices, and delete those of ended sessions.

        Raises:
            AuricleError: The database does not answer.
        """
        removed = list(self._removed)
        records = [StoredVoices(id, each.client, each.voices) for id, each in lost]
        counts: list[tuple[_Running, int]] = []
        for one in running:
            if voices := one.session.voices():
                records.append(StoredVoices(one.id, one.client, voices))
                counts.append((one, one.session.labelled_finals))
        try:
            await to_thread.run_sync(
                self._store.write,
                removed,
                records,
                time.time(),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        except AuricleError:
            raise
        except Exception as error:  # the database refuses it, so that waiting is of no use
            log_unexpected(error)
        self._removed.difference_update(removed)
        for _, each in lost:
            each.is_written = True
        for one, labelled in counts:
            one.written, one.written_at = labelled, now

    # At the start.

    def restore(self, seen_after: float, until: float) -> None:
        """Read the voices of this server's last run; see :meth:`.VoiceKeeper.restore`.

        Raises:
            LedgerUnavailable: The database does not answer.
            LedgerFull: The disk is full.
        """
        for record in reversed(self._store.take_over(seen_after, MAX_LOST)):
            if self._can_continue(record.voices):
                self._lost[record.session] = _Lost(ClientId(record.owner), record.voices, until)
            else:
                self._remove(record.session)


def _is_due(running: _Running, now: float) -> bool:
    session = running.session
    if not session.has_voices:
        return False
    return running.written != session.labelled_finals or now >= running.written_at + REWRITE_S
