"""Usage of each client: requests, audio and live sessions, by the name of its key.

The operator chooses the names of keys, so they are valid labels, but they are confidential: these
series are in a separate registry, which ``/metrics`` includes for the operator's key, or on a
server without keys. At most ``MAX_CLIENTS`` names have series; all others count as ``_other``.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

from auricle.types import ClientId

MAX_CLIENTS = 100
OTHER = "_other"


class ClientMetrics:
    """The metrics of each client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._names: set[str] = set()
        self._requests = Counter(
            "auricle_client_requests",
            "Requests and WebSocket handshakes with a valid key, by its name.",
            ("client",),
            registry=self.registry,
        )
        self._audio = Counter(
            "auricle_client_audio_seconds",
            "Seconds of audio charged to a key, for transcribed files and live speech.",
            ("client",),
            registry=self.registry,
        )
        self._sessions = Gauge(
            "auricle_client_live_sessions",
            "Live sessions of a key, including those that wait for their client to resume.",
            ("client",),
            registry=self.registry,
        )

    def count_request(self, client: ClientId) -> None:
        """Count a request of a client."""
        self._requests.labels(self._label(client)).inc()

    def count_audio(self, client: ClientId, audio_s: float) -> None:
        """Count seconds of audio charged to a client."""
        self._audio.labels(self._label(client)).inc(audio_s)

    def session_started(self, client: ClientId) -> None:
        """Increment the number of live sessions of a client."""
        self._sessions.labels(self._label(client)).inc()

    def session_ended(self, client: ClientId) -> None:
        """Decrement the number of live sessions of a client."""
        self._sessions.labels(self._label(client)).dec()

    def _label(self, client: ClientId) -> str:
        """Return the client's name, or ``_other`` once ``MAX_CLIENTS`` names have series."""
        if client not in self._names:
            if len(self._names) >= MAX_CLIENTS:
                return OTHER
            self._names.add(client)
        return client
