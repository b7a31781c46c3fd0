"""Load balancing in an ingress: which replica gets the next job. No I/O, no clock.

Replicas report periodically; between two reports the ingress adds the jobs that it has sent itself.
A replica that stops reporting hangs or is gone, even if Ray still lists it.
"""

import math
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from auricle.engines.base import CostModel
from auricle.values.errors import NoWorkerReady
from auricle.values.transcriber import Stats

STALE_S = 2.0
"""Time without a report after which a replica is ranked last."""
REPORT_EVERY_S = 0.25
"""Interval between reports, in which an ingress does not see the jobs of other ingresses. A report
costs about 3 ms in total."""
ELSEWHERE_LOAD_S = 2.0
"""Load added to replicas on other machines, to prefer local ones; less than the load of one job."""
RETRY_AFTER_S = 2


@dataclass(slots=True)
class _Replica:
    stats: Stats | None = None
    reported_at: float = -math.inf
    sent_load_s: float = 0.0
    """Load of the jobs that this ingress has in flight there."""
    sent_load_at_report_s: float = 0.0

    def load_s(self, stats: Stats, costs: CostModel) -> float:
        """Return the approximate load for one worker, in seconds.

        The measured speed is not used: a speed measured on unusual jobs would send all jobs to one
        replica until it has done others.
        """
        queue = stats.queue
        jobs = queue.waiting_jobs + queue.running_jobs
        there_s = queue.waiting_audio_s + queue.running_audio_s + jobs * costs.job_overhead_s
        since_s = max(0.0, self.sent_load_s - self.sent_load_at_report_s)
        up = stats.ready_workers
        return (there_s + since_s) / max(1, up)


@dataclass(slots=True)
class ReplicaTable:
    """The replicas as one ingress sees them; ``present`` is set from the thread of Serve's router.

    Attributes:
        here: Name of the machine of the ingress.
        present: Machine of each replica that Ray lists, by replica name; replaced as a whole, never
            modified.
        costs: How long the engine's jobs take.
    """

    here: str = ""
    present: Mapping[str, str] = field(default_factory=dict)
    costs: CostModel = CostModel()
    _replicas: dict[str, _Replica] = field(default_factory=dict)

    @property
    def has_reports(self) -> bool:
        """Whether any replica has reported."""
        return any(replica.stats is not None for replica in self._replicas.values())

    def report(self, name: str, stats: Stats, now: float) -> None:
        """Record the report of a replica."""
        replica = self._replica(name)
        replica.stats, replica.reported_at = stats, now
        replica.sent_load_at_report_s = replica.sent_load_s

    def is_late(self, name: str, now: float) -> bool:
        """Return whether a replica has not reported recently."""
        return now - self._replica(name).reported_at > STALE_S

    def has_other(self, names: Collection[str], now: float) -> bool:
        """Return whether a replica that is not one of these is ready, by a recent report."""
        return any(
            replica.stats is not None and replica.stats.ready and not self.is_late(name, now)
            for name, replica in self._replicas.items()
            if name in self.present and name not in names
        )

    def missed(self, name: str) -> None:
        """Record that a replica did not answer; it is ranked last until its next report."""
        self._replica(name).reported_at = -math.inf

    def sent(self, name: str, audio_s: float) -> None:
        """Record a job that was sent to a replica."""
        self._replica(name).sent_load_s += self.costs.load_s(audio_s)

    def ended(self, name: str, audio_s: float) -> None:
        """Record the end of a job that was sent to a replica, successful or not."""
        if (replica := self._replicas.get(name)) is not None:
            replica.sent_load_s -= self.costs.load_s(audio_s)

    def order(self, now: float) -> Sequence[str]:
        """Return the replicas for a job, best first: those with the least load.

        Replicas without recent reports are last; equal ones are in random order.

        Raises:
            NoWorkerReady: No replica is ready.
        """
        ranked: list[tuple[int, float, str]] = []
        for name, machine in random.sample(list(self.present.items()), len(self.present)):
            replica = self._replicas.get(name)
            if replica is None or replica.stats is None:  # new, or it has never answered
                continue
            is_late = self.is_late(name, now)
            if not replica.stats.ready and not is_late:
                continue
            load_s = replica.load_s(replica.stats, self.costs)
            load_s += 0.0 if machine == self.here else ELSEWHERE_LOAD_S
            ranked.append((is_late, load_s, name))
        if not ranked:
            raise NoWorkerReady("The recognisers are starting; try again.", RETRY_AFTER_S)
        return [name for _, _, name in sorted(ranked, key=lambda entry: entry[:2])]

    def stats(self, now: float) -> dict[str, Stats]:
        """Return the latest report of each replica; one that stopped reporting is not ready."""
        reports: dict[str, Stats] = {}
        for name in self.present:
            replica = self._replicas.get(name)
            if replica is None or replica.stats is None:
                reports[name] = Stats()
            elif self.is_late(name, now):
                reports[name] = replace(replica.stats, ready=False)
            else:
                reports[name] = replica.stats
        return reports

    def _replica(self, name: str) -> _Replica:
        if name not in self._replicas:
            for gone in self._replicas.keys() - self.present.keys():
                del self._replicas[gone]
            self._replicas[name] = _Replica()
        return self._replicas[name]


REPLICA_TABLE = ReplicaTable()
"""The table of this process. Serve creates an ingress and its router separately, so they can share
state only through the process."""
