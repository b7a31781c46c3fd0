"""The server's state over the last 15 minutes, for the status page; needs no Prometheus.

A snapshot is taken every second, and the snapshots of 5 s are merged into a sample. A sample holds
their worst values (fewest workers ready, longest queue), so it shows even a worker that was down
for two seconds. Times are stored on the monotonic clock and reported as wall-clock time, so setting
the clock does not distort them. :class:`History` does no I/O, reads no clock, has bounded size and
ends with the server.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auricle.server.ops.health import exit_body
from auricle.server.telemetry.host import HostUsage
from auricle.server.telemetry.metrics import CLIENT_REFUSALS, REFUSALS, SERVER_REFUSALS
from auricle.server.telemetry.sampling import SAMPLE_INTERVAL_S
from auricle.values.transcriber import Stats, WorkerExit, WorkerState

SAMPLE_EVERY_S = 5.0
SPAN_S = 900.0
MAX_EXITS = 50


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The server's state at one moment.

    Attributes:
        asr: Statistics of the recognition workers.
        decode: Statistics of the decode workers.
        connected: Live sessions with a connection.
        waiting: Live sessions that wait for their client to resume.
        errors: Number of responses with each error code since the start.
        final_delays_s: Delays of the finals since the previous snapshot, in seconds.
        host: Latest use of the host.
    """

    asr: Stats
    decode: Stats
    connected: int
    waiting: int
    errors: Mapping[str, int]
    final_delays_s: Sequence[float]
    host: HostUsage


@dataclass(frozen=True, slots=True)
class Exit:
    """An unexpected exit of a worker."""

    worker: str
    how: WorkerExit
    at: float


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    workers: int
    ready: int
    queue_audio_s: float
    connected: int
    waiting: int
    finals: int
    final_p50_s: float | None
    final_p95_s: float | None
    done: int
    retried: int
    crashes: int
    cpu_percent: float
    memory_used_bytes: int
    refusals: Mapping[str, int]


