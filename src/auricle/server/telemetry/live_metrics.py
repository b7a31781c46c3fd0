"""What live sessions are counted by."""

from collections import deque
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from auricle.events import Closed, Final
from auricle.server.telemetry.client_metrics import ClientMetrics

_FINAL_BUCKETS_S = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 30, 60)
_MAX_RECENT = 1000
NODE_BUCKETS_S = (
    *(0.00025, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.01),
    *(0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1),
)
"""A p99 around 5 ms can be read from them to the millisecond."""


class LiveMetrics:
    """The figures of all live sessions together."""

    def __init__(self, registry: CollectorRegistry, clients: ClientMetrics | None = None) -> None:
        self.clients = clients or ClientMetrics()
        sessions = Gauge(
            "auricle_live_sessions",
            "Live sessions with a connection, and those that wait for one to come back.",
            ("state",),
            registry=registry,
        )
        self.connected = sessions.labels("connected")
        self.waiting = sessions.labels("waiting")
        self._starts = Counter(
            "auricle_live_starts",
            "Connections by how they began: a new session, a resumed one, or one that is unknown.",
            ("how",),
            registry=registry,
        )
        self._ends = Counter(
            "auricle_live_ends",
            "Connections by how they ended: an error's code, `done`, or `client_left`.",
            ("how",),
            registry=registry,
        )
        self._guests = Counter(
            "auricle_live_dialect_sessions",
            "Sessions of clients that speak another dialect than the native protocol.",
            ("dialect",),
            registry=registry,
        )
        finals = Counter(
            "auricle_live_finals",
            "Finals by outcome.",
            ("outcome",),
            registry=registry,
        )
        self._finals = {name: finals.labels(name) for name in ("text", "empty", "failed")}
        self._final_delay = Histogram(
            "auricle_live_final_delay_seconds",
            "From the arrival of an utterance's last sample of speech to its final.",
            buckets=_FINAL_BUCKETS_S,
            registry=registry,
        )
        self._recent_delays_s: deque[float] = deque(maxlen=_MAX_RECENT)
        node_delay = Histogram(
            "auricle_live_node_delay_seconds",
            "From a packet's arrival until its samples went through the voice detector; how long a "
            "packet may wait to be looked at is auricle_event_loop_delay_seconds.",
            buckets=NODE_BUCKETS_S,
            registry=registry,
        )
        self.observe_node_delay = node_delay.observe
        packets = Counter(
            "auricle_live_packets",
            "Packets of sessions that are over, by what became of them.",
            ("outcome",),
            registry=registry,
        )
        self._packets = {name: packets.labels(name) for name in ("received", "lost", "undecodable")}
        self.dropped_partials = Counter(
            "auricle_live_dropped_partials",
            "Guesses that a client read too slowly to get.",
            registry=registry,
        )
        self.load = Gauge(
            "auricle_live_load",
            "How busy the recognisers are: 1 leaves no room for guesses.",
            registry=registry,
        )

    def count_start(self, how: str) -> None:
        """Count a connection's beginning: ``new``, ``resumed`` or ``unknown``."""
        self._starts.labels(how).inc()

    def count_dialect_session(self, dialect: str) -> None:
        """Count a new session of another dialect."""
        self._guests.labels(dialect).inc()

    def count_end(self, how: str) -> None:
        """Count a connection's end; ``how`` is an error's code or one of a few words."""
        self._ends.labels(how).inc()

    def count_final(self, final: Final) -> None:
        """Count a final, once, however often it is told."""
        outcome = "failed" if final.error is not None else "text" if final.text else "empty"
        self._finals[outcome].inc()
        self._final_delay.observe(final.latency_ms / 1000)
        self._recent_delays_s.append(final.latency_ms / 1000)

    def take_final_delays(self) -> Sequence[float]:
        """Return the delays, in seconds, of the finals since the last call; one reader only."""
        taken = tuple(self._recent_delays_s)
        self._recent_delays_s.clear()
        return taken

    def count_closed(self, closed: Closed) -> None:
        """Count the packets of a session that is over."""
        self._packets["received"].inc(closed.packets)
        self._packets["lost"].inc(closed.lost_packets)
        self._packets["undecodable"].inc(closed.decode_errors)
