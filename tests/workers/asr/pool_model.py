"""A simple model of the whole pool, and what random events choose from."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from hypothesis import strategies as st

from auricle.types import ANONYMOUS, ClientId, JobKind, Pcm16
from auricle.workers.asr.backlog import Ticket

SIZE, MAX_BATCH_JOBS, FLOOR_S = 3, 6, 10.0
QUEUE_S, QUEUE_JOBS, KEY_SHARE = 60.0, 12, 0.6
ATTEMPTS, WINDOW_S, POISON_S = 4, 100.0, 150.0
KEYS = [ClientId("alice"), ClientId("bob"), ANONYMOUS]
LIVE = [JobKind.FINAL, JobKind.SPECULATIVE, JobKind.PARTIAL]
SHEDDABLE = (JobKind.SPECULATIVE, JobKind.PARTIAL)
DEADLY = 3
"""The voice that kills."""
VOICES = st.sampled_from([0, 0, 1, 1, 2, DEADLY])
LENGTHS_S = st.sampled_from([0.5, 2.0, 4.9, 7.0, 12.0, 25.0])
WORKERS = [f"w{n}" for n in range(1, SIZE + 1)]


@cache
def speech(seconds: float, voice: int) -> Pcm16:
    return np.full(int(16_000 * seconds), voice, np.int16)


@dataclass
class Death:
    """A worker died of one job that it held alone."""

    utterance: str
    audio: bytes
    signature: str | None


@dataclass(eq=False)
class Room:
    client: ClientId
    audio_s: float
    standing: bool


@dataclass
class Model:
    """What should be true of the pool."""

    waiting: list[Ticket] = field(default_factory=list)
    running: dict[str, list[Ticket]] = field(default_factory=dict)
    open: set[Ticket] = field(default_factory=set)
    rooms: dict[str, Room] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    died_with_others: set[Ticket] = field(default_factory=set)
    attempts: Counter[Ticket] = field(default_factory=Counter)
    suspects: set[str] = field(default_factory=set)
    """Utterances that a worker died of and that got through nowhere since."""
    banned_until: dict[ClientId, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def occupied(
        self, client: ClientId | None = None, without: Collection[Ticket] = ()
    ) -> tuple[float, int]:
        """Return the seconds and the jobs that wait or have room kept, of one or of all."""
        waiting = [t for t in self.waiting if client in (None, t.client) and t not in without]
        rooms = {n: room for n, room in self.rooms.items() if client in (None, room.client)}
        in_rooms = dict.fromkeys(rooms, 0.0)
        seconds = 0.0
        for ticket in waiting:
            if ticket.job.reservation in in_rooms:
                in_rooms[ticket.job.reservation] += ticket.audio_s
            else:
                seconds += ticket.audio_s
        seconds += sum(max(room.audio_s, in_rooms[name]) for name, room in rooms.items())
        return seconds, len(waiting) + sum(not room.standing for room in rooms.values())

    def sheddable(self, client: ClientId | None = None) -> list[Ticket]:
        """Return what may make room for others, of one or of all."""
        kinds = (JobKind.SPECULATIVE, JobKind.PARTIAL)
        return [t for t in self.waiting if t.job.kind in kinds and client in (None, t.client)]
