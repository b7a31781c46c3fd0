"""Which replica gets the next job: what an ingress knows of each, and its order. No I/O, no clock.

Replicas tell of themselves now and then; between two reports the ingress counts what it has sent
there itself. A replica whose reports stopped hangs or is gone, whatever Ray still believes of it.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from auricle.errors import NoWorkerReady
from auricle.transcriber import JOB_OVERHEAD_S, Stats

STALE_S = 2.0
"""Without a report for so long a replica comes last."""
REPORT_EVERY_S = 0.25
"""Between two reports an ingress knows nothing of what others send; each costs some 3 ms in all."""
ELSEWHERE_LOAD_S = 2.0
"""So much less must a worker have to do on another machine: not as much as one job is."""
RETRY_AFTER_S = 2


@dataclass(slots=True)
class _Replica:
    stats: Stats | None = None
    reported_at: float = 0.0
    sent_load_s: float = 0.0
    """Of the jobs that this ingress has there now."""
    sent_load_at_report_s: float = 0.0

    def load_s(self, stats: Stats) -> float:
        """Return what each of its workers has to do, about.

        In seconds of load, whatever one takes there: a speed that was measured of odd jobs would
        send everything to one replica until it has done other ones.
        """
        jobs = stats.waiting_jobs + stats.running_jobs
        there_s = stats.waiting_audio_s + stats.running_audio_s + jobs * JOB_OVERHEAD_S
        since_s = max(0.0, self.sent_load_s - self.sent_load_at_report_s)
        up = sum(worker.state in ("ready", "busy") for worker in stats.workers)
        return (there_s + since_s) / max(1, up)


@dataclass(slots=True)
class ReplicaTable:
    """The replicas as one ingress sees them; ``present`` is set from the thread of Serve's router.

    Attributes:
        here: The name of the machine that the ingress is on.
        present: The names of the replicas that Ray knows, and the machine of each; put here anew,
            never changed.
    """

    here: str = ""
    present: Mapping[str, str] = field(default_factory=dict)
    _replicas: dict[str, _Replica] = field(default_factory=dict)

    @property
    def has_heard(self) -> bool:
        """Whether any replica has told of itself yet."""
        return any(known.stats is not None for known in self._replicas.values())

    def report(self, name: str, stats: Stats, now: float) -> None:
        """Take in what a replica told of itself."""
        known = self._known(name)
        known.stats, known.reported_at = stats, now
        known.sent_load_at_report_s = known.sent_load_s

    def sent(self, name: str, audio_s: float) -> None:
        """A job was sent there."""
        self._known(name).sent_load_s += audio_s + JOB_OVERHEAD_S

    def ended(self, name: str, audio_s: float) -> None:
        """A job that was sent there has ended, in whatever way."""
        if (known := self._replicas.get(name)) is not None:
            known.sent_load_s -= audio_s + JOB_OVERHEAD_S

    def order(self, now: float) -> Sequence[str]:
        """Return the replicas for a job, the best first: the least to do among those that work.

        Equals are in any order, so that they take turns.

        Raises:
            NoWorkerReady: There is none that is worth a try.
        """
        ranked: list[tuple[int, float, str]] = []
        for name, machine in random.sample(list(self.present.items()), len(self.present)):
            known = self._replicas.get(name)
            if known is None or known.stats is None:  # as new as that, or it never answered
                continue
            is_late = now - known.reported_at > STALE_S
            if not known.stats.ready and not is_late:
                continue
            load_s = known.load_s(known.stats)
            load_s += 0.0 if machine == self.here else ELSEWHERE_LOAD_S
            ranked.append((is_late, load_s, name))
        if not ranked:
            raise NoWorkerReady("the recognisers are starting; try again", RETRY_AFTER_S)
        return [name for _, _, name in sorted(ranked, key=lambda entry: entry[:2])]

    def stats(self, now: float) -> dict[str, Stats]:
        """Return what each replica told last; one whose reports stopped is not ready."""
        told: dict[str, Stats] = {}
        for name in self.present:
            known = self._replicas.get(name)
            if known is None or known.stats is None:
                told[name] = Stats()
            elif now - known.reported_at > STALE_S:
                told[name] = replace(known.stats, ready=False)
            else:
                told[name] = known.stats
        return told

    def _known(self, name: str) -> _Replica:
        if name not in self._replicas:
            for gone in self._replicas.keys() - self.present.keys():
                del self._replicas[gone]
            self._replicas[name] = _Replica()
        return self._replicas[name]


REPLICA_TABLE = ReplicaTable()
"""The board of this process. Serve makes an ingress and its router apart from each other and gives
them nothing in common but the process."""
