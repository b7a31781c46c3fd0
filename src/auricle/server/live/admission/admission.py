"""Admit live sessions while captions are on time. No I/O, no clock.

A session is admitted if the machine holds another speaker, and the first four in any case. What it
holds is learned (:class:`.SpeakerCapacity`); what it is used for is measured by speech, not by
connections (:class:`.Activity`). So a silent session keeps no speaker out, and one whose client is
gone counts only until its audio is finished.

Admitted sessions stay. Only newcomers that begin to speak at the same time, before it could be
known that they would, may be refused with their first word (:meth:`LiveAdmission.may_speak`).

Keys share the machine: while several speak, one with less than its part is admitted even if
captions are late, because the queue serves keys in turn.
"""

from collections import defaultdict
from dataclasses import dataclass
from math import inf

from auricle.server.live.admission.activity import (
    SILENT,
    SPEAKER_WEIGHT,
    SPEAKING,
    Activity,
    NewSession,
)
from auricle.server.live.admission.capacity import SpeakerCapacity
from auricle.server.live.admission.line import Waiter, WaitingLine
from auricle.values.errors import ServerFull
from auricle.values.types import ClientId

RETURN_S = 10.0
"""Time after the start for which places are kept for the sessions of the server's last run."""
NEWCOMER_WEIGHT = 1.25
"""How a newcomer counts who speaks: the first utterances of people who begin together end together,
too, so the machine holds fewer of them."""
FIRST_WORDS_S = 5.0
"""A session that begins to speak later than this after its start is no newcomer any more."""
MIN_FREE_MB = 200.0
"""Available memory below which no session is admitted, in MB; a speaking session needs less than 1
MB, and a worker of Whisper base peaks 300 MB above its usual memory."""


@dataclass(frozen=True, slots=True)
class LiveLoad:
    """What is known of the load, for ``/health``, metrics and pages.

    Attributes:
        speakers: People who are being transcribed now.
        capacity: People that the machine holds.
        is_learned: Whether that was learned from finals, and is no first estimate.
        is_fixed: Whether the operator has set it.
        is_late: Whether finals are late now.
        waiting: Clients that were refused and will try again.
    """

    speakers: float
    capacity: float
    is_learned: bool
    is_fixed: bool
    is_late: bool
    waiting: int