class History:
    """Samples and worker exits of the last 15 minutes."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._samples: deque[_Sample] = deque(maxlen=int(SPAN_S / SAMPLE_EVERY_S))
        self._exits: deque[Exit] = deque(maxlen=MAX_EXITS)
        self._last_exits: dict[str, tuple[int, WorkerExit | None]] = {}
        self._snapshots: list[Snapshot] = []
        self._began_at = 0.0
        self._crashes = 0

    def observe(self, snapshot: Snapshot, now: float, at: float) -> None:
        """Add a snapshot.

        Args:
            snapshot: The server's current state.
            now: Monotonic seconds.
            at: Wall-clock time, in seconds since 1970.
        """
        self._crashes += self._record_exits(snapshot, now, at)
        self._snapshots.append(snapshot)
        if self._started_at is None:
            self._started_at = self._began_at = now
        elif now - self._began_at >= SAMPLE_EVERY_S:
            snapshots, crashes = self._snapshots, self._crashes
            self._snapshots, self._began_at, self._crashes = [snapshot], now, 0
            self._samples.append(_sample(snapshots, crashes, now))

    def body(self, now: float, at: float, *, with_stacks: bool) -> dict[str, object]:
        """Return the body of ``/health/history``: a list for each value, oldest first.

        Args:
            now: Monotonic seconds.
            at: Wall-clock time, in seconds since 1970; clients compare times with it.
            with_stacks: Whether to include crash stacks, which only the operator may see.
        """
        samples = self._samples

        def wall_clock(moment: float) -> float:
            return round(at - (now - moment), 3)

        def refusals(codes: Sequence[str]) -> dict[str, list[int]]:
            counts = {code: [sample.refusals[code] for sample in samples] for code in codes}
            return {code: numbers for code, numbers in counts.items() if any(numbers)}

        return {
            "now": round(at, 3),
            "started_at": None if self._started_at is None else wall_clock(self._started_at),
            "every_s": SAMPLE_EVERY_S,
            "span_s": SPAN_S,
            "with_stacks": with_stacks,
            "samples": {
                "at": [wall_clock(sample.at) for sample in samples],
                "workers": [sample.workers for sample in samples],
                "ready": [sample.ready for sample in samples],
                "crashes": [sample.crashes for sample in samples],
                "queue_audio_s": [round(sample.queue_audio_s, 1) for sample in samples],
                "connected": [sample.connected for sample in samples],
                "waiting": [sample.waiting for sample in samples],
                "finals": [sample.finals for sample in samples],
                "final_p50_ms": [_ms(sample.final_p50_s) for sample in samples],
                "final_p95_ms": [_ms(sample.final_p95_s) for sample in samples],
                "done": [sample.done for sample in samples],
                "retried": [sample.retried for sample in samples],
                "cpu_percent": [round(sample.cpu_percent) for sample in samples],
                "memory_used_mb": [round(sample.memory_used_bytes / 1e6) for sample in samples],
                "refusals": refusals(SERVER_REFUSALS),
                "client_refusals": refusals(CLIENT_REFUSALS),
            },
            "exits": [
                {
                    "worker": exit.worker,
                    **exit_body(exit.how, with_stacks),
                    "at": wall_clock(exit.at),
                }
                for exit in self._exits
            ],
        }

    def _record_exits(self, snapshot: Snapshot, now: float, at: float) -> int:
        """Return the number of new crashes, and keep the last exit of each worker.

        A worker that is replaced on purpose leaves the pool when it exits, and isn't counted.
        """
        previous, self._last_exits = self._last_exits, {}
        count = 0
        for worker in (*snapshot.asr.workers, *snapshot.decode.workers):
            last = worker.last_exit  # None: it waits for its first start
            deaths = worker.restarts + (
                worker.state is WorkerState.BACKING_OFF and last is not None
            )
            deaths_before, last_before = previous.get(worker.id, (0, None))
            self._last_exits[worker.id] = deaths, last
            count += max(0, deaths - deaths_before)
            if last is not None and last != last_before:
                # More than one interval ago means that the wall clock was set in between.
                ago_s = min(max(0.0, at - last.at), SAMPLE_INTERVAL_S)
                self._exits.append(Exit(worker.id, last, now - ago_s))
        return count


def _sample(snapshots: Sequence[Snapshot], crashes: int, now: float) -> _Sample:
    """Merge snapshots into a sample; the first one is the previous sample's last."""
    first, last = snapshots[0], snapshots[-1]
    delays_s = sorted(delay_s for snapshot in snapshots[1:] for delay_s in snapshot.final_delays_s)
    refusals = {code: last.errors.get(code, 0) - first.errors.get(code, 0) for code in REFUSALS}
    return _Sample(
        at=now,
        workers=len(last.asr.workers),
        ready=min(snapshot.asr.ready_workers for snapshot in snapshots),
        queue_audio_s=max(snapshot.asr.queue.waiting_audio_s for snapshot in snapshots),
        connected=max(snapshot.connected for snapshot in snapshots),
        waiting=max(snapshot.waiting for snapshot in snapshots),
        finals=len(delays_s),
        final_p50_s=_quantile(delays_s, 0.5),
        final_p95_s=_quantile(delays_s, 0.95),
        done=last.asr.jobs.done - first.asr.jobs.done,
        retried=last.asr.jobs.retried - first.asr.jobs.retried,
        crashes=crashes,
        cpu_percent=max(snapshot.host.cpu_percent for snapshot in snapshots[1:]),
        memory_used_bytes=max(snapshot.host.memory_used_bytes for snapshot in snapshots[1:]),
        refusals=refusals,
    )


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile of sorted values; ``None`` if there are none."""
    return values[math.ceil(share * len(values)) - 1] if values else None


def _ms(value_s: float | None) -> int | None:
    return None if value_s is None else round(value_s * 1000)
