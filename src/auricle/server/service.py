"""The parts of a running server, which the routes of an application share."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from auricle.config.settings import Settings
from auricle.engines.models import Models
from auricle.server.access.access import Access
from auricle.server.api_spec import ApiSpec
from auricle.server.dialect_session import Streams
from auricle.server.http.body import read_body
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.intake import Uploads
from auricle.server.lifecycle import Lifecycle
from auricle.server.live.admission.memory import Machine
from auricle.server.live.registry import LiveSessions
from auricle.server.recognition import Recognition
from auricle.server.rendering import Renderer
from auricle.server.storage import Storage
from auricle.server.telemetry.history import History
from auricle.server.telemetry.metrics import Metrics
from auricle.values.optional_workers import NO_OPTIONAL_WORKERS, OptionalWorkers
from auricle.values.transcriber import Decoder, Transcriber


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """What decodes and transcribes audio for a server; its owner starts and stops it.

    Attributes:
        transcriber: Runs the jobs.
        decoder: Reads audio files.
        models: The transcriber's models.
        optional: The workers that the server can do without.
        machine: What its capacity of live speech depends on.
        is_remote: Whether other machines recognise, with other settings.
    """

    transcriber: Transcriber
    decoder: Decoder
    models: Models
    optional: OptionalWorkers = NO_OPTIONAL_WORKERS
    machine: Machine = Machine()
    is_remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of a server, from :func:`auricle.server.startup.open_service`.

    Attributes:
        settings: All settings.
        apis: The APIs that it serves.
        access: Authenticates clients.
        lifecycle: Requests in progress, and whether the server drains.
        recognition: Transcribes audio.
        workers: The workers that it can do without.
        storage: What it stores.
        uploads: Receives and transcribes uploads.
        jobs: Background jobs.
        live: Live sessions.
        streams: Serves live clients.
        metrics: The metrics.
        history: The state of the last 15 minutes.
        renderer: Renders large responses.
    """

    settings: Settings
    apis: Sequence[ApiSpec]
    access: Access
    lifecycle: Lifecycle
    recognition: Recognition
    workers: OptionalWorkers
    storage: Storage
    uploads: Uploads
    jobs: BackgroundJobs
    live: LiveSessions
    streams: Streams
    metrics: Metrics
    history: History
    renderer: Renderer

    def drain(self) -> None:
        """Refuse new work from now on, and ask live clients to reconnect to another server."""
        self.lifecycle.drain()
        self.live.drain()
        self.jobs.runner.drain()


async def read_json(request: Request, max_bytes: int) -> bytes:
    """Return a small JSON body; an empty one is an object without fields.

    Raises:
        TooLarge: The body is larger.
        BadRequest: The client stopped sending, or is too slow.
        ClientDisconnect: The client has disconnected.
    """
    pause_s = service_of(request).settings.server.body_timeout_s
    return bytes(await read_body(request.receive, max_bytes=max_bytes, pause_s=pause_s)) or b"{}"


def service_of(request: Request) -> Service:
    """Return the state of the application that serves a request."""
    state = request.app.state.auricle
    assert isinstance(state, Service)
    return state
