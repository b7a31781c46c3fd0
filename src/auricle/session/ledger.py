"""When which audio arrived, and under which number: for latencies and for the mark ``safe``."""

from collections import deque
from dataclasses import dataclass

from auricle.types import SAMPLE_RATE_HZ

MERGE_S, MERGE_SAMPLES = 0.005, SAMPLE_RATE_HZ // 50
"""Arrivals without numbers that are closer than this, or hold less than 20 ms of audio together,
are written down as one: a client that sends sample by sample costs no more than others."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Audio up to ``end_sample`` was there at a time; ``seq`` numbers the packet it came in."""

    end_sample: int
    at: float
    seq: int | None


@dataclass(frozen=True, slots=True)
class SafeMark:
    """Where a client may forget: everything before ``sample``, packets up to ``seq``."""

    sample: int
    seq: int | None = None


class Ledger:
    """Arrivals since the last safe mark.

    A mark lies where a packet ends: a client sends whole packets again.

    Args:
        start_sample: Where the first mark is: where the clock starts, or later.
    """

    def __init__(self, start_sample: int) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._newest_start = start_sample  # of the newest arrival
        self._mark = SafeMark(start_sample)

    @property
    def arrivals(self) -> int:
        """How many arrivals are written down."""
        return len(self._arrivals)

    def note(self, end_sample: int, at: float, seq: int | None = None) -> None:
        """Write down an arrival."""
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
        """Return when all audio before a position was there; ``None`` if it isn't."""
        return next((a.at for a in self._arrivals if a.end_sample >= sample), None)

    def settle(self, sample: int) -> SafeMark:
        """Let go of what lies before a position, and return the mark that is safe.

        Args:
            sample: Nothing before it is needed any more.
        """
        at_sample, seq = self._mark.sample, self._mark.seq
        while self._arrivals and self._arrivals[0].end_sample <= sample:
            arrival = self._arrivals.popleft()
            at_sample = arrival.end_sample
            seq = seq if arrival.seq is None else arrival.seq
        if self._arrivals and self._arrivals[0].seq is None:
            at_sample = sample  # samples have no borders
        self._mark = SafeMark(max(at_sample, self._mark.sample), seq)
        return self._mark
