"""The composition root: builds the parts of a server in order, as one frozen value."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import anyio
import numpy as np
from anyio import to_thread
from anyio.abc import TaskGroup

from auricle.audio.opus import LibOpus, find_libopus
from auricle.audio.vad import has_speech
from auricle.config.settings import Settings
from auricle.engines.models import Models
from auricle.files.fair_semaphore import FairSemaphore
from auricle.files.transcribe import max_chunks_in_flight
from auricle.ledger.jobs.runner import JobRunner
from auricle.server.access.access import Access
from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.key_file import follow_keys
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.keyring import Keyring
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import KeyLimits, RateLimiter
from auricle.server.access.removed_keys import forget_removed
from auricle.server.api_spec import ApiSpec, reserved_clients
from auricle.server.dialect_session import Streams
from auricle.server.job_answers import JobAnswers
from auricle.server.job_followers import JobFollowers
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.jobs.background_jobs.work import JobWork, work_on
from auricle.server.jobs.intake import Uploads
from auricle.server.jobs.run import Accounting
from auricle.server.jobs.upkeep import delete_expired, keep_up
from auricle.server.lifecycle import Lifecycle
from auricle.server.live.admission.memory import CapacityMemory, Machine
from auricle.server.live.connection_end import CLOSE_HANDSHAKE_S
from auricle.server.live.followers import FollowerContext, SessionFollowers
from auricle.server.live.registry import LiveSessions
from auricle.server.opening import (
    MAX_JOB_UPLOADS,
    gateway_of,
    open_keyring,
    open_session_secrets,
    open_storage,
    open_voices,
)
from auricle.server.recognition import Recognition
from auricle.server.rendering import Renderer
from auricle.server.storage import Storage
from auricle.server.telemetry.host import HostReader
from auricle.server.telemetry.metrics import Metrics
from auricle.server.telemetry.sampling import sample_loop
from auricle.server.telemetry.start_estimate import StartEstimate
from auricle.server.uploads.file_slots import FileSlots
from auricle.server.uploads.upload_room import EarlyReservations
from auricle.server.uploads.uploading_jobs import UploadingJobs
from auricle.server.webhooks import OpenWebhooks, WebhookContext, Webhooks
from auricle.system.groups import first_error
from auricle.values.optional_workers import NO_OPTIONAL_WORKERS, OptionalWorkers
from auricle.values.transcriber import Decoder, Transcriber
from auricle.values.types import SAMPLE_RATE_HZ, ClientId
from auricle.values.voice_keeper import VoiceKeeper

MAX_LARGE_JSON = 2
"""Large JSON bodies that are parsed at the same time."""


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
    """The parts of a server, from :func:`open_service`.

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
        host: The use of the host, read every second.
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
    host: HostReader
    renderer: Renderer

    def drain(self) -> None:
        """Refuse new work from now on, and ask live clients to reconnect to another server."""
        self.lifecycle.drain()
        self.live.drain()
        self.jobs.runner.drain()


@asynccontextmanager
async def open_service(
    settings: Settings,
    backends: Backends,
    apis: Sequence[ApiSpec],
    open_webhooks: OpenWebhooks,
) -> AsyncIterator[Service]:
    """Build the parts of a server, and run its background tasks until the context is left.

    Args:
        settings: All settings.
        backends: What decodes and transcribes; the caller starts and stops it.
        apis: The APIs to serve.
        open_webhooks: Opens what sends webhooks.

    Raises:
        SetupError: A key, the key file or the libopus in the settings is unusable, uploads can't be
            stored, the voice detector is missing, or the database can't be used.
    """
    try:
        async with AsyncExitStack() as opened:
            base = await _open_base(settings, backends, apis, opened)
            recognition = _recognition(base)
            accounting = Accounting(base.metrics, base.rate_limiter)
            jobs = await _open_jobs(base, recognition, accounting, open_webhooks, opened)
            followers = await _open_followers(base, recognition, jobs.webhooks, opened)
            database, speakers = base.storage.database, recognition.speakers
            voices = await to_thread.run_sync(open_voices, settings, speakers, database)
            workers = replace(backends.optional, speakers=speakers)
            live = _live(base, recognition, workers, voices, followers)
            access = _access(base, live)
            renderer = Renderer()
            uploads = _uploads(base, access, recognition, accounting, jobs, renderer)
            async with anyio.create_task_group() as background:
                service = Service(
                    settings=settings,
                    apis=apis,
                    access=access,
                    lifecycle=base.lifecycle,
                    recognition=recognition,
                    workers=workers,
                    storage=base.storage,
                    uploads=uploads,
                    jobs=jobs,
                    live=live,
                    streams=_streams(base, access, live, background),
                    metrics=base.metrics,
                    host=HostReader(),
                    renderer=renderer,
                )
                _start(service, voices, background)
                yield service
                background.cancel_scope.cancel()
    except BaseExceptionGroup as errors:  # an anyio group wraps even a single failure
        raise first_error(errors) from errors


