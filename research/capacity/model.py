"""The queue as a formula: workers, finals at random times, batches. No I/O.

M/G/c: the chance to wait is Erlang's C, the mean wait that of M/M/c times (1 + c²) / 2 (Allen and
Cunneen), and waiting times are exponential. Two things are added for the scheduler: waiting finals
form batches of up to four, so each costs less; and partials use the time that finals leave, so a
final that arrives waits for the rest of a partial.
"""

import math
from dataclasses import dataclass

from auricle.engines.whisper.spec import SPEC
from auricle.session.recognition import PARTIAL_INTERVAL_S
from research.capacity.costs import Costs, Talk

BUSY_ENOUGH = 0.85
"""With workers busier than this finals wait, and go in larger batches."""
EARLY_UP_TO = 0.8
"""With workers busier than this, partials included, finals do not start during the pause."""
ENDPOINT_S = 0.5
"""Silence that ends an utterance."""
REST_S = 0.12
"""The rest of one stream's delay, without that silence and the queue: from packet to endpointer,
and the final, which starts during the pause (``docs/benchmarks/live.json``, one stream, 0.62 s)."""
PADDING_S = 0.6
"""Audio of a final besides its speech: the pre-roll, and silence after it."""
LATE_P95_S = 2.0
"""Captions are late when one final in twenty is later than this: the target of ``bench.live``."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a number of streams means."""

    streams: int
    busy: float
    """Share of the workers' time for finals; at 1 and above the queue grows without limit."""
    p50_s: float
    p95_s: float


def erlang_c(servers: int, offered: float) -> float:
    """Return the chance that who comes has to wait.

    Args:
        servers: How many there are.
        offered: Arrivals a second times the seconds that each takes; below ``servers``.
    """
    blocked = 1.0  # Erlang's B, by its recursion
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def predict(
    streams: int, workers: int, costs: Costs | None = None, talk: Talk | None = None
) -> Prediction:
    """Return the delay of finals for a number of streams and workers."""
    costs, talk = costs or Costs(), talk or Talk()
    arrivals = streams * talk.finals_per_s
    audio_s = talk.utterance_s + PADDING_S
    batch = next(
        (
            jobs
            for jobs in range(1, SPEC.batches.max_final_jobs)
            if arrivals * costs.job_s(jobs, audio_s) / workers <= BUSY_ENOUGH
        ),
        SPEC.batches.max_final_jobs,
    )
    each_s = costs.job_s(batch, audio_s)
    busy = arrivals * each_s / workers
    if busy >= 1:
        return Prediction(streams, busy, math.inf, math.inf)
    waits = erlang_c(workers, arrivals * each_s)
    squared = math.exp(costs.spread**2 + talk.spread**2) - 1  # of the times' variation
    mean_s = each_s / (workers * (1 - busy)) * (1 + squared) / 2  # of those who wait
    wanted = streams * costs.job_s(1, audio_s / 2) / PARTIAL_INTERVAL_S + arrivals * each_s
    filled = 1 - math.exp(-wanted / workers)  # partials become rarer as workers fill up
    partial_s = costs.batch_s([audio_s / 2] * SPEC.batches.max_optional_jobs)
    is_early = filled < EARLY_UP_TO
    takes_s = 0.0 if is_early else costs.batch_s([audio_s] * batch)
    at_least_s = ENDPOINT_S + REST_S + takes_s + filled**workers * partial_s / (workers + 1)

    def quantile(share: float) -> float:
        late = waits / (1 - share)
        return at_least_s + (mean_s * math.log(late) if late > 1 else 0.0)

    spread = 0.0 if is_early else takes_s * (math.exp(1.645 * costs.spread) - 1)
    return Prediction(streams, busy, quantile(0.5), quantile(0.95) + spread)


def knee(workers: int, costs: Costs | None = None, talk: Talk | None = None) -> int:
    """Return the most streams whose captions are not late."""
    streams = 1
    while predict(streams + 1, workers, costs, talk).p95_s <= LATE_P95_S:
        streams += 1
    return streams
