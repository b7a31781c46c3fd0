"""The whole application on fakes: in process for most tests, behind a real socket for some."""

import base64
import functools
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import SocketStream
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from auricle.apis.registry import all_products, find_apis
from auricle.cli.part import webhooks_of_parts
from auricle.config.optional import optional_sections
from auricle.config.section import Section
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.ledger.databases.sqlite import FILE_NAME, SqliteDatabase
from auricle.server.app import Application, create_app
from auricle.server.net.tls import Certificate
from auricle.server.net.uvicorn_overrides.server import (
    CLOSE_S,
    NO_PORT_APPS,
    Server,
    uvicorn_config,
)
from auricle.server.service import Backends, Service, open_service
from auricle.server.uploads.spool import CHECK_PREFIX
from auricle.values.errors import IdleTimeout
from auricle.values.optional_workers import NO_OPTIONAL_WORKERS, OptionalWorkers
from auricle.values.transcriber import Decoder, Transcriber
from auricle.workers.local_models import find_local_models
from tests.support.clips import CLIPS
from tests.support.decoder import FakeDecoder
from tests.support.transcriber import FakeTranscriber

CLIP = CLIPS["fellow.wav"]
installed_apis = functools.cache(find_apis)
WAV = {"content-type": "audio/wav"}


def in_base64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def speech_json(**fields: object) -> dict[str, object]:
    """Return a good JSON body: real speech as PCM16."""
    return {"audio": in_base64(CLIP.pcm.tobytes()), "audio_format": "pcm16", **fields}


def keys(*settings: str) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(key) for key in settings)


@dataclass
class FakeService:
    app: Application
    transcriber: FakeTranscriber
    decoder: FakeDecoder

    @property
    def state(self) -> Service:
        return self.app.service

    @property
    def spooled(self) -> list[Path]:
        """What lies in the spool directory."""
        return [
            path
            for path in self.state.storage.spool.path.iterdir()
            if not path.name.startswith(CHECK_PREFIX)
        ]

    def is_at_rest(self) -> bool:
        """Whether nothing of any request is left anywhere."""
        return (
            not self.spooled
            and not self.transcriber.reserved
            and not self.transcriber.in_flight
            and not self.state.uploads.file_slots.taken
            and not self.state.uploads.job_slots.taken
            and not self.state.jobs.uploading
            and not self.state.jobs.runner
            and not self.state.recognition.chunk_slots.held
            and not self.decoder.open_readings
        )


def own_state(spool_dir: Path) -> Path:
    """Create a state directory beside a spool directory, for one server; its tables exist."""
    state = Path(tempfile.mkdtemp(prefix=f"{spool_dir.name}-state-", dir=spool_dir.parent))
    (state / FILE_NAME).write_bytes(_empty_database())
    return state


@functools.cache
def _empty_database() -> bytes:
    """Return the file of a new database, whose tables take longer to create than a server."""
    with tempfile.TemporaryDirectory() as folder:
        SqliteDatabase.open(Path(folder)).close()
        return (Path(folder) / FILE_NAME).read_bytes()


@asynccontextmanager
async def application(
    settings: Settings,
    transcriber: Transcriber,
    decoder: Decoder,
    workers: OptionalWorkers = NO_OPTIONAL_WORKERS,
    *,
    is_remote: bool = False,
) -> AsyncIterator[Application]:
    """Open the parts of a server, and yield its application, which nothing serves yet."""
    apis = installed_apis()
    backends = Backends(
        transcriber=transcriber,
        decoder=decoder,
        models=find_local_models(settings).table(settings, all_products(apis)),
        optional=workers,
        is_remote=is_remote,
    )
    async with open_service(settings, backends, apis, webhooks_of_parts()) as service:
        yield create_app(service)


S = TypeVar("S", bound=Section)


@functools.cache
def _defaults(section: type[S]) -> S:
    """Return the defaults of a section; those of all sections take 7 ms to read."""
    return section()


@functools.cache
def _unlearned(live: LiveSettings | None) -> LiveSettings:
    """Fix the number of speakers: a busy machine, whose finals are late, would learn to refuse."""
    live = live or LiveSettings()
    return live.model_copy(update={"live_speakers": live.live_speakers or live.max_sessions})


