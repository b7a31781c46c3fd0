"""A simple model of the whole pool, and what random events choose from."""

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from hypothesis import strategies as st

from auricle.values.types import ANONYMOUS, ClientId, Job, JobKind, Pcm16
from auricle.workers.kinds.asr.backlog import Ticket

SIZE, MAX_BATCH_JOBS, FLOOR_S = 3, 6, 10.0
QUEUE_S, QUEUE_JOBS, KEY_SHARE = 60.0, 12, 0.6
ATTEMPTS, WINDOW_S, POISON_S = 4, 100.0, 150.0
KEYS = [ClientId("alice"), ClientId("bob"), ANONYMOUS]
LIVE = [JobKind.FINAL, JobKind.SPECULATIVE, JobKind.PARTIAL]
SHEDDABLE = (JobKind.SPECULATIVE, JobKind.PARTIAL)
DEADLY = 3
"""The voice that kills."""
VOICES = st.sampled_from([0, 0, 1, 1, 2, DEADLY])
LENGTHS_S = st.sampled_from([0.5, 2.0, 5.0, 7.0, 12.0, 25.0])
WORKERS = [f"w{n}" for n in range(1, SIZE + 1)]


@cache
def speech(seconds: float, voice: int) -> Pcm16:
    return np.full(int(16_000 * seconds), voice, np.int16)


def length_class(ticket: Ticket) -> int:
    """Return the number of the five seconds in which a job ends; their end is in them."""
    return math.ceil(ticket.audio_s / 5)


@dataclass
class Death:
    """A worker died of one job that it held alone."""

    utterance: str
    audio: bytes
    signature: str | None


Held = tuple[ClientId, float]
"""A job and whose it is, by its length in seconds."""


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

    def held(
        self, added: Collection[Held] = (), without: Collection[Ticket] = ()
    ) -> dict[ClientId, list[float]]:
        """Return the seconds of each job that waits or has room reserved, by client."""
        held: dict[ClientId, list[float]] = {}
        waiting = [(t.client, t.audio_s) for t in self.waiting if t not in without]
        rooms = [(room.client, room.audio_s) for room in self.rooms.values() if not room.standing]
        for client, seconds in [*waiting, *rooms, *added]:
            held.setdefault(client, []).append(seconds)
        return held

    def holders(self, without: Collection[Ticket] = ()) -> set[ClientId]:
        """Return whose work waits, runs or has room reserved."""
        running = {ticket.client for held in self.running.values() for ticket in held}
        return running | set(self.held(without=without))

    def is_within_share(
        self, client: ClientId, held: dict[ClientId, list[float]], holders: set[ClientId]
    ) -> bool:
        """Whether a key beside others has its share, one alone the whole queue, or just one job."""
        own = held[client]
        share = 1.0 if client == ANONYMOUS or holders <= {client} else KEY_SHARE
        return len(own) == 1 or (sum(own) <= share * QUEUE_S and len(own) <= share * QUEUE_JOBS)

    def is_within_queue(self, client: ClientId, held: dict[ClientId, list[float]]) -> bool:
        """Whether all fits together, where others count for at most a share, or is just one job."""
        own, others = held[client], [each for key, each in held.items() if key != client]
        seconds = sum(own) + sum(min(sum(each), KEY_SHARE * QUEUE_S) for each in others)
        jobs = len(own) + sum(min(len(each), KEY_SHARE * QUEUE_JOBS) for each in others)
        is_only_one = len(own) == 1 and not others
        return is_only_one or (seconds <= QUEUE_S and jobs <= QUEUE_JOBS)

    def sheddable(self, client: ClientId | None = None) -> list[Ticket]:
        """Return what may make room for others, of one or of all."""
        kinds = (JobKind.SPECULATIVE, JobKind.PARTIAL)
        return [t for t in self.waiting if t.job.kind in kinds and client in (None, t.client)]

    def waiting_early(self, job: Job) -> Ticket | None:
        """Return the waiting speculative job that this one replaces if it is a final."""
        if job.kind is not JobKind.FINAL:
            return None
        early = [t for t in self.waiting if t.job.kind is JobKind.SPECULATIVE]
        of_one = [t for t in early if (t.client, t.job.utterance) == (job.client, job.utterance)]
        return of_one[0] if of_one else None
