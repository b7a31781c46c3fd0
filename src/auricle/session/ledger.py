"""When which audio arrived, and under which number: for latencies and for the mark ``safe``."""

from collections import deque
from dataclasses import dataclass, replace

from auricle.audio.vad import WINDOW_SAMPLES
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

    A mark is moved back a little, to where a packet ends (a client sends whole packets again) and,
    if one is near, to where the voice detector's windows start too: a new session that begins there
    sees the very same windows, so it finds the same utterances.

    Args:
        start_sample: Where the clock starts.
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
                self._arrivals[-1] = replace(last, end_sample=end_sample)
                return
        self._newest_start = self._mark.sample if last is None else last.end_sample
        self._arrivals.append(Arrival(end_sample, at, seq))

    def arrived_at(self, sample: int) -> float | None:
        """Return when all audio before a position was there; ``None`` if it isn't."""
        return next((a.at for a in self._arrivals if a.end_sample >= sample), None)

    def settle(self, sample: int, *, not_before: int, first_window: int) -> SafeMark:
        """Let go of what lies before a position, and return the mark that is safe.

        Args:
            sample: Nothing before it is needed any more.
            not_before: Speech before this position is in a final that is out.
            first_window: Where the voice detector's windows are counted from.
        """
        best: Arrival | None = None
        aligned: Arrival | None = None
        for arrival in self._arrivals:
            if arrival.end_sample > sample:
                break
            if arrival.seq is not None:
                best = arrival
                if (arrival.end_sample - first_window) % WINDOW_SAMPLES == 0:
                    aligned = arrival
        if aligned is not None and aligned.end_sample >= not_before:
            best = aligned
        if best is not None:
            self._mark = SafeMark(best.end_sample, best.seq)
        elif not any(arrival.seq is not None for arrival in self._arrivals):
            self._mark = self._without_packets(sample, not_before, first_window)
        while self._arrivals and self._arrivals[0].end_sample <= self._mark.sample:
            self._arrivals.popleft()
        return self._mark

    def _without_packets(self, sample: int, not_before: int, first_window: int) -> SafeMark:
        aligned = sample - (sample - first_window) % WINDOW_SAMPLES
        at = aligned if aligned >= max(not_before, self._mark.sample) else sample
        return SafeMark(max(at, self._mark.sample), self._mark.seq)