class LiveAdmission:
    """Decides which live sessions start; see the module.

    Args:
        capacity: What the machine holds.
        returning: Sessions of the server's last run, whose clients will resume them.
    """

    def __init__(self, capacity: SpeakerCapacity, returning: int = 0) -> None:
        self.capacity = capacity
        self._returning = returning
        self._returning_until = inf
        self._line = WaitingLine()
        self._sessions: dict[str, Activity] = {}

    @property
    def returning(self) -> int:
        """Sessions of the server's last run that have not returned."""
        return max(0, self._returning)

    @property
    def speakers(self) -> float:
        """People who are being transcribed now, smoothed over some seconds."""
        return sum(session.weight for session in self._sessions.values())

    def load(self) -> LiveLoad:
        """Return what is known of the load."""
        return LiveLoad(
            self.speakers,
            self.capacity.speakers,
            self.capacity.is_learned,
            self.capacity.is_fixed,
            self.capacity.is_late,
            len(self._line),
        )

    def start(self, now: float) -> None:
        """Note that sessions can be admitted; from the first call on, the last run's come first."""
        self._returning_until = min(self._returning_until, now + RETURN_S)

    def join(
        self,
        place: str,
        client: ClientId,
        waiter: Waiter,
        now: float,
        *,
        is_known: bool = False,
        speaks: bool = False,
        free_mb: float = MIN_FREE_MB,
    ) -> None:
        """Admit a session.

        Args:
            place: Names it from here on.
            client: Whose session it is.
            waiter: Identifies the client if it tries again after a refusal.
            now: Monotonic seconds.
            is_known: Whether it resumes a session; those are always admitted.
            speaks: Whether it begins to speak at once.
            free_mb: Available memory, in MB.

        Raises:
            ServerFull: The machine holds no other speaker now.
        """
        is_short_of_memory = free_mb < MIN_FREE_MB
        new = SPEAKING if speaks else self._newcomer
        has_place = not is_short_of_memory and self._has_place(client, waiter, now, new.weight)
        if not is_known and not has_place:
            raise self._refusal(waiter, now, is_short_of_memory=is_short_of_memory)
        self._line.admitted(waiter)
        self._returning -= is_known
        self._sessions[place] = Activity(client, now, new, has_spoken=is_known or speaks)

    def leave(self, place: str, now: float) -> None:
        """Forget a session that is over; unknown ones are ignored."""
        session = self._sessions.pop(place, None)
        if session is not None and session.has_spoken:
            self._line.departed(now)

    def is_silent(self, place: str) -> bool:
        """Return whether a session has been silent for some seconds."""
        session = self._sessions.get(place)
        return session is not None and session.weight == 0

    def tick(self, now: float) -> None:
        """Forget clients that no longer wait."""
        self._line.forget_late(now)

    def observe(self, place: str, speaking: int, now: float, *, is_abandoned: bool) -> None:
        """Add a sample of a session; see :meth:`.Activity.observe`."""
        if (session := self._sessions.get(place)) is not None:
            session.observe(speaking, now, is_abandoned=is_abandoned)

    def may_speak(self, place: str, waiter: Waiter, now: float) -> None:
        """Check a session that begins to speak for the first time.

        Args:
            place: The session.
            waiter: As in :meth:`join`.
            now: Monotonic seconds.

        Raises:
            ServerFull: It is a newcomer, and the machine holds no other speaker.
        """
        session = self._sessions[place]
        is_newcomer = not session.has_spoken and now < session.joined_at + FIRST_WORDS_S
        newcomer = 1.0 if self.capacity.is_fixed else NEWCOMER_WEIGHT
        others = sum(
            newcomer * max(1.0, other.weight)
            if now < other.joined_at + FIRST_WORDS_S
            else other.weight
            for other in self._sessions.values()
            if other is not session and other.has_spoken
        )
        session.has_spoken = True
        if (
            is_newcomer
            and others >= self.capacity.speakers + 1
            and not self._has_less_than_its_part(session.client, besides=session)
        ):
            raise self._refusal(waiter, now)

    @property
    def _newcomer(self) -> NewSession:
        return SPEAKING if self.speakers > self.capacity.speakers / 2 else SILENT

    def _has_place(self, client: ClientId, waiter: Waiter, now: float, weight: float) -> bool:
        ahead = self._line.ahead_of(waiter, now) + self._still_returning(now)
        if self.speakers < self.capacity.minimum - SPEAKER_WEIGHT and not ahead:
            return True
        free = self.capacity.speakers - self.speakers - ahead
        if not self.capacity.is_late and free >= weight:
            return True
        return self._has_less_than_its_part(client)

    def _has_less_than_its_part(self, client: ClientId, besides: Activity | None = None) -> bool:
        """Return whether several keys speak, and another session of this one is within its part.

        Args:
            client: The key.
            besides: Its session that is asked about, if it is among the sessions.
        """
        weights: defaultdict[ClientId, float] = defaultdict(float)
        for session in self._sessions.values():
            if session is not besides:
                weights[session.client] += session.weight
        own = weights.pop(client, 0.0)
        others = sum(weight >= SPEAKER_WEIGHT for weight in weights.values())
        return bool(others) and own + 1 <= self.capacity.speakers / (others + 1)

    def _still_returning(self, now: float) -> int:
        """Return the number of sessions that may still return; they come first."""
        self.start(now)
        return self.returning if now < self._returning_until else 0

    def _refusal(
        self, waiter: Waiter, now: float, *, is_short_of_memory: bool = False
    ) -> ServerFull:
        retry_s = self._line.refused(waiter, now)
        speakers, capacity = round(self.speakers), round(self.capacity.speakers)
        if is_short_of_memory:
            message = "The server has too little free memory for another live session."
        elif self.capacity.is_late and speakers < capacity:
            message = "Captions are late now; further sessions are admitted when they are on time."
        else:
            are = "person is" if speakers == 1 else "people are"
            message = f"{speakers} {are} being transcribed now; this server holds about {capacity}."
        return ServerFull(message, round(retry_s), speakers=speakers, capacity=capacity)
