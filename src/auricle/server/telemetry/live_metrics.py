"""Metrics of live sessions."""

from collections import deque
from collections.abc import Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from auricle.server.telemetry.client_metrics import ClientMetrics
from auricle.values.errors import TooLate
from auricle.values.events import Closed, Final

_FINAL_BUCKETS_S = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 30, 60)
_MAX_RECENT = 1000
_OUTCOMES = ("text", "empty", "failed", TooLate.code)
NODE_BUCKETS_S = (
    *(0.00025, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.01),
    *(0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1),
)
"""Fine enough to read a p99 around 5 ms to the millisecond."""


class LiveMetrics:
    """The metrics of all live sessions."""

    def __init__(self, registry: CollectorRegistry, clients: ClientMetrics | None = None) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.clients = clients or ClientMetrics()
        sessions = gauge(
            "auricle_live_sessions",
            "Live sessions that have a connection, or wait for their client to resume.",
            ("state",),
        )
        self.connected = sessions.labels("connected")
        self.waiting = sessions.labels("waiting")
        self._starts = counter(
            "auricle_live_starts",
            "Connections by how they began: a new, a resumed or an unknown session.",
            ("how",),
        )
        self._ends = counter(
            "auricle_live_ends",
            "Connections by how they ended: an error's code, `done`, or `client_left`.",
            ("how",),
        )
        self._dialect_sessions = counter(
            "auricle_live_dialect_sessions",
            "Live sessions of clients that use another protocol than the native one, by dialect.",
            ("dialect",),
        )
        finals = counter("auricle_live_finals", "Finals by outcome.", ("outcome",))
        self._finals = {name: finals.labels(name) for name in _OUTCOMES}
        self._final_delay = histogram(
            "auricle_live_final_delay_seconds",
            "Time from the arrival of an utterance's last speech sample to its final.",
            buckets=_FINAL_BUCKETS_S,
        )
        self._recent_delays_s: deque[float] = deque(maxlen=_MAX_RECENT)
        node_delay = histogram(
            "auricle_live_node_delay_seconds",
            "Time from a packet's arrival until the voice detector has processed its samples; the "
            "wait before that is auricle_event_loop_delay_seconds.",
            buckets=NODE_BUCKETS_S,
        )
        self.observe_node_delay = node_delay.observe
        packets = counter(
            "auricle_live_packets", "Packets of ended sessions, by outcome.", ("outcome",)
        )
        self._packets = {name: packets.labels(name) for name in ("received", "lost", "undecodable")}
        self.dropped_partials = counter(
            "auricle_live_dropped_partials",
            "Partials that were dropped because the client read too slowly.",
        )
        self.load = gauge(
            "auricle_live_load", "Load of the recognisers; at 1 there is no capacity for partials."
        )

        self.speakers = gauge(
            "auricle_live_speakers",
            "People who are transcribed live now, smoothed over some seconds.",
        )
        self.capacity = gauge(
            "auricle_live_capacity",
            "People who can be transcribed live at once, as learned from the delays of finals.",
        )
        self.late = gauge(
            "auricle_live_late", "Whether finals are late, so that no session is admitted: 0 or 1."
        )
        self.waiting_clients = gauge(
            "auricle_live_waiting_clients", "Clients that were refused and will try again."
        )

    def count_start(self, how: str) -> None:
        """Count a connection's start: ``new``, ``resumed`` or ``unknown``."""
        self._starts.labels(how).inc()

    def count_dialect_session(self, dialect: str) -> None:
        """Count a new session of another dialect."""
        self._dialect_sessions.labels(dialect).inc()

    def count_end(self, how: str) -> None:
        """Count a connection's end: an error code, ``done`` or ``client_left``."""
        self._ends.labels(how).inc()

    def count_final(self, final: Final) -> None:
        """Count a final; call it once, even if the final is replayed."""
        outcome = "text" if final.text else "empty"
        if final.error is not None:
            outcome = final.error if final.error in _OUTCOMES else "failed"
        self._finals[outcome].inc()
        self._final_delay.observe(final.latency_ms / 1000)
        self._recent_delays_s.append(final.latency_ms / 1000)

    def take_final_delays(self) -> Sequence[float]:
        """Return the delays of finals since the last call, in seconds; only for one caller."""
        delays = tuple(self._recent_delays_s)
        self._recent_delays_s.clear()
        return delays

    def count_closed(self, closed: Closed) -> None:
        """Count the packets of an ended session."""
        self._packets["received"].inc(closed.packets)
        self._packets["lost"].inc(closed.lost_packets)
        self._packets["undecodable"].inc(closed.decode_errors)
