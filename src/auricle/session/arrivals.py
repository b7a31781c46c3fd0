"""Arrival times and sequence numbers of audio: for latencies and for the mark ``safe``."""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from auricle.values.types import SAMPLE_RATE_HZ

MERGE_S, MERGE_SAMPLES = 0.005, SAMPLE_RATE_HZ // 50
"""Arrivals without sequence numbers are merged if they are closer than this or hold less than 20 ms
of audio together. So a client that sends single samples uses no more memory than others."""


class Arrival(NamedTuple):
    """The arrival time of audio up to ``end_sample``; ``seq`` is the number of its packet."""

    end_sample: int
    at: float
    seq: int | None


@dataclass(frozen=True, slots=True)
class SafeMark:
    """What a client may discard: audio before ``sample``, packets up to ``seq``."""

    sample: int
    seq: int | None = None


class ArrivalLog:
    """Arrivals since the last safe mark.

    A mark lies at the end of a packet, because a client resends whole packets.

    Args:
        start_sample: Position of the first mark: the start of the session's clock, or later.
    """

    def __init__(self, start_sample: int) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._newest_start = start_sample  # of the newest arrival
        self._mark = SafeMark(start_sample)

    def __len__(self) -> int:
        return len(self._arrivals)

    def note(self, end_sample: int, at: float, seq: int | None = None) -> None:
        """Record an arrival."""
        last = self._arrivals[-1] if self._arrivals else None
        if seq is None and last is not None and last.seq is None:
            if end_sample - self._newest_start <= MERGE_SAMPLES:
                self._arrivals[-1] = Arrival(end_sample, at, None)
                return
            if at - last.at < MERGE_S:
                self._arrivals[-1] = Arrival(end_sample, last.at, None)
                return
        self._newest_start = self._mark.sample if last is None else last.end_sample
        self._arrivals.append(Arrival(end_sample, at, seq))

    def arrived_at(self, sample: int) -> float | None:
        """Return when all audio before a position had arrived, or ``None`` if some is missing."""
        return next((a.at for a in self._arrivals if a.end_sample >= sample), None)

    def settle(self, sample: int) -> SafeMark:
        """Drop arrivals before a position and return the new safe mark.

        Args:
            sample: Audio before this position is no longer needed.
        """
        at_sample, seq = self._mark.sample, self._mark.seq
        while self._arrivals and self._arrivals[0].end_sample <= sample:
            arrival = self._arrivals.popleft()
            at_sample = arrival.end_sample
            seq = seq if arrival.seq is None else arrival.seq
        if self._arrivals and self._arrivals[0].seq is None:
            at_sample = sample  # audio without packets can be cut anywhere
        self._mark = SafeMark(max(at_sample, self._mark.sample), seq)
        return self._mark
