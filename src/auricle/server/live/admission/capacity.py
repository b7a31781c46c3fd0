"""How many speakers the machine holds, learned from whether finals are on time. No I/O, no clock.

The estimate starts optimistic. While finals of several sessions are late, it falls below the number
of speakers; while they are on time and it is used up, it rises. So it follows the machine: another
model, other programs, a faster version.

What is known of the machine falls more slowly than the estimate, which returns to it within a
minute once finals are on time. So a short overload is soon forgotten, and a lasting one is learned.
"""

from dataclasses import dataclass
from statistics import fmean

LATE_S = 2.0
"""A final is late if it is still missing at this time after the end of its utterance, in seconds.
With the silence that ends an utterance, most captions then come within 2 s, all within 3 s."""
LATE_SHARE = 0.1
"""Share of speakers whose finals may be late: an utterance that is decoded twice shows no overload,
also among ten to twenty speakers.
"""
SEVERAL = 3
"""Sessions whose finals wait in an overload. Finals of fewer are late for another reason: a slow
decode (5.9 s for speech in another language than requested), an upload, another program."""
EASY_LAG_S = 0.75
"""Mean age of the pending finals up to which the estimate rises: finals then take twice as long."""
STEP_S = 2.0
"""Interval at which the estimate changes, in seconds: a final's time on a busy machine."""
FALL, RISE = 0.95, 1.0
"""Factor of a step down, and speakers of a step up."""
MAX_FALL = 0.75
"""Factor of the largest step down: few speakers whose finals are late are weak evidence that the
machine holds no more."""
KNOWN_FALL = 0.98
"""Factor by which what is known of the machine falls in a step: by half in 70 s of late finals."""
RETURN_STEPS = 25
"""Steps in which the estimate returns to what is known once finals are on time: 50 s."""
SPEAKERS_PER_WORKER = 12.0
"""Estimate before any evidence: two workers held 24 speakers with 19 of 20 finals within 3.2 s
(``docs/benchmarks/compare.json``)."""
MIN_SPEAKERS = 4.0
"""The estimate falls no lower: captions of so few come late rather than not at all."""
MIN_FIXED_SPEAKERS = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The load at one moment.

    Attributes:
        speakers: People who are being transcribed, smoothed over some seconds.
        pending_s: Ages of the oldest pending final of each session, in seconds.
        expected_s: Expected wait of a final that is submitted now, in seconds.
        is_busy: Whether the workers are busy; a final that is late while one is idle, such as one
            that has crashed a worker, says nothing of the load.
        is_whole: Whether all workers are ready and none may hang; otherwise nothing is concluded.
        is_live: Whether most of the work is live speech of this server; otherwise the estimate does
            not fall.
    """

    speakers: float
    pending_s: tuple[float, ...] = ()
    expected_s: float = 0.0
    is_busy: bool = False
    is_whole: bool = True
    is_live: bool = True

    @property
    def overdue(self) -> int:
        """Number of sessions with a final that is late."""
        return sum(age_s > LATE_S for age_s in self.pending_s)

    @property
    def lag_s(self) -> float:
        """Mean age of the pending finals, or the expected wait if that is longer."""
        return max([self.expected_s, fmean(self.pending_s or (0.0,))])


class SpeakerCapacity:
    """The estimate.

    Args:
        speakers: The first estimate.
        is_learned: Whether it was learned before on this machine.
        is_fixed: Whether the operator has set it: it does not change, and finals are never late.

    Attributes:
        speakers: Speakers that the machine holds now.
        known: Speakers that it holds without a passing overload.
        minimum: Lowest value of both.
        is_learned: Whether evidence has confirmed or changed the first estimate.
        is_fixed: Whether the operator has set it.
        is_late: Whether finals of several sessions are late now.
    """

    def __init__(
        self, speakers: float, *, is_learned: bool = False, is_fixed: bool = False
    ) -> None:
        self.minimum = MIN_FIXED_SPEAKERS if is_fixed else MIN_SPEAKERS
        self.speakers = self.known = max(self.minimum, speakers)
        self.is_fixed = is_fixed
        self.is_learned = is_learned
        self.is_late = False
        self._stepped_at: float | None = None
        self._lag_s = 0.0

    def observe(self, sample: Sample, now: float) -> None:
        """Add a sample, at monotonic time ``now``."""
        if self.is_fixed:
            return
        speakers, lag_s = sample.speakers, sample.lag_s
        has_overdue = SEVERAL <= sample.overdue > LATE_SHARE * speakers
        has_queue = sample.expected_s > LATE_S and len(sample.pending_s) >= SEVERAL
        self.is_late = sample.is_busy and (has_overdue or has_queue)
        if self._stepped_at is not None and now < self._stepped_at + STEP_S:
            return
        is_improving = lag_s < self._lag_s  # the backlog of too many speakers before
        self._stepped_at, self._lag_s = now, lag_s
        if not sample.is_whole:
            return
        if self.is_late:
            if sample.is_live and not is_improving:
                self._fall(speakers)
        elif lag_s <= EASY_LAG_S:
            self._rise(speakers)

    def _fall(self, speakers: float) -> None:
        held = FALL * min(self.speakers, speakers)
        self.speakers = max(self.minimum, held, MAX_FALL * self.speakers)
        self.known = max(self.speakers, KNOWN_FALL * self.known)
        self.is_learned = True

    def _rise(self, speakers: float) -> None:
        if speakers > self.speakers - RISE:
            self.speakers += RISE
            self.is_learned = True
        else:
            self.speakers = min(self.known, self.speakers + self.known / RETURN_STEPS)
        self.known = max(self.known, self.speakers)
