"""Who follows live sessions besides their speakers, such as an API for readers.

The registry and the runners of sessions call their followers as sessions begin, continue and end.
No call waits, except those that are coroutines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from auricle.config.settings import Settings
from auricle.engines.models import Models
from auricle.ledger.databases.database import Database, Transaction
from auricle.session.output import Revised, UnfinishedAudio
from auricle.values.events import SessionEvent
from auricle.values.transcriber import Transcriber
from auricle.values.types import ClientId
from auricle.values.wording import NO_WORDINGS, Wordings


@dataclass(frozen=True, slots=True)
class FollowerContext:
    """What followers of a server's sessions are made of.

    Attributes:
        settings: All settings.
        database: The server's database.
        gateway: The name by which the database distinguishes the sessions of this server; ``None``:
            they can't be distinguished from those of other servers.
        metrics: The registry of the server's metrics.
        transcriber: Transcribes audio; its owner starts and stops it.
        models: The models of the transcriber.
        check_receiver: Checks that webhooks may be sent to a URL, given the name of its setting;
            raises :class:`.BadRequest`.
        wordings: What is known of the speech of all keys.
    """

    settings: Settings
    database: Database
    gateway: str | None
    metrics: CollectorRegistry
    transcriber: Transcriber
    models: Models
    check_receiver: Callable[[str, str], None]
    wordings: Wordings = NO_WORDINGS


UnfinishedAudioOf = Callable[[Mapping[int, int]], Sequence[UnfinishedAudio] | None]
"""Returns the audio of a session that has no final yet, see :meth:`.Channels.unfinished_audio`;
``None``: it must not be stored, or the client can send it again."""


def no_unfinished_audio(written: Mapping[int, int]) -> None:
    """Return that there is nothing to store."""


class SessionFollower:
    """Follows one session; a subclass overrides the calls that it needs."""

    keeps_finals = False
    """Whether it stores finals: the open utterance of a client that has left gets one, too."""

    def publish(self, event: SessionEvent | Revised) -> None:
        """Receive an event, a final once, also without a connection."""

    def finals_until(self, sample: int) -> None:
        """Note that all speech before a position is in finals that were published."""

    def end(self, reason: str) -> None:
        """Note that the speaker has closed the session."""

    async def until_stored(self, utterance: int) -> None:
        """Wait until the final of an utterance is stored, for a limited time, if it is to be."""

    def miss_final(self) -> None:
        """Note that the last final took too long, and is not published."""

    def release(self, *, is_over: bool) -> None:
        """Note that nothing else is published.

        Args:
            is_over: Whether the session has ended; otherwise, the server stops.
        """


class SessionFollowers:
    """Follows all sessions of a server, by their ids; a subclass overrides the calls it needs."""

    async def end_of(self, client: ClientId, session_id: str) -> object:
        """Return what :meth:`open` gets of a lost session, which another one of its id continues.

        Args:
            client: The client, which has proved that the session is its own.
            session_id: The session's id.
        """
        return None

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
        """Follow a new session, or continue to follow one whose speaker was awaited.

        Args:
            session_id: The session's id.
            owner: The key that may read it; ``None``: no key may.
            source: The API that the speaker uses.
            start_sample: Position of the session's first audio.
            request_id: Id of the speaker's request.
            can_return: Whether the speaker can continue the session after a restart of the server.
            end_before: Result of :meth:`end_of`, if the session continues a lost one of its id.
            unfinished_audio: Returns the session's audio without a final.
        """
        return SessionFollower()

    def is_waiting(self, client: ClientId, session_id: str) -> bool:
        """Return whether a client's session is followed that waits for its speaker."""
        return False

    def is_logged(self, session_id: str) -> bool:
        """Return whether a session is followed that survives a restart of the server."""
        return False

    def await_speaker(self, session_id: str, until: float) -> None:
        """Wait until a monotonic time for another session of the speaker, if it can continue."""

    def complete(self, session_id: str, sample: int) -> None:
        """Note that all speech before a position is in finals."""

    def set_away(self, session_id: str, *, is_away: bool) -> None:
        """Note whether the speaker has no connection."""

    def suspend(self, session_id: str) -> None:
        """Note that the next server continues the session."""

    def suspend_waiting(self) -> None:
        """Note that the next server continues all sessions whose speakers have not returned."""

    def end(self, session_id: str, reason: str, sample: int, now: float) -> None:
        """Note that a session has ended.

        Args:
            session_id: The session's id.
            reason: ``closed``, ``speaker_left`` or ``draining``.
            sample: Position of the session's end.
            now: Monotonic seconds.
        """

    def tick(self, now: float) -> None:
        """Do what is due; called twice a second."""

    def rename_known(
        self, transaction: Transaction, owner: ClientId, name: str, new: str | None
    ) -> None:
        """Change a name in what is kept of an owner's sessions and jobs; blocks.

        Args:
            transaction: Changes what is stored; it may be repeated.
            owner: The key.
            name: A name that :attr:`.Final.speakers` gave.
            new: The name in its place; ``None``: none.
        """
