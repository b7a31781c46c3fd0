"""Usage of each client: requests, audio and live sessions, by the name of its key.

The operator chooses the names of keys, so they are valid labels, but they are confidential: these
series are in a separate registry, which ``/metrics`` includes for the operator's key, or on a
server without keys. At most ``MAX_CLIENTS`` names have series; all others count as ``_other``.
"""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from auricle.values.types import ClientId

MAX_CLIENTS = 100
OTHER = "_other"


@dataclass(frozen=True, slots=True)
class ClientUsage:
    """Usage of a client since the server started.

    Attributes:
        client: Name of its key.
        requests: Requests and WebSocket handshakes.
        audio_s: Audio charged to it, in seconds.
        sessions: Its present live sessions.
    """

    client: str
    requests: int
    audio_s: float
    sessions: int


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

    def usage(self) -> list[ClientUsage]:
        """Return the usage of each client, the one with the most audio first."""
        values = {
            (sample.name, sample.labels["client"]): sample.value
            for family in self.registry.collect()
            for sample in family.samples
        }
        usage = [
            ClientUsage(
                client,
                requests=int(values.get(("auricle_client_requests_total", client), 0)),
                audio_s=values.get(("auricle_client_audio_seconds_total", client), 0.0),
                sessions=int(values.get(("auricle_client_live_sessions", client), 0)),
            )
            for client in {client for _, client in values}
        ]
        return sorted(usage, key=lambda each: (-each.audio_s, -each.requests, each.client))

    def _label(self, client: ClientId) -> str:
        """Return the client's name, or ``_other`` once ``MAX_CLIENTS`` names have series."""
        if client not in self._names:
            if len(self._names) >= MAX_CLIENTS:
                return OTHER
            self._names.add(client)
        return client
