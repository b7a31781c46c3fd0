"""The voices of the last transcripts' speakers, so that a speaker can be remembered by name.

They are stored for a limited time, and only for kept transcripts, with which they are deleted. Of a
live session they are stored at its end; until then, its speakers are remembered from memory.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

import anyio
import structlog
from anyio import CapacityLimiter, to_thread

from auricle.system.logs import log_unexpected
from auricle.values.errors import AuricleError
from auricle.values.speakers import VoicePrint
from auricle.values.types import ClientId
from auricle.voices.live import NamedLabeller
from auricle.voices.stored import EnrolledVoices, is_similar

MAX_WAITING = 1000
"""Sessions and jobs whose voices wait to be stored."""
WRITE_S, EXPIRY_S = 1.0, 60.0
"""Intervals of storing and of deleting, in seconds."""
MAX_WAIT_S = 30.0
"""Longest wait for the transcript of a session, which is stored final by final."""
DELETED_S = 300.0
"""Time for which voices like a deleted one are not stored, although they waited or were spoken."""

Prints = Mapping[int, VoicePrint]
_log = structlog.get_logger("auricle.server")


@dataclass(frozen=True, slots=True)
class _Ended:
    """The speakers of a session or a job.

    Attributes:
        owner: The key.
        id: The id of the session, or of the job's acceptance: that of the transcript.
        prints: The speakers' voices.
        until: Monotonic time until which they wait for the transcript.
    """

    owner: ClientId
    id: str
    prints: Prints
    until: float


class RecentVoices:
    """Keeps the voices of recent speakers.

    Args:
        stored: Where they are stored.
        keep_s: For how long, in seconds; 0: not at all.
    """

    def __init__(self, stored: EnrolledVoices, keep_s: float) -> None:
        self._stored = stored
        self._keep_s = keep_s
        self._sessions: WeakValueDictionary[tuple[ClientId, str], NamedLabeller] = (
            WeakValueDictionary()
        )
        self._ended: deque[_Ended] = deque(maxlen=MAX_WAITING)
        self._deleted: deque[tuple[float, ClientId, VoicePrint]] = deque(maxlen=MAX_WAITING)
        self._threads = CapacityLimiter(1)

    def follow(self, owner: ClientId, session: str, labeller: NamedLabeller) -> None:
        """Note a session that has begun."""
        if self._keep_s:
            self._sessions[owner, session] = labeller

    def end(self, owner: ClientId, session: str) -> None:
        """Store the voices of a session that has ended; no-op if it is not followed."""
        labeller = self._sessions.pop((owner, session), None)
        if labeller is not None:
            self._put(owner, session, labeller.prints())

    def end_job(self, owner: ClientId, job: str, prints: Prints) -> None:
        """Store the voices of a job that ends now; blocks, thread-safe.

        Its caller may delete it as soon as it has ended, so the transcript's id is read before.
        """
        try:
            uid = self._stored.uid_of_job(owner, job) if self._keep_s else None
        except AuricleError as error:
            _log.warning("recent_voices_wait", code=error.code)
            return
        if uid is not None:
            self._put(owner, uid, prints)

    def note_deleted(self, owner: ClientId, voice: VoicePrint) -> None:
        """Store no voices like one that is about to be deleted, for a while; thread-safe."""
        self._deleted.append((time.monotonic() + DELETED_S, owner, voice))

    def _put(self, owner: ClientId, id: str, prints: Prints) -> None:
        if self._keep_s and prints:
            until = time.monotonic() + MAX_WAIT_S
            self._ended.append(_Ended(owner, id, prints, until))

    def find(self, owner: ClientId, uid: str, speaker: int) -> VoicePrint | None:
        """Return the voice of a transcript's speaker; blocks. ``None`` if it is not stored.

        Raises:
            AuricleError: The database does not answer.
        """
        if (labeller := self._sessions.get((owner, uid))) is not None:
            return labeller.prints().get(speaker)
        return self._stored.recent(owner, uid, speaker, time.time())

    async def run(self) -> None:
        """Store and delete voices until cancelled."""
        expire_at = 0.0
        while True:
            try:
                for _ in range(len(self._ended)):
                    await self._store(self._ended[0])
                if time.monotonic() >= expire_at:
                    await to_thread.run_sync(
                        self._stored.expire, time.time(), limiter=self._threads
                    )
                    expire_at = time.monotonic() + EXPIRY_S
            except AuricleError as error:
                _log.warning("recent_voices_wait", code=error.code)
            except Exception as error:
                log_unexpected(error)
            await anyio.sleep(WRITE_S)

    async def _store(self, ended: _Ended) -> None:
        """Store the oldest voices; they wait behind others if their transcript is not kept yet.

        They are stored again if one of them was deleted meanwhile.
        """
        prints = self._without_deleted(ended)
        is_kept = await to_thread.run_sync(
            self._stored.keep_recent,
            ended.owner,
            ended.id,
            prints,
            time.time() + self._keep_s,
            limiter=self._threads,
        )
        if self._without_deleted(ended).keys() != prints.keys():
            return
        self._ended.popleft()
        if not is_kept and time.monotonic() < ended.until:
            self._ended.append(ended)

    def _without_deleted(self, ended: _Ended) -> Prints:
        now = time.monotonic()
        gone = [
            voice
            for until, owner, voice in tuple(self._deleted)
            if owner == ended.owner and until > now
        ]
        return {
            number: voice
            for number, voice in ended.prints.items()
            if not any(is_similar(voice, each) for each in gone)
        }