@dataclass(frozen=True, slots=True)
class _Base:
    """What the other parts of a server are built from."""

    settings: Settings
    backends: Backends
    apis: Sequence[ApiSpec]
    libopus: LibOpus
    keyring: Keyring
    lifecycle: Lifecycle
    storage: Storage
    metrics: Metrics
    rate_limiter: RateLimiter


async def _open_base(
    settings: Settings, backends: Backends, apis: Sequence[ApiSpec], opened: AsyncExitStack
) -> _Base:
    server, lifecycle = settings.server, Lifecycle()
    libopus = find_libopus(settings.decode.libopus)
    style = KeyStyle.all_of(api.key_style for api in apis)
    keyring = open_keyring(server, style, reserved_clients(apis))
    await to_thread.run_sync(has_speech, np.zeros(SAMPLE_RATE_HZ, np.int16))  # loads the model
    storage = await open_storage(settings, opened)
    metrics = Metrics(
        backends.transcriber,
        backends.decoder,
        backends.optional.statistics(),
        is_draining=lambda: lifecycle.is_draining,
        is_spool_failing=lambda: storage.spool.is_failing,
        is_database_failing=lambda: storage.database.is_failing,
    )
    limits = KeyLimits(server.key_sessions, server.key_audio_s, server.key_requests)
    rate_limiter = RateLimiter(limits, keyring.limits_of)
    return _Base(
        settings, backends, apis, libopus, keyring, lifecycle, storage, metrics, rate_limiter
    )


def _recognition(base: _Base) -> Recognition:
    backends = base.backends
    batch_jobs = max(model.engine.batches.max_jobs for model in backends.models)
    if not backends.is_remote:  # recognisers have their own settings
        batch_jobs = min(batch_jobs, base.settings.worker.batch_jobs)
    workers = len(backends.transcriber.stats().workers)
    recognition = Recognition(
        backends.transcriber,
        backends.decoder,
        backends.models,
        backends.optional.speakers,
        FairSemaphore(max_chunks_in_flight(workers, batch_jobs)),
        batch_jobs,
        backends.is_remote,
    )
    for extend in (each for api in base.apis for each in api.recognition):
        recognition = extend(base.settings, base.storage.database, recognition)
    return recognition


async def _open_jobs(
    base: _Base,
    recognition: Recognition,
    accounting: Accounting,
    open_webhooks: OpenWebhooks,
    opened: AsyncExitStack,
) -> BackgroundJobs:
    settings, storage, metrics = base.settings, base.storage, base.metrics
    answers = await to_thread.run_sync(_job_answers, base.apis)
    keepers = [keeper(settings) for api in base.apis for keeper in api.result_keepers]
    context = WebhookContext(settings, storage, base.keyring, answers, keepers, metrics.registry)
    webhooks = await opened.enter_async_context(open_webhooks(context))
    start_estimate, keep_results_s = StartEstimate(), settings.server.keep_results_s
    work = JobWork(
        recognition,
        storage,
        answers,
        base.lifecycle,
        accounting,
        start_estimate,
        keepers,
        webhooks,
        keep_results_s,
    )
    runner = JobRunner(
        storage.ledger,
        storage.audio,
        partial(work_on, work),
        max_running=settings.server.max_file_jobs,
        is_ready=lambda: recognition.transcriber.stats().ready,
        note_lost=metrics.leases_lost.inc,
        note_end=webhooks.wake,
    )
    return BackgroundJobs(
        storage,
        settings.ledger,
        keep_results_s,
        answers,
        keepers,
        UploadingJobs(),
        runner,
        webhooks,
        JobFollowers(),
        start_estimate,
    )