@asynccontextmanager
async def opened(
    spool_dir: Path,
    live: LiveSettings | None = None,
    ledger: LedgerSettings | None = None,
    model: ModelSettings | None = None,
    worker: WorkerSettings | None = None,
    *,
    transcriber: FakeTranscriber | None = None,
    workers: OptionalWorkers = NO_OPTIONAL_WORKERS,
    is_remote: bool = False,
    learns: bool = False,
    **settings: Any,
) -> AsyncIterator[FakeService]:
    """Open the whole application on fakes; nothing serves it yet.

    ``learns`` is whether it learns how many speakers the machine holds, as servers do.
    """
    transcriber, decoder = transcriber or FakeTranscriber(), FakeDecoder()
    server = ServerSettings(spool_dir=spool_dir, **settings)
    if ledger is None:
        ledger = LedgerSettings(state_dir=own_state(spool_dir))
    whole = Settings(
        server=server,
        live=live or _defaults(LiveSettings) if learns else _unlearned(live),
        ledger=ledger,
        model=model or _defaults(ModelSettings),
        worker=worker or _defaults(WorkerSettings),
        optional={
            section: _defaults(section)
            if settings.keys().isdisjoint(section.model_fields)
            else section(**settings)
            for section in optional_sections()
        },
    )
    async with (
        application(whole, transcriber, decoder, workers, is_remote=is_remote) as app,
        anyio.create_task_group() as tasks,
    ):
        for task in app.apis.tasks:
            tasks.start_soon(task)
        yield FakeService(app, transcriber, decoder)
        tasks.cancel_scope.cancel()


@dataclass
class InProcess(FakeService):
    client: TestClient = field(kw_only=True)

    def post(self, **fields: object) -> Any:
        """Post good speech, with other fields as given."""
        return self.client.post("/utterance", json=speech_json(**fields))

    def assert_works(self) -> None:
        """Check that the next good request gets its text, and nothing of others is left."""
        assert self.is_at_rest()
        self.transcriber.refuse = None
        answer = self.post()
        assert answer.status_code == 200
        assert answer.json()["text"] == "hello"


@contextmanager
def in_process(spool_dir: Path, **settings: Any) -> Iterator[InProcess]:
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(opened(spool_dir, **settings)) as service,
    ):
        client = TestClient(service.app, base_url="http://127.0.0.1")
        client.portal = portal  # requests run in the loop of the service
        yield InProcess(service.app, service.transcriber, service.decoder, client=client)


@dataclass
class Live(FakeService):
    port: int = field(kw_only=True)

    async def connect(self) -> SocketStream:
        return await anyio.connect_tcp("127.0.0.1", self.port)

    async def until_at_rest(self) -> None:
        await poll_until(self.is_at_rest)


@asynccontextmanager
async def live(
    spool_dir: Path,
    live: LiveSettings | None = None,
    ledger: LedgerSettings | None = None,
    **settings: Any,
) -> AsyncIterator[Live]:
    """Serve on a free loopback port, in this event loop."""
    async with (
        opened(spool_dir, live, ledger, **settings) as service,
        listening(service.app) as port,
    ):
        yield Live(service.app, service.transcriber, service.decoder, port=port)


class PromptServer(Server):
    """Ends with its test: uvicorn looks for its end every 0.1 s, and then waits another 0.1 s."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ended = anyio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await anyio.lowlevel.checkpoint()  # for the connections that were idle to leave
        with anyio.move_on_after(CLOSE_S):
            await self._wait_tasks_to_complete()
        for task in self.server_state.tasks:
            task.cancel()


@asynccontextmanager
async def listening(
    app: FastAPI,
    certificate: Certificate | None = None,
    port_apps: Mapping[socket.socket, ASGIApp] = NO_PORT_APPS,
) -> AsyncIterator[int]:
    """Run an application under uvicorn as we run it, and give its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    tls = None if certificate is None else certificate.context
    config = uvicorn_config(app)
    if isinstance(app, Application):
        config.max_message_bytes = app.apis.max_message_bytes
    server = PromptServer(config, tls, port_apps=port_apps)
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])  # serve() would take over the signals
        await poll_until(lambda: server.started and server.servers)
        yield listener.getsockname()[1]
        server.ended.set()


async def expire(service: FakeService, samples: int) -> None:
    """End the live connections as their idle timers do, once so much audio of each is received."""
    runners = service.state.live._runners.values()
    await poll_until(
        lambda: runners and all(it.session.received_sample >= samples for it in runners)
    )
    for runner in runners:
        assert runner._listener is not None
        runner._listener.dismiss(IdleTimeout("No data received for 60 s."))


async def poll_until(condition: Any, limit_s: float = 120) -> None:
    with anyio.fail_after(limit_s):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event
            await anyio.sleep(0.01)


async def read_answer(stream: SocketStream) -> tuple[int, dict[str, str], bytes]:
    """Read one HTTP answer with a length; return status, headers and body."""
    received = b""
    with anyio.fail_after(60):
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", "0")):
            body += await stream.receive()
    return int(first.split()[1]), headers, body


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    """Return the head of a request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", "")).encode()