def _job_answers(apis: Sequence[ApiSpec]) -> Mapping[str, JobAnswers]:
    """Return how the APIs answer background jobs, by the names in their stored format."""
    return {name: answers for api in apis for name, answers in api.job_answers().items()}


async def _open_followers(
    base: _Base, recognition: Recognition, webhooks: Webhooks, opened: AsyncExitStack
) -> Mapping[str, SessionFollowers]:
    context = FollowerContext(
        base.settings,
        base.storage.database,
        gateway_of(base.settings),
        base.metrics.registry,
        base.backends.transcriber,
        base.backends.models,
        webhooks.check_url,
        recognition.wordings,
    )
    return {
        name: await opened.enter_async_context(follow(context))
        for api in base.apis
        for name, follow in api.followers.items()
    }


def _live(
    base: _Base,
    recognition: Recognition,
    workers: OptionalWorkers,
    voices: VoiceKeeper,
    followers: Mapping[str, SessionFollowers],
) -> LiveSessions:
    settings, backends = base.settings, base.backends
    directory, speakers = settings.ledger.directory, settings.live.live_speakers
    return LiveSessions(
        settings.live,
        backends.models,
        backends.transcriber,
        workers,
        base.libopus,
        base.metrics.live,
        base.rate_limiter,
        open_session_secrets(settings),
        CapacityMemory(directory, backends.machine, speakers),
        voices,
        followers,
        recognition.wordings,
    )


def _access(base: _Base, live: LiveSessions) -> Access:
    server = base.settings.server
    return Access(
        base.keyring,
        Origins.of(server),
        base.rate_limiter,
        ConnectionLimiter.of(server),
        base.metrics.clients.count_request,
        live.has_waiting_session,
    )


def _uploads(
    base: _Base,
    access: Access,
    recognition: Recognition,
    accounting: Accounting,
    jobs: BackgroundJobs,
    renderer: Renderer,
) -> Uploads:
    server = base.settings.server
    return Uploads(
        access=access,
        lifecycle=base.lifecycle,
        recognition=recognition,
        accounting=accounting,
        jobs=jobs,
        settings=server,
        libopus=base.libopus,
        spool=base.storage.spool,
        renderer=renderer,
        file_slots=FileSlots(server.max_file_jobs),
        job_slots=FileSlots(MAX_JOB_UPLOADS),
        early=EarlyReservations(),
        large_json=FairSemaphore(MAX_LARGE_JSON),
    )


def _streams(base: _Base, access: Access, live: LiveSessions, background: TaskGroup) -> Streams:
    drain_s = max(0.0, base.settings.server.drain_s - CLOSE_HANDSHAKE_S)
    return Streams(access, base.lifecycle, live, base.backends.models, background, drain_s)


def _start(service: Service, voices: VoiceKeeper, background: TaskGroup) -> None:
    jobs, metrics = service.jobs, service.metrics
    background.start_soon(voices.run)
    background.start_soon(service.live.watch)
    background.start_soon(metrics.watch_loop)
    background.start_soon(service.storage.spool.watch)
    background.start_soon(sample_loop, partial(_sample, service))
    background.start_soon(jobs.runner.run)
    background.start_soon(jobs.webhooks.run)
    if (keys_file := service.settings.server.keys_file) is not None:
        follow = partial(follow_keys, reserved=reserved_clients(service.apis))
        background.start_soon(follow, keys_file, service.access.keyring.replace_stored)
        background.start_soon(forget_removed, keys_file, partial(_forget, service))
    background.start_soon(keep_up, jobs, metrics)


def _forget(service: Service, owner: ClientId) -> int:
    """Delete some of what is stored for a removed key, and return how much that was."""
    if service.access.keyring.limits_of(owner) is not None:  # the settings have a key of this name
        return 0
    storage = service.storage
    forget = (each for api in service.apis for each in api.forget)
    deleted = sum(each(storage.database, owner) for each in forget)
    if storage.ledger.expire_audio(owner):
        delete_expired(storage)
    return deleted + storage.ledger.forget(owner)


def _sample(service: Service) -> None:
    """Read the use of the host, and fit the chunks in flight to the workers, which may change."""
    recognition = service.recognition
    workers = len(recognition.transcriber.stats().workers)
    recognition.chunk_slots.width = max_chunks_in_flight(workers, recognition.batch_jobs)
    service.host.read()
